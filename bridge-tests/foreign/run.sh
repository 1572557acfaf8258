#!/usr/bin/env bash
# Runs the foreign client against the served product, one server for each configuration (served.py starts and ends them).
# usage: PYTHON=interpreter bridge-tests/foreign/run.sh [MODULE_OR_TEST…]     (ci/python-env.sh makes the interpreter)
# LODESTONE_SEED repeats the random tests of an earlier run, which prints its seed.
set -euo pipefail
cd "$(dirname "$0")"
root=../..
python=${PYTHON:-$("$root/ci/python-env.sh")}
"$root/ci/build.sh" server

# test_shutdown ends the servers, so it comes last.
tests=("$@")
if [ $# -eq 0 ]; then
    tests=(test_hello test_moves test_answers test_routes test_faults test_streams test_datagrams test_limits test_tokens
        test_pressure test_updates test_model test_shutdown)
fi
rm -rf "$root/target/foreign"
code=0
PYTHONDONTWRITEBYTECODE=1 "$python" -m unittest "${tests[@]}" || code=$?
if [ "$code" -ne 0 ]; then
    for log in "$root"/target/foreign/*.log; do
        if [ -s "$log" ]; then
            printf '\n== end of %s\n' "${log#"$root/"}" >&2
            tail -n 40 "$log" >&2
        fi
    done
fi
exit "$code"
