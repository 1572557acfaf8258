#!/usr/bin/env bash
# Runs one long step quietly but not silently: its output goes to a log, a line every ten seconds shows where it is,
# and when it fails the end of the log is printed.
# usage: ci/step.sh NAME 'what it does' COMMAND ARGUMENT…      (log: target/logs/NAME.log)
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
name=$1
what=$2
shift 2
mkdir -p target/logs
log=target/logs/$name.log
beat_s=10
error_lines_shown=60

printf -- '-- %s\n' "$what" >&2
started=$SECONDS
"$@" >"$log" 2>&1 </dev/null &
child=$!
trap 'kill "$child" 2>/dev/null; exit 143' TERM INT
next_s=$beat_s
while kill -0 "$child" 2>/dev/null; do
    sleep 0.2
    if [ $((SECONDS - started)) -ge "$next_s" ]; then
        last=$(tail -c 2000 "$log" | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | cut -c 1-90 || true)
        printf '   %4d s  %s\n' $((SECONDS - started)) "$last" >&2
        next_s=$((next_s + beat_s))
    fi
done
code=0
wait "$child" || code=$?
if [ "$code" -ne 0 ]; then
    tail -n "$error_lines_shown" "$log" >&2
    printf -- '-- FAILED after %d s (exit code %d). The whole log: %s\n' $((SECONDS - started)) "$code" "$log" >&2
    exit "$code"
fi
printf '   done in %d s\n' $((SECONDS - started)) >&2
