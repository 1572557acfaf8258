#!/usr/bin/env bash
# Supply chain: licences, banned and doubled crates, sources, and the floors that closed advisories set.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"

# floor CRATE MAJOR MINOR PATCH WHY: every locked version of the crate is at least this one.
floor() {
    local version lowest="$2.$3.$4"
    while IFS= read -r version; do
        if [ "$(printf '%s\n%s\n' "$version" "$lowest" | sort -V | head -n 1)" != "$lowest" ]; then
            fail "$1 is locked at $version, below $lowest: $5" "What to do: cd native && cargo update -p $1"
        fi
    done < <(awk -v name="\"$1\"" '$1 == "name" {hit = ($3 == name)} hit && $1 == "version" {gsub(/"/, "", $3); print $3}' \
        native/Cargo.lock)
}
floor quinn-proto 0 11 15 'RUSTSEC-2026-0037 and RUSTSEC-2026-0185 let a stranger end or fill the server'

need cargo-deny
cargo deny --manifest-path native/Cargo.toml --locked --config native/deny.toml check --hide-inclusion-graph licenses bans sources ||
    fail 'cargo deny refuses a crate' 'What to do: see above; a new licence needs a line in native/deny.toml and a reason.'

# The advisory database lives on a git host which build machines need not reach: absence is said, never an error.
# A database that was reached and speaks is an error.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
fetch_limit_s=60
code=0
timeout "$fetch_limit_s" cargo deny --manifest-path native/Cargo.toml --locked \
    --config native/deny.toml check advisories >"$log" 2>&1 || code=$?
if [ "$code" -eq 0 ]; then
    echo 'licences.sh: no open advisory'
elif [ "$code" -eq 124 ] || ! grep -qE '^(error|warning)\[' "$log"; then
    echo 'licences.sh: the advisory database cannot be reached from here: advisories were not checked'
else
    cat "$log" >&2
    fail 'an advisory concerns a crate in use' 'What to do: update the crate, or say in native/deny.toml why it does not matter.'
fi
passed 'licences, bans, sources and version floors'
