#!/usr/bin/env bash
# Brings what the checks need beyond a JDK, Maven, Rust and a C compiler; what is there is left alone.
# With the word slow it also brings what only `make slow` needs. Written for Debian as root; elsewhere it says what is missing.
# It uses package registries by their ordinary clients only.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
cargo_deny_version=0.20.2
cbindgen_version=0.29.4
cargo_fuzz_version=0.13.2

ci/with-tools.sh true

# debian PACKAGE COMMAND…: installs the package when the command fails. What cannot be installed is said and left: a check
# that cannot do without it fails by itself, with its name.
updated=no
debian() {
    local package=$1
    shift
    if "$@" >/dev/null 2>&1; then
        return 0
    fi
    if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" -eq 0 ]; then
        echo "install-tools.sh: installing $package"
        if [ "$updated" = no ]; then
            apt-get update -qq || true
            updated=yes
        fi
        if DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null; then
            return 0
        fi
    fi
    echo "install-tools.sh: the package $package is missing and cannot be installed from here; install it to run every check" >&2
}
debian shellcheck shellcheck --version
debian valgrind valgrind --version
debian python3-venv python3 -c 'import ensurepip, venv'

for component in rustfmt clippy; do
    cargo "${component/rust/}" --version >/dev/null 2>&1 || rustup component add "$component" ||
        fail "cargo ${component/rust/} is missing" "What to do: rustup component add $component"
done

# crate NAME VERSION: installs a cargo tool of this very version, so that its findings do not change by themselves.
crate() {
    if "$1" --version 2>/dev/null | grep -q " $2\$"; then
        return 0
    fi
    ci/step.sh "install-$1" "installing $1 $2 (some minutes, once a machine)" \
        cargo install --locked --force "$1" --version "$2"
}
crate cargo-deny "$cargo_deny_version"
crate cbindgen "$cbindgen_version"
if [ "${1:-}" = slow ]; then
    debian g++ g++ --version
    crate cargo-fuzz "$cargo_fuzz_version"
    cargo +nightly --version >/dev/null 2>&1 || rustup toolchain install nightly --profile minimal ||
        fail 'a nightly compiler is missing' 'What to do: rustup toolchain install nightly --profile minimal'
fi

if [ -f bridge-tests/foreign/requirements.txt ]; then
    ci/python-env.sh >/dev/null
fi
passed 'what is needed and can be installed is installed'
