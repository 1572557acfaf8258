#!/usr/bin/env bash
# Runs one group of benchmarks, or all, and prints the claims beside what was measured. usage: ci/bench.sh all|GROUP
#   bridge: slots and events read from Java; lanes, ring, events and paced commands beside other queues and limits, each in a JVM
#     of its own (five minutes for these; RING_SECONDS=300), Chronicle Queue and the ring with its flags (CHRONICLE_SECONDS=30),
#     flags that users need, producers that are killed (KILLS=500)
#   bridge-rings [FIGURE…]: these rows alone, or those that begin with FIGURE; added to the raw results as bridge-rings-N.json, so
#     that runs at different times come together: cores that are far apart come and go
#   bridge-results: computes anew from the raw results
#   kills: takes over the counts of the last `ci/slow.sh faults attach`, ten thousand kills of every kind
#   core: bump pages and channel
#   quic: whole moves and handshakes over the network, beside servers on quic-go and Netty, overload, hostile clients
#     (RESUME=1 goes on with a run that was cut off); quic-results: computes and draws anew
#   fanout: what telling many clients of a change costs, the last part of quic
#   quic-quick: the same with few connections for moments, debug builds, to see that it works; no results are kept
#   bridge-quick: the lanes, the ring and all of their peers but Chronicle Queue for a moment, to see that they work; no results are kept
#   graph: 47 million edges: load, changes, shortest paths, rollback, paced moves; with peers in Rust, Java and Python
#   graph-quick: the same with small sizes and a debug build, to see that it works; no results are kept
# Rounds alternate all contenders of a group, so that a slow minute of the machine hits each of them alike.
# Nothing else should run meanwhile. All groups together take about half an hour.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
wanted=${1:?usage: ci/bench.sh all|bridge|bridge-quick|bridge-rings|bridge-results|core|kills|graph|graph-quick|quic|quic-quick|quic-results|fanout}
bridge_rounds=${ROUNDS:-5}
ring_seconds=${RING_SECONDS:-300}
chronicle_seconds=${CHRONICLE_SECONDS:-30}
kills=${KILLS:-500}
raw=benchmarks/results/raw
began=$SECONDS
mkdir -p "$raw"

# claims GROUP [RAW…]: computes the group's claims from its raw results, and from what others left.
claims() {
    printf '\nclaims of group %s\n' "$1"
    python3 benchmarks/claims.py "$1" "make bench-$1" "$raw/$1"-*.json "${@:2}"
}

java_benchmarks() {
    ci/build.sh native
    ci/step.sh benchmarks 'building the Java benchmarks' ci/with-tools.sh mvn -B -ntp -DskipTests \
        -Dlodestone.cargo.tests.skip=true -Dlodestone.cargo.skip=true -pl benchmarks -am package
}

rust_benchmarks() {
    ci/step.sh benchmarks-rust 'building the Rust benchmarks' ci/with-tools.sh \
        cargo build --manifest-path native/Cargo.toml --release --locked -p lodestone-benchmarks
}

# rings RAW PROGRAM SECONDS OPTION…: ours beside the peers; the flag that opens jdk.internal.misc is for two of those.
rings() {
    local raw=$1 program=$2 seconds=$3
    ci/with-tools.sh java --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow \
        --add-opens java.base/jdk.internal.misc=ALL-UNNAMED -Dagrona.disable.bounds.checks=true \
        -cp 'benchmarks/target/classes:benchmarks/target/lib/*' dev.lodestone.benchmarks.rings.RingBenchmark \
        "$raw" "$program" /dev/shm "$seconds" "${@:4}"
}

# chronicle RAW PROGRAM SECONDS RAW_FLAGS: Chronicle Queue beside our ring, with the flags that its maker names; then, how many
# flags it needs, and we. It sends nothing to its maker: that part of it is not in benchmarks/pom.xml, and is switched off, too.
chronicle() (
    flags=("--add-exports="{java.base/{jdk.internal.ref,sun.nio.ch},jdk.unsupported/sun.misc,jdk.compiler/com.sun.tools.javac.file}
        "--add-opens="{jdk.compiler/com.sun.tools.javac,java.base/{java.lang{,.reflect},java.io,java.util,sun.nio.ch,java.nio}})
    flags=("${flags[@]/%/=ALL-UNNAMED}")
    if ! compgen -G 'benchmarks/target/lib/chronicle-queue-*.jar' >/dev/null; then
        echo '-- Chronicle Queue is not in benchmarks/target/lib: its rows stay empty' >&2
        exit 0
    fi
    folder=$(mktemp -d /dev/shm/lodestone-chronicle-XXXXXX)
    trap 'rm -rf "$folder"' EXIT
    java=(ci/with-tools.sh java -Dchronicle.analytics.disable=true -Dslf4j.internal.verbosity=ERROR -Dbytes.bounds.unchecked=true
        -cp 'benchmarks/target/classes:benchmarks/target/lib/*')
    "${java[@]}" --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow "${flags[@]}" \
        dev.lodestone.benchmarks.rings.RingBenchmark "$1" "$2" "$folder" "$3" --chronicle
    "${java[@]}" dev.lodestone.benchmarks.rings.FlagsNeeded "$4" "$folder" "${flags[@]}"
)

# killed RAW ROUNDS PROFILE…: producers killed with SIGKILL, and what that did to their records, counted by comparing. Fails, with
# the counts written, where the test failed or there was harm.
killed() {
    local raw=$1 rounds=$2 told=target/logs/killed.jsonl failed=0
    rm -f "$told"
    LODESTONE_FAULT_ROUNDS=$rounds LODESTONE_KILLS=$PWD/$told cargo test --manifest-path native/Cargo.toml "${@:3}" --locked \
        -p lodestone-memory --lib rings::faults::producers_killed_at_any_instruction -- --nocapture >target/logs/killed.log || {
        failed=1
        echo 'killed: the test failed; its counts follow' >&2
    }
    [ -s "$told" ] || fail 'the kills did not come to their end' "$(tail -n 20 target/logs/killed.log)"
    python3 ci/kills.py "$raw" "$told" >&2 || failed=1
    return "$failed"
}

bridge() {
    local round
    local java=(ci/with-tools.sh java --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow
        -cp 'benchmarks/target/classes:benchmarks/target/lib/*')
    rust_benchmarks
    java_benchmarks
    rm -f "$raw"/bridge-*.json
    for round in $(seq "$bridge_rounds"); do
        ci/step.sh "bench-bridge-$round" "slots, round $round of $bridge_rounds" "${java[@]}" \
            org.openjdk.jmh.Main SlotReaderBenchmark -rf json -rff "$raw/bridge-slots-$round.json"
        # Where the JVM lies is nobody's business.
        sed -i '/"jvm" :/d' "$raw/bridge-slots-$round.json"
    done
    ci/step.sh bench-bridge-exact 'events, and what reads allocate' "${java[@]}" \
        dev.lodestone.benchmarks.ExactReads "$raw/bridge-exact.json"
    echo "-- lanes, ring and events beside other queues (about $ring_seconds s)" >&2
    rings "$raw/bridge-rings-1.json" native/target/release/lodestone-bench "$ring_seconds"
    echo "-- Chronicle Queue beside the ring (at most $chronicle_seconds s), flags that users need (a minute)" >&2
    chronicle "$raw/bridge-chronicle.json" native/target/release/lodestone-bench "$chronicle_seconds" "$raw/bridge-flags.json"
    echo "-- $kills producers killed" >&2
    # Harm is a result here as any other.
    killed "$raw/bridge-kills.json" "$kills" --release ||
        echo 'bridge: a killed producer did harm, or the test failed (target/logs/killed.log); measured on' >&2
    claims bridge
}

# bridge_rings FIGURE…: one more run of these rows.
bridge_rings() {
    local number=1
    rust_benchmarks
    java_benchmarks
    while [ -e "$raw/bridge-rings-$number.json" ]; do
        number=$((number + 1))
    done
    rings "$raw/bridge-rings-$number.json" native/target/release/lodestone-bench "$ring_seconds" "$@"
    claims bridge
}

# The programs as the tests have built them: with a choice of packages cargo would choose other features of the libraries under
# them, and compile those again.
debug_programs() {
    ci/step.sh debug-programs 'building the Rust programs, debug profile' \
        ci/with-tools.sh cargo build --manifest-path native/Cargo.toml --locked --workspace --bins --examples
}

bridge_quick() {
    local folder=target/bench-quick
    # A few seconds on a machine of its own: how long what hangs is waited for on one that is busy.
    local quick_limit_s=600
    debug_programs
    compgen -G 'benchmarks/target/lib/aeron-driver-*.jar' >/dev/null || java_benchmarks
    mkdir -p "$folder"
    rings "$folder/bridge-rings.json" native/target/debug/lodestone-bench "$quick_limit_s" --quick
    mkdir -p target/logs
    killed "$folder/bridge-kills.json" 20 ||
        fail 'a killed producer did harm, or the test failed' 'What to do: see the counts above and target/logs/killed.log.'
    # What JMH measures is not tried here.
    python3 benchmarks/claims.py --check bridge 'ci/bench.sh bridge-quick' "$raw"/bridge-slots-*.json \
        "$raw"/bridge-exact.json "$folder"/bridge-{rings,kills}.json >"$folder/claims-bridge.txt"
}

kills() {
    [ -s target/slow/kills.json ] || fail 'no kills were counted' 'What to do: ci/slow.sh faults attach, which takes an hour.'
    cp target/slow/kills.json "$raw/kills-1.json"
    printf '\nclaims of group kills\n'
    python3 benchmarks/claims.py kills 'ci/slow.sh faults attach' "$raw"/kills-*.json
}

core() {
    rust_benchmarks
    rm -f "$raw"/core-*.json
    echo '-- bump pages, channel' >&2
    native/target/release/lodestone-bench core >"$raw/core-1.json"
    claims core
}

graph() {
    local python=()
    rust_benchmarks
    java_benchmarks
    # Without a package index there is no networkit; the results say so.
    python=("$(ci/python-env.sh benchmarks/requirements.txt python-peers)") || python=()
    rm -f "$raw"/graph-*.json
    echo '-- graphs of 47 million edges, rollback, paced moves (about ten minutes)' >&2
    python3 benchmarks/graph.py native/target/release/lodestone-bench "$raw" "${python[@]}"
    claims graph
}

graph_quick() {
    local folder=target/bench-quick
    debug_programs
    [ -d benchmarks/target/lib ] || java_benchmarks
    rm -rf "$folder"
    mkdir -p "$folder"
    python3 benchmarks/graph.py --quick native/target/debug/lodestone-bench "$folder"
    python3 benchmarks/claims.py --check graph 'ci/bench.sh graph-quick' "$folder"/graph-*.json >"$folder/claims.txt"
}

# quic_programs CARGO_OPTION…: the load generator, the hostile client; the servers of the peers, where they can be built.
quic_programs() {
    ci/step.sh quic-hostile 'building the hostile client' ci/with-tools.sh \
        cargo build --manifest-path native/Cargo.toml --locked -p lodestone-client --bin lodestone-load --example hostile "$@"
    ci/step.sh quic-load 'building the load generator' ci/with-tools.sh \
        cargo build --manifest-path native/Cargo.toml --locked -p lodestone-quic-load "$@"
    benchmarks/peers/build.sh
}

quic() {
    ci/build.sh native
    quic_programs --release
    [ -n "${RESUME:-}" ] || rm -f "$raw"/quic-*.json
    echo '-- Lodestone and its peers over the network (about twenty minutes)' >&2
    python3 benchmarks/quic.py "$raw" native/target/release --resume ${ROUNDS:+--rounds "$ROUNDS"}
    echo '-- sessions beside hostile clients (three minutes)' >&2
    python3 benchmarks/fairness.py "$raw" native/target/release --resume
    quic_results
    fanout
}

fanout() {
    ci/build.sh native
    echo '-- Fan-out to up to 10,000 subscribers (about two minutes)' >&2
    python3 benchmarks/fanout.py "$raw/fanout.json"
    python3 benchmarks/claims.py fanout 'ci/bench.sh fanout' "$raw/fanout.json"
}

# What is computed and drawn from the raw results.
quic_results() {
    python3 benchmarks/knee.py "$raw/quic-knee.json" benchmarks/results/quic-knee.svg
    # What `make slow` left in target/soak, once somebody keeps it here.
    local soak=("$raw"/soak-quic.json)
    [ -e "${soak[0]}" ] || soak=()
    claims quic "${soak[@]}"
}

quic_quick() {
    local folder=target/bench-quick
    debug_programs
    benchmarks/peers/build.sh
    mkdir -p "$folder"
    python3 benchmarks/quic.py "$folder" native/target/debug --quick
    python3 benchmarks/fairness.py "$folder" native/target/debug --quick
    python3 benchmarks/knee.py "$folder/quic-all.json" "$folder/quic-knee.svg"
    python3 benchmarks/claims.py --check quic 'ci/bench.sh quic-quick' "$folder"/quic-{all,fairness}.json >"$folder/claims-quic.txt"
}

case "$wanted" in
all)
    core
    graph
    quic
    bridge
    ;;
bridge | core | graph | kills | quic | fanout) "$wanted" ;;
bridge-rings) bridge_rings "${@:2}" ;;
bridge-results) claims bridge ;;
bridge-quick)
    bridge_quick
    passed "the bridge benchmark works, $((SECONDS - began)) s; its figures mean nothing"
    exit 0
    ;;
graph-quick)
    graph_quick
    passed "the graph benchmark works, $((SECONDS - began)) s; its figures mean nothing"
    exit 0
    ;;
quic-quick)
    quic_quick
    passed "the QUIC benchmark works, $((SECONDS - began)) s; its figures mean nothing"
    exit 0
    ;;
quic-results)
    quic_results
    ;;
*) fail "there is no group $wanted" 'What to do: make bench, or make bench-bridge, bench-core, bench-graph, bench-quic.' ;;
esac
passed "$wanted, $((SECONDS - began)) s; results in benchmarks/results"
