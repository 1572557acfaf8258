#!/usr/bin/env bash
# Who may depend on whom. A boundary counts only if a machine guards it: these are the arrows of ARCHITECTURE.md.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
bad=0
complain() {
    printf 'boundaries.sh: %s\n' "$1" >&2
    bad=1
}

# reaches CRATE [direct]: names of the crates that a normal build of CRATE reaches. What cargo says is kept in a folder,
# so that cargo is asked once a crate and its failure is ours.
trees=$(mktemp -d)
trap 'rm -rf "$trees"' EXIT
for crate in memory map core transport runtime ffi client; do
    cargo tree --manifest-path native/Cargo.toml --locked -p "lodestone-$crate" -e normal --prefix depth \
        --format ' {p}' >"$trees/lodestone-$crate" ||
        fail "cargo tree cannot say what lodestone-$crate depends on" 'What to do: see the message of cargo above.'
done
reaches() {
    awk -v only_direct="${2:-}" '$1 > 0 && (only_direct == "" || $1 == 1) {print $2}' "$trees/$1" | sort -u
}

# arrows CRATE 'ALLOWED…': the direct dependencies on crates of this workspace.
arrows() {
    local found
    for found in $(reaches "$1" direct | grep '^lodestone-' || true); do
        case " $2 " in
        *" $found "*) ;;
        *) complain "$1 depends on $found, which the architecture does not allow (allowed: ${2:-none})" ;;
        esac
    done
}
arrows lodestone-memory ''
arrows lodestone-map ''
arrows lodestone-core 'lodestone-memory'
arrows lodestone-transport 'lodestone-memory'
arrows lodestone-runtime 'lodestone-core lodestone-map lodestone-memory lodestone-transport'
arrows lodestone-ffi 'lodestone-memory lodestone-runtime'
arrows lodestone-client 'lodestone-map'

# The pure centre: nothing that does input and output, owns threads or draws random numbers may come into reach.
for crate in lodestone-memory lodestone-core lodestone-map; do
    for banned in tokio quinn quinn-proto quinn-udp rustls ring rcgen mio socket2 rand getrandom chrono time; do
        if reaches "$crate" | grep -qx "$banned"; then
            complain "$crate reaches the crate $banned: it must stay free of network, clocks, threads and chance"
        fi
    done
done
if [ -n "$(reaches lodestone-map)" ]; then
    complain 'lodestone-map must have no dependency at all'
fi

# no_words CRATE_FOLDER REGEX WHY: the words must not occur in the sources; comments and unit tests (what follows a
# #[cfg(test)] module, and files called tests.rs) are free.
no_words() {
    local hits
    # shellcheck disable=SC2016  # the dollars belong to awk
    hits=$(find "$1/src" -name '*.rs' ! -name tests.rs -print0 | xargs -0 awk '
        FNR == 1 {tests = 0; marked = 0}
        marked && /^(pub(\(crate\))? )?mod / {tests = 1}
        {marked = /^#\[cfg\((all\()?test/}
        !tests && !/^[[:space:]]*\/\// {print FILENAME ":" FNR ":" $0}' | grep -E ":[0-9]+:.*($2)" || true)
    if [ -n "$hits" ]; then
        complain "$1: $3:"
        printf '%s\n' "$hits" >&2
    fi
}
no_words native/core 'std::(net|fs|io|thread|time|env|process)\b|\b(SystemTime|Instant)\b' \
    'the core reads no clock, opens nothing and starts nothing; bytes and time come in as arguments'
no_words native/core '\bHash(Map|Set)\b|RandomState' \
    'no hash map in the core: its iteration order differs from run to run'
no_words native/memory 'std::(net|thread::spawn|time)\b|\b(SystemTime|Instant)\b' \
    'the memory crate knows no clock and no network'

# unsafe lives in memory and ffi; every other crate forbids it at each of its roots.
for crate in native/*/; do
    crate=${crate%/}
    case "$crate" in
    native/memory | native/ffi | native/target) continue ;;
    esac
    for root in "$crate"/src/lib.rs "$crate"/src/main.rs "$crate"/src/bin/*.rs "$crate"/src/bin/*/main.rs; do
        if [ -f "$root" ] && ! grep -q '^#!\[forbid(unsafe_code)\]' "$root"; then
            complain "$root lacks #![forbid(unsafe_code)]: unsafe code lives in memory and ffi only"
        fi
    done
done

# Java: bindings go to the API alone, the API stands on few modules, nobody builds on the tests.
bindings=jextract/src/main/java/module-info.java
api=java-api/src/main/java/module-info.java
for module in "$bindings" "$api"; do
    [ -f "$module" ] || complain "$module is missing"
done
if [ -f "$bindings" ]; then
    open=$(tr '\n' ' ' <"$bindings" | grep -oE 'exports [^;]+;' | grep -vE ' to dev\.lodestone *;' || true)
    [ -z "$open" ] || complain "$bindings exports to more than dev.lodestone: $open"
fi
if [ -f "$api" ]; then
    allowed=' dev.lodestone.bindings dev.lodestone.natives org.snakeyaml.engine.v2 java.management jdk.management '
    while IFS= read -r required; do
        case "$allowed" in
        *" $required "*) ;;
        *) complain "$api requires $required; allowed are:$allowed" ;;
        esac
    done < <(grep -oE '^ *requires [^;]+;' "$api" | sed -E 's/ *requires +((static|transitive) +)*//; s/;//')
    internal=$(grep -E '^ *exports [a-z.]*\.internal' "$api" | grep -v ' to ' || true)
    [ -z "$internal" ] || complain "$api exports an internal package: $internal"
fi
while IFS= read -r pom; do
    case "$pom" in
    bridge-tests/*) continue ;;
    esac
    if grep -A2 '<dependency>' "$pom" | grep -q '<artifactId>lodestone-bridge-tests<'; then
        complain "$pom depends on bridge-tests; nothing may"
    fi
done < <(tracked '*pom.xml')

[ "$bad" -eq 0 ] || fail 'a boundary is crossed' \
    'What to do: see the lines above. If the architecture should change, change ARCHITECTURE.md and this script together.'
passed 'the arrows between crates and modules hold'
