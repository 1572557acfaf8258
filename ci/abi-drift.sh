#!/usr/bin/env bash
# The C header, the checked-in bindings and the fingerprint in them are of one make. Needs no jextract.
# (That the generated classes lay every field where Rust does is compared by a test in bridge-tests.)
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
header=native/ffi/include/lodestone.h
[ -f "$header" ] || fail "$header is missing" 'What to do: make header'
java=$(tracked '*/AbiFingerprint.java' | head -n 1)
[ -n "$java" ] || fail 'AbiFingerprint.java is missing' 'What to do: make bindings (needs jextract, see CONTRIBUTING.md)'

# FNV-1a-64 over the exact bytes; bash arithmetic wraps at 64 bits as the hash wants.
fnv1a_64() {
    local hash=$((0xcbf29ce484222325)) byte
    for byte in $(od -An -v -tu1 "$1"); do
        hash=$(((hash ^ byte) * 0x100000001b3))
    done
    printf '%016x' "$hash"
}
wanted=$(fnv1a_64 "$header")
found=$(grep -oiE '0x[0-9a-f_]{16,20}L' "$java" | head -n 1 | tr -d '_lLxX' | sed 's/^0//' | tr 'A-F' 'a-f')
[ "$wanted" = "$found" ] || fail "the bindings were made for ABI ${found:-unknown}, the header has $wanted" \
    'What to do: make bindings, and commit what it changes.'

python3 ci/check-bindings.py "$header" "$(dirname "$java")" jextract/SOURCES.sha256 ||
    fail 'the bindings are not what jextract/generate.sh made' \
        'What to do: change the Rust sources, then make header and make bindings; nobody edits the bindings.'

if command -v cbindgen >/dev/null 2>&1; then
    (cd native/ffi && cbindgen --quiet --config cbindgen.toml --crate lodestone-ffi --output include/lodestone.h --verify) ||
        fail 'lodestone.h differs from what cbindgen makes of the Rust sources' 'What to do: make header, then make bindings.'
    passed "header, bindings and fingerprint agree (ABI $wanted); cbindgen makes the same header"
else
    passed "header, bindings and fingerprint agree (ABI $wanted); cbindgen itself is not installed: not run"
fi
