#!/usr/bin/env bash
# Runs one group of benchmarks, or all, and prints the claims beside what was measured. usage: ci/bench.sh all|GROUP
#   bridge: slots and events read from Java    core: the Rust parts without a network    quic: whole moves, handshakes
# Rounds alternate all contenders of a group, so that a slow minute of the machine hits each of them alike.
# Nothing else should run meanwhile. All groups together take about ten minutes.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
wanted=${1:?usage: ci/bench.sh all|bridge|core|quic}
bridge_rounds=${ROUNDS:-5}
quic_rounds=${ROUNDS:-3}
raw=benchmarks/results/raw
began=$SECONDS
mkdir -p "$raw"

# claims GROUP: computes the group's claims from its raw results.
claims() {
    printf '\nclaims of group %s\n' "$1"
    python3 benchmarks/claims.py "$1" "make bench-$1" "$raw/$1"-*.json
}

bridge() {
    local round
    local java=(ci/with-tools.sh java --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow
        -cp 'benchmarks/target/classes:benchmarks/target/lib/*')
    ci/build.sh native
    ci/step.sh benchmarks 'building the Java benchmarks' ci/with-tools.sh mvn -B -ntp -DskipTests \
        -Dlodestone.cargo.tests.skip=true -Dlodestone.cargo.skip=true -pl benchmarks -am package
    rm -f "$raw"/bridge-*.json
    for round in $(seq "$bridge_rounds"); do
        ci/step.sh "bench-bridge-$round" "slots, round $round of $bridge_rounds" "${java[@]}" \
            org.openjdk.jmh.Main SlotReaderBenchmark -rf json -rff "$raw/bridge-slots-$round.json"
        # Where the JVM lies is nobody's business.
        sed -i '/"jvm" :/d' "$raw/bridge-slots-$round.json"
    done
    ci/step.sh bench-bridge-exact 'events, and what reads allocate' "${java[@]}" \
        dev.lodestone.benchmarks.ExactReads "$raw/bridge-exact.json"
    claims bridge
}

core() {
    ci/step.sh benchmarks-core 'building the Rust benchmarks' ci/with-tools.sh \
        cargo build --manifest-path native/Cargo.toml --release --locked -p lodestone-benchmarks
    rm -f "$raw"/core-*.json
    echo '-- engine, rollback, bump pages, channel (about two minutes)' >&2
    native/target/release/lodestone-bench >"$raw/core-1.json"
    claims core
}

quic() {
    ci/build.sh server
    rm -f "$raw"/quic-*.json
    echo "-- handshakes and moves over QUIC, $quic_rounds rounds (about three minutes)" >&2
    ROUNDS=$quic_rounds python3 benchmarks/quic.py "$raw/quic-1.json" \
        ci/with-tools.sh java -jar java-api/target/lodestone-[0-9]*[0-9].jar serve --port 0
    claims quic
}

case "$wanted" in
all)
    core
    quic
    bridge
    ;;
bridge | core | quic) "$wanted" ;;
*) fail "there is no group $wanted" 'What to do: make bench, or make bench-bridge, bench-core, bench-quic.' ;;
esac
passed "$wanted, $((SECONDS - began)) s; results in benchmarks/results"
