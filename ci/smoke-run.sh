#!/usr/bin/env bash
# A short `make run` leaves a whole, plausible report.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
connections=100
rate=2000
seconds=5
report=target/run/report.json
rm -f "$report"
make --no-print-directory run CONNECTIONS=$connections RATE=$rate SECONDS=$seconds ||
    fail 'make run did not end well' 'What to do: see above.'
[ -f "$report" ] || fail "make run left no $report" 'What to do: examples/treasure-hunt writes it; see what it printed.'
python3 ci/check-report.py "$report" $connections $rate $seconds ||
    fail 'the report of make run is not sound' 'What to do: see above; examples/treasure-hunt writes it.'
passed "make run with $connections connections, $rate moves/s, $seconds s"
