#!/usr/bin/env bash
# Runs the Go client (quic-go) against the served product. usage: bridge-tests/foreign/go/run.sh [GO_TEST_OPTION…]
# Where there is no Go it says so, also in the file LODESTONE_SKIPPED if that is set, and ends well: nothing else of the product
# needs Go.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root=../../..

# Without Go on PATH, where its own archive puts it.
go=$(command -v go || true)
if [ -z "$go" ] && [ -x /usr/local/go/bin/go ]; then
    go=/usr/local/go/bin/go
fi
if [ -z "$go" ]; then
    echo 'foreign/go: SKIPPED: Go is not installed (1.26 or newer), so the client on quic-go was not run' |
        tee -a "${LODESTONE_SKIPPED:-/dev/null}" >&2
    exit 0
fi
"$root/ci/build.sh" server
"$go" vet ./...
# -count=1: the server is not among what Go's cache of results looks at.
"$go" test -count=1 "$@" ./...
