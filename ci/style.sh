#!/usr/bin/env bash
# What no other tool looks at: size of files, leftovers, paths of somebody's machine, banned words.
# (Function length: clippy's too_many_lines with native/clippy.toml for Rust, Checkstyle's MethodLength for Java.)
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
lines_max=600
bad=0
complain() {
    printf 'style.sh: %s\n' "$1" >&2
    bad=1
}
generated='^(jextract/src/|native/ffi/include/|native/Cargo.lock$|LICENSE$)'
sources=$(tracked '*.rs' '*.java' '*.py' '*.sh' '*.go' Makefile | grep -vE "$generated" || true)
texts=$(tracked '*.rs' '*.java' '*.py' '*.sh' '*.go' '*.md' '*.toml' '*.xml' '*.yaml' '*.yml' Makefile .ci/run |
    grep -vE "$generated" | grep -vx 'ci/style.sh' || true)

# Paths of a machine have no place in any file, whatever its kind: crash reports of a JVM, raw results, what a tool made.
everything=$(tracked | grep -vx 'ci/style.sh' || true)

# A file past the limit says in its first 40 lines why it is long: a comment that begins with "Long file:".
while IFS= read -r file; do
    lines=$(wc -l <"$file")
    if [ "$lines" -gt "$lines_max" ] && ! head -n 40 "$file" | grep -q 'Long file:'; then
        complain "$file has $lines lines (limit $lines_max): split it, or give the reason in a comment 'Long file: …' at its top"
    fi
done <<<"$sources"

# never REGEX WHY [EXCEPT [FILES]]: no text of the repository, or of FILES, may match; hits (FILE:LINE:TEXT) that match EXCEPT
# are let through.
never() {
    local hits
    hits=$(tr '\n' '\0' <<<"${4:-$texts}" | xargs -0 grep -nHIE "$1" | grep -vE "${3:-^$}" || true)
    if [ -n "$hits" ]; then
        complain "$2:"
        printf '%s\n' "$hits" | cut -c 1-180 | head -n 20 >&2
    fi
}
# The exception is the clippy lint of that name.
never '\b([Tt][Oo][Dd][Oo]|[Ff][Ii][Xx][Mm][Ee]|XXX|HACK)\b' 'leftovers: do it now, or file an issue' \
    '^native/Cargo\.toml:[0-9]+:todo = "deny"$'
never '(^|[^A-Za-z0-9_.$}])/(work|root|home/[a-z]+|Users/[A-Za-z]+)/' 'a path of one machine' '' "$everything"
never '/usr/lib/jvm/[a-z]' 'a path of one machine: let ci/find-jdk.sh find the JDK' '' "$everything"
never '\b([Tt]he|[Aa]n|[Tt]his|[Ii]ts|[Oo]ur|[Oo]ne) arena\b' '"arena" alone is ambiguous: say slot arena, bump arena, or lifetime'
never '\bget_[a-z_]+\(&(mut )?self' 'Rust accessors have no get_ prefix'

[ "$bad" -eq 0 ] || fail 'style rules are broken' 'What to do: see the lines above; CONTRIBUTING.md has the rules.'
passed "$(wc -l <<<"$texts") files: size, leftovers, machine paths, words"
