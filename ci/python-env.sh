#!/usr/bin/env bash
# Makes a Python environment under target/ when it is not there, and prints its interpreter.
# usage: ci/python-env.sh [LIST NAME]     without them, that of the foreign QUIC client
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
requirements=${1:-bridge-tests/foreign/requirements.txt}
environment=$PWD/target/${2:-python}
# The stamp is a copy of the list: a changed list is installed again.
stamp=$environment/requirements.txt

command -v python3 >/dev/null 2>&1 || fail 'python3 is not on PATH' 'What to do: install Python 3.11 or newer.'
if ! cmp -s "$requirements" "$stamp"; then
    rm -rf "$environment"
    mkdir -p target
    python3 -m venv "$environment" >&2 || fail 'python3 cannot make a virtual environment' \
        'What to do: on Debian, apt-get install python3-venv.'
    ci/step.sh python "installing what $requirements lists (Python, once)" \
        "$environment/bin/python" -m pip install --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$stamp"
fi
printf '%s\n' "$environment/bin/python"
