#!/usr/bin/env bash
# Who may depend on whom. A boundary counts only if a machine guards it: these are the arrows of ARCHITECTURE.md.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
bad=0
complain() {
    printf 'boundaries.sh: %s\n' "$1" >&2
    bad=1
}

# reaches CRATE [direct]: names of the crates that a build of CRATE reaches, its build scripts included. What cargo says is kept in a folder,
# so that cargo is asked once a crate and its failure is ours.
trees=$(mktemp -d)
trap 'rm -rf "$trees"' EXIT
for crate in memory map core transport runtime ffi daemon client; do
    cargo tree --manifest-path native/Cargo.toml --locked -p "lodestone-$crate" -e normal,build --all-features --prefix depth \
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
arrows lodestone-ffi 'lodestone-client lodestone-memory lodestone-runtime'
arrows lodestone-daemon 'lodestone-runtime'
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

if [ "$(reaches lodestone-core direct)" != lodestone-memory ]; then
    complain "lodestone-core depends directly on $(reaches lodestone-core direct | xargs); lodestone-memory alone is allowed"
fi
# cargo tree shows this platform only.
for crate in memory core map; do
    if grep -qE '^[[:space:]]*\[[[:space:]]*target\b' "native/$crate/Cargo.toml"; then
        complain "native/$crate/Cargo.toml has dependencies for one platform only, which this check cannot see"
    fi
done

# unsafe lives in memory and ffi; every other crate forbids it at each of its roots.
for crate in native/*/ benchmarks/load/; do
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

# What the sources say: words that core and memory must not use; poms and modules of the Java side.
tracked 'native/*.rs' '*pom.xml' '*.java' | tr '\n' '\0' | xargs -0 python3 ci/check-boundaries.py || bad=1

[ "$bad" -eq 0 ] || fail 'a boundary is crossed' \
    'What to do: see the lines above. If the architecture should change, change ARCHITECTURE.md and this script together.'
passed 'the arrows between crates and modules hold'
