#!/usr/bin/env bash
# All checks in order, the quick ones first; stops at the first that fails. `make check` and .ci/run call it.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
checks=(
    'ci/format.sh'
    'ci/style.sh'
    'ci/boundaries.sh'
    'ci/status-numbers.sh'
    'ci/licences.sh'
    'ci/abi-drift.sh'
    'ci/lint.sh'
    'make --no-print-directory test'
    'bridge-tests/foreign/quiche/run.sh'
    'ci/smoke-serve.sh'
    'ci/smoke-daemon.sh'
    'ci/smoke-run.sh'
)
# What cannot be run on this machine; told once more at the end.
export LODESTONE_SKIPPED=$PWD/target/skipped
mkdir -p target
: >"$LODESTONE_SKIPPED"
began=$SECONDS
for index in "${!checks[@]}"; do
    check=${checks[$index]}
    printf '\n==== %d/%d %s\n' $((index + 1)) ${#checks[@]} "$check"
    step_began=$SECONDS
    # Unquoted on purpose: a check is a command with its arguments.
    # shellcheck disable=SC2086
    $check || fail "$check (after $((SECONDS - began)) s in all)" 'What to do: see the message above; each check runs alone, too.'
    printf '==== %s: %d s\n' "$check" $((SECONDS - step_began))
done
if [ -s "$LODESTONE_SKIPPED" ]; then
    printf '\n==== left out:\n'
    sed "s/^/    /" "$LODESTONE_SKIPPED"
fi
printf '\n==== all %d checks passed in %d s\n' ${#checks[@]} $((SECONDS - began))
