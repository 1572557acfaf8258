#!/usr/bin/env bash
# The engine as a foreground server, as `make serve CONFIG=file PORT=n`; both are optional.
# The shell becomes the JVM: signals reach it, and its READY line is the only line on stdout.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
ci/build.sh server
options=()
if [ -n "${CONFIG:-}" ]; then
    options+=(--config "$CONFIG")
fi
if [ -n "${PORT:-}" ]; then
    options+=(--port "$PORT")
fi
exec ci/with-tools.sh java -jar java-api/target/lodestone-[0-9]*[0-9].jar serve "${options[@]}"
