#!/usr/bin/env bash
# Status numbers exist in four places: the protocol page, the Rust enum, the C header and the Java enum. Each must know
# every number of the others under the same name, because numbers are only ever added.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
rust=native/memory/src/status.rs
java=$(tracked 'java-api/src/main/java/*/Status.java' | head -n 1)
[ -f "$rust" ] || fail "$rust is missing"
[ -n "$java" ] || fail 'Status.java is missing in java-api'

# All three lists as lines "NUMBER NAME".
of_rust=$(sed -nE 's/^ {4}([A-Z][A-Za-z]*) = ([0-9]+),.*/\2 \1/p' "$rust" |
    sed -E 's/([a-z])([A-Z])/\1_\2/g' | tr '[:lower:]' '[:upper:]' | sort -n)
of_java=$(grep -oE '\b[A-Z][A-Z_]+\([0-9]+[,)]' "$java" | sed -E 's/([A-Z_]+)\(([0-9]+).*/\2 \1/' | sort -n)
of_page=$(sed -n '/^## Status numbers/,/^## Back-pressure/p' docs/protocol.md | grep -oE '[0-9]+ [A-Z][A-Z_]+' | sort -n)
if [ -z "$of_rust" ] || [ -z "$of_java" ] || [ -z "$of_page" ]; then
    fail 'a list of status numbers came out empty' \
        'What to do: look whether the layout of the enum or of the page changed; this script reads one constant a line.'
fi

missing_from() {
    comm -23 <(printf '%s\n' "$2" | sort) <(printf '%s\n' "$3" | sort) | sed "s|^|    $1 lacks |"
}
report=$(
    missing_from "$java" "$of_rust" "$of_java"
    missing_from "$rust" "$of_page" "$of_rust"
    missing_from docs/protocol.md "$of_rust" "$of_page"
)
if [ -n "$report" ]; then
    printf '%s\n' "$report" >&2
    fail 'status numbers differ' 'What to do: add the missing constant; never give a number a second meaning.'
fi
passed "$(printf '%s\n' "$of_rust" | wc -l) status numbers are the same in Rust, in Java and in docs/protocol.md"
