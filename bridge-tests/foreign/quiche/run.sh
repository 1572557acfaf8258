#!/usr/bin/env bash
# Runs the client on quiche against the stand-alone engine. usage: bridge-tests/foreign/quiche/run.sh [CARGO_TEST_OPTION…]
# quiche brings BoringSSL, which takes cmake and a C++ compiler: where they are missing, or quiche does not build, this says so, also
# in the file LODESTONE_SKIPPED if that is set, and ends well. What does not build of this folder is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root=$(cd ../../.. && pwd)
skip() {
    echo "foreign/quiche: SKIPPED: $1" | tee -a "${LODESTONE_SKIPPED:-/dev/null}" >&2
    exit 0
}
for tool in cmake c++; do
    if ! command -v "$tool" >/dev/null; then
        skip "there is no $tool, so the client on quiche was not run"
    fi
done
"$root/ci/build.sh" native
export CARGO_TARGET_DIR=$root/target/foreign-quiche
manifest=$PWD/Cargo.toml
"$root/ci/step.sh" foreign-quiche 'building quiche, BoringSSL with it' \
    cargo build --manifest-path "$manifest" --locked -p quiche || skip 'quiche does not build here; see above'
cargo test --locked "$@"
