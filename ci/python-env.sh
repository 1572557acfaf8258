#!/usr/bin/env bash
# Makes the Python environment of the foreign QUIC client under target/ when it is not there, and prints its interpreter.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
requirements=bridge-tests/foreign/requirements.txt
environment=$PWD/target/python
# The stamp is a copy of the list: a changed list is installed again.
stamp=$environment/requirements.txt

command -v python3 >/dev/null 2>&1 || fail 'python3 is not on PATH' 'What to do: install Python 3.11 or newer.'
if ! cmp -s "$requirements" "$stamp"; then
    rm -rf "$environment"
    mkdir -p target
    python3 -m venv "$environment" >&2 || fail 'python3 cannot make a virtual environment' \
        'What to do: on Debian, apt-get install python3-venv.'
    ci/step.sh python 'installing the QUIC stack of the foreign client (Python, once)' \
        "$environment/bin/python" -m pip install --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$stamp"
fi
printf '%s\n' "$environment/bin/python"
