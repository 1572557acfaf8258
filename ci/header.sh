#!/usr/bin/env bash
# Makes native/ffi/include/lodestone.h again from the Rust sources. After it: make bindings.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
need cbindgen
cd native/ffi
cbindgen --config cbindgen.toml --crate lodestone-ffi --output include/lodestone.h ||
    fail 'cbindgen failed' 'What to do: see its message above.'
passed 'native/ffi/include/lodestone.h; now run: make bindings'
