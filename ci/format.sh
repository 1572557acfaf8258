#!/usr/bin/env bash
# Rust sources are formatted by rustfmt. (Java layout is checked by Checkstyle, in lint.sh.)
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
cargo fmt --manifest-path native/Cargo.toml --all --check ||
    fail 'Rust sources are not formatted' 'What to do: cargo fmt --manifest-path native/Cargo.toml --all'
passed 'Rust sources are formatted'
