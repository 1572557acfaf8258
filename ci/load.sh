#!/usr/bin/env bash
# Load on a running server, as `make load TARGET=host:port CERTIFICATE=file`. FINGERPRINT goes in place of CERTIFICATE; TOKEN
# (a file in hexadecimal), NODES (first-last, default 0-9999), CONNECTIONS, RATE (moves a second), SECONDS (the Makefile passes
# it as RUN_SECONDS), HISTOGRAM (file, default target/load/latency.hgrm) and ARGS (any other options) may be given.
# It moves real nodes of that server.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
ci/build.sh native
program=native/target/release/lodestone-load
read -r -a more <<<"${ARGS:-}"
if [ -z "${TARGET:-}" ]; then
    # --help needs no target, and the program says best what is missing.
    exec "$program" "${more[@]}"
fi
mkdir -p target/load
options=(--target "$TARGET" --nodes "${NODES:-0-9999}" --progress
    --histogram "${HISTOGRAM:-target/load/latency.hgrm}" --report target/load/report.json)
# given OPTION VALUE: adds it when there is a value.
given() {
    if [ -n "$2" ]; then
        options+=("$1" "$2")
    fi
}
given --certificate "${CERTIFICATE:-}"
given --fingerprint "${FINGERPRINT:-}"
given --token-file "${TOKEN:-}"
given --connections "${CONNECTIONS:-}"
given --rate "${RATE:-}"
given --seconds "${RUN_SECONDS:-}"
# The lines for programs are in the report; people read those on standard error.
"$program" "${options[@]}" "${more[@]}" >target/load/lines.json || fail 'the load did not run to its end as it should' \
    'What to do: see the lines above; make load ARGS=--help lists the options.'
passed "target/load/report.json: $(sed -n 's/.*"end_to_end_us":{\([^}]*\)}.*/end to end in us: \1/p' target/load/report.json)"
