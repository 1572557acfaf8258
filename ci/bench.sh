#!/usr/bin/env bash
# Runs one group of benchmarks, or all, and prints the claims beside what was measured. usage: ci/bench.sh all|bridge
# Rounds alternate all contenders of a group, so that a slow minute of the machine hits each of them alike.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
wanted=${1:?usage: ci/bench.sh all|bridge}
rounds=${ROUNDS:-5}
raw=benchmarks/results/raw

ci/build.sh native
ci/step.sh benchmarks 'building the benchmarks' \
    ci/with-tools.sh mvn -B -ntp -DskipTests -Dlodestone.cargo.tests.skip=true -Dlodestone.cargo.skip=true -pl benchmarks -am package

# group NAME REGEX: runs the benchmarks whose names match, ROUNDS times, then computes the claims of the group.
group() {
    local round
    mkdir -p "$raw"
    rm -f "$raw/$1"-*.json
    for round in $(seq "$rounds"); do
        ci/step.sh "bench-$1-$round" "group $1, round $round of $rounds" \
            ci/with-tools.sh java --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow \
            -cp 'benchmarks/target/classes:benchmarks/target/lib/*' \
            org.openjdk.jmh.Main "$2" -prof gc -rf json -rff "$raw/$1-$round.json"
    done
    printf '\nclaims of group %s\n' "$1"
    python3 benchmarks/claims.py "$1" "$raw/$1"-*.json
}
case "$wanted" in
all | bridge) group bridge 'SlotReaderBenchmark' ;;
*) fail "there is no group $wanted" 'What to do: make bench, or make bench-bridge.' ;;
esac
