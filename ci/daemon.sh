#!/usr/bin/env bash
# The stand-alone engine in the foreground, as `make daemon CONFIG=file PORT=n`; PORT is optional.
# The shell becomes lodestoned: signals reach it, and its READY line is the only line on stdout.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
[ -n "${CONFIG:-}" ] || fail 'CONFIG=file is missing' \
    'What to do: name a configuration file; java-api/src/main/resources/dev/lodestone/arena-runtime-config.yaml has every key.'
ci/build.sh native
options=(--config "$CONFIG")
if [ -n "${PORT:-}" ]; then
    options+=(--port "$PORT")
fi
exec native/target/release/lodestoned "${options[@]}"
