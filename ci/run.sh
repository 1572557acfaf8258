#!/usr/bin/env bash
# The main job, as `make run`: builds, then starts the treasure hunt in Delaware. CONNECTIONS, RATE (moves a second) and
# SECONDS may be given; the Makefile passes SECONDS as RUN_SECONDS, since bash counts its own age in SECONDS.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
ci/build.sh app
mkdir -p target/run
options=()
if [ -n "${CONNECTIONS:-}" ]; then
    options+=(--connections "$CONNECTIONS")
fi
if [ -n "${RATE:-}" ]; then
    options+=(--rate "$RATE")
fi
if [ -n "${RUN_SECONDS:-}" ]; then
    options+=(--seconds "$RUN_SECONDS")
fi
exec ci/with-tools.sh java -jar examples/treasure-hunt/target/treasure-hunt-[0-9]*[0-9].jar \
    --load-generator native/target/release/lodestone-load --report target/run/report.json "${options[@]}"
