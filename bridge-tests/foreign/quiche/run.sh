#!/usr/bin/env bash
# Runs the client on quiche against the stand-alone engine. usage: bridge-tests/foreign/quiche/run.sh [CARGO_TEST_OPTION…]
# quiche brings BoringSSL, which takes cmake and a C++ compiler: where they are missing this says so and ends well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root=$(cd ../../.. && pwd)
for tool in cmake c++; do
    if ! command -v "$tool" >/dev/null; then
        echo "foreign/quiche: SKIPPED: there is no $tool, so the client on quiche was not run" >&2
        exit 0
    fi
done
"$root/ci/build.sh" native
export CARGO_TARGET_DIR=$root/target/foreign-quiche
if ! "$root/ci/step.sh" foreign-quiche 'building the client on quiche, BoringSSL with it' cargo test --locked --no-run; then
    echo 'foreign/quiche: SKIPPED: quiche does not build here; see above' >&2
    exit 0
fi
cargo test --locked "$@"
