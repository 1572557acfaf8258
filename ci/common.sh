# Shared by the scripts of this folder; sourced, never run. Every script works from the top folder of the repository.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Where cargo puts the tools that it installs, also when cargo itself came with the system.
PATH=$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin

# fail WHAT WHAT_TO_DO…: says what is wrong and what to do about it, then ends the script.
fail() {
    printf '%s: FAILED: %s\n' "$(basename "$0")" "$1" >&2
    shift
    local line
    for line in "$@"; do
        printf '    %s\n' "$line" >&2
    done
    exit 1
}

# passed WHAT: the closing line of a check.
passed() {
    printf '%s: ok: %s\n' "$(basename "$0")" "$1"
}

# need TOOL: ends the script when a tool that install-tools.sh brings is not there.
need() {
    command -v "$1" >/dev/null 2>&1 || fail "$1 is not installed" 'What to do: run ci/install-tools.sh once.'
}

# tracked PATTERN…: the files of the repository (new ones included, ignored ones not) that match the patterns.
tracked() {
    git ls-files --cached --others --exclude-standard -- "$@" | while IFS= read -r file; do
        if [ -f "$file" ]; then
            printf '%s\n' "$file"
        fi
    done
}
