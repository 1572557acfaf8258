#!/usr/bin/env bash
# `make serve` prints its READY line, can be ended by SIGTERM, and leaves nothing behind.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
ready_limit_s=120
end_limit_s=60
ci/build.sh server
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkfifo "$folder/out"

started=$(date +%s%N)
PORT=0 make --no-print-directory serve >"$folder/out" 2>"$folder/err" &
server=$!
exec 3<"$folder/out"
IFS= read -r -t "$ready_limit_s" ready <&3 || fail "no READY line within $ready_limit_s s" "$(cat "$folder/err")"
took_ms=$((($(date +%s%N) - started) / 1000000))
[[ $ready =~ ^LODESTONE\ READY\ quic=127\.0\.0\.1:([0-9]+)\ cert=([^ ]+)\ pid=([0-9]+)$ ]] ||
    fail "the READY line is malformed: $ready"
port=${BASH_REMATCH[1]}
certificate=${BASH_REMATCH[2]}
pid=${BASH_REMATCH[3]}
[ "$port" -gt 0 ] || fail 'READY names port 0'
grep -q 'BEGIN CERTIFICATE' "$certificate" || fail "$certificate holds no certificate"

kill -TERM "$pid"
code=0
timeout "$end_limit_s" tail --pid="$server" -f /dev/null || fail "still running $end_limit_s s after SIGTERM" "$(cat "$folder/err")"
wait "$server" || code=$?
[ "$code" -eq 0 ] || fail "make serve ended with exit code $code after SIGTERM" "$(cat "$folder/err")"
passed "READY after $took_ms ms on port $port, clean end on SIGTERM"
