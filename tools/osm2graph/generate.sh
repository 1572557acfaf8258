#!/bin/sh
# Writes data/*.lsg again from the extracts that the Go module
# github.com/paulmach/osm carries in its testdata. Needs Go; the module comes
# from the module cache or the module proxy. The files must not change:
# `git diff --exit-code data` tells.
set -eu
# The pure Go decompressor, so that no C compiler or header is needed.
export CGO_ENABLED=0
cd "$(dirname "$0")"
output=${1:-../../data}
extracts="$(go list -m -f '{{.Dir}}' github.com/paulmach/osm)/testdata"
if [ ! -d "$extracts" ]; then
    go mod download github.com/paulmach/osm
    extracts="$(go list -m -f '{{.Dir}}' github.com/paulmach/osm)/testdata"
fi
licence="© OpenStreetMap contributors, ODbL 1.0, https://www.openstreetmap.org/copyright"
go run . -input "$extracts/delaware-latest.osm.pbf" -output "$output/delaware.lsg" -routes "${ROUTES:-0}" \
    -attribution "Roads of Delaware, USA, 2016-08-10. $licence"
go run . -input "$extracts/andorra-latest.osm.bz2" -output "$output/andorra.lsg" -routes "${ROUTES:-0}" \
    -attribution "Roads of Andorra, 2018-02-25. $licence"
