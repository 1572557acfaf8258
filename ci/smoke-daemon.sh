#!/usr/bin/env bash
# `make daemon` prints its READY line, can be ended by SIGTERM, and leaves nothing behind.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
ready_limit_s=120
end_limit_s=60
ci/build.sh native
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkfifo "$folder/out"
mkdir "$folder/regions"
printf 'runtime:\n  shared_region_directory: regions\n' >"$folder/config.yaml"

PORT=0 CONFIG=$folder/config.yaml make --no-print-directory daemon >"$folder/out" 2>"$folder/err" &
daemon=$!
exec 3<"$folder/out"
IFS= read -r -t "$ready_limit_s" ready <&3 || fail "no READY line within $ready_limit_s s" "$(cat "$folder/err")"
[[ $ready =~ ^LODESTONE\ READY\ quic=127\.0\.0\.1:[0-9]+\ cert=([^ ]+)\ pid=([0-9]+)\ region=([^ ]+)$ ]] ||
    fail "the READY line is malformed: $ready"
certificate=${BASH_REMATCH[1]}
pid=${BASH_REMATCH[2]}
region=${BASH_REMATCH[3]}
grep -q 'BEGIN CERTIFICATE' "$certificate" || fail "$certificate holds no certificate"
[ "$(dirname "$region")" = "$folder/regions" ] || fail "the region $region is not in the folder that was configured"
[ "$(stat -c %a "$region")" = 600 ] || fail "the region $region has mode $(stat -c %a "$region"), not 600"

kill -TERM "$pid"
code=0
timeout "$end_limit_s" tail --pid="$daemon" -f /dev/null || fail "still running $end_limit_s s after SIGTERM" "$(cat "$folder/err")"
wait "$daemon" || code=$?
[ "$code" -eq 0 ] || fail "make daemon ended with exit code $code after SIGTERM" "$(cat "$folder/err")"
[ -z "$(ls "$folder/regions")" ] || fail 'the region was left behind'
[ ! -e "$certificate" ] || fail 'the certificate was left behind'
passed 'make daemon: READY, a private region, a clean end on SIGTERM'
