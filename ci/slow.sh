#!/usr/bin/env bash
# What takes too long for every day: models of the lock-free parts, thousands of killed producers of commands, valgrind over a Rust
# driver of core and memory (memcheck: no bad access, no leak; massif: the heap stays flat through millions of moves, routes and
# rollbacks), many seeds of lossy networks, a stand-alone engine killed a thousand times under its readers and under those who send it
# commands, JVMs that do so killed a thousand times, 200,000 files of arbitrary bytes attached to and written to, minutes of the
# hunt for a torn read, 100 million moves and a heap that is as before, a hostile process at a running engine, fuzz targets,
# sanitizers, jcstress, 50,000 connections with churn for ten minutes (SOAK_CONNECTIONS, SOAK_SECONDS). usage: ci/slow.sh [STEP…]: all steps, or those named.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
steps=(models faults lossy valgrind hostile sanitize fuzz jcstress jazzer attach torn heap soak)
driver=core_driver
memcheck_moves=1000000
massif_moves=10000000
fault_rounds=9000
hostile_writes=5000000
kill_rounds=1000
region_files=200000
relay_rounds=30
torn_seconds=180
heap_moves=100000000
soak_connections=${SOAK_CONNECTIONS:-50000}
soak_seconds=${SOAK_SECONDS:-600}

# java_tests NAME WHAT TESTS PROPERTY…: JUnit tests of both languages, with the properties that make them long.
java_tests() {
    local name=$1 what=$2 tests=$3
    shift 3
    ci/build.sh native || fail 'the library does not build'
    ci/step.sh "$name" "$what" ci/with-tools.sh mvn -B -ntp test -pl native,jextract,java-api,bridge-tests \
        -Dlodestone.cargo.tests.skip=true -Dlodestone.cargo.skip=true -Dsurefire.failIfNoSpecifiedTests=false -Dtest="$tests" "$@" ||
        fail "$what: failed" 'What to do: see above; where chance has a part the message names the seed.'
}

# counts STEP: where the tests of a step are to tell what kills did; what an earlier run told there is gone.
counts() {
    local told
    told=target/slow/kills/$1-$(git rev-parse HEAD).jsonl
    mkdir -p target/slow/kills
    rm -f "$told"
    printf '%s\n' "$PWD/$told"
}

# tell_kills COUNTS: what the kills of one step did, a line a kind; fails where there was harm. The sum over all steps that this very
# commit ran goes into target/slow/kills.json: what another step did is judged there.
tell_kills() {
    local failed=0
    rm -f target/slow/kills.json
    python3 ci/kills.py "${1%.jsonl}.json" "$1" || failed=1
    python3 ci/kills.py target/slow/kills.json target/slow/kills/*-"$(git rev-parse HEAD)".jsonl >/dev/null || true
    return "$failed"
}

run_models() {
    ci/models.sh
}

run_faults() {
    local told failed=''
    told=$(counts faults)
    ci/step.sh faults "killing $fault_rounds producers" env LODESTONE_FAULT_ROUNDS="$fault_rounds" LODESTONE_KILLS="$told" \
        cargo test --manifest-path native/Cargo.toml --release --locked -p lodestone-memory --lib rings::faults -- --nocapture || failed=yes
    { tell_kills "$told" && [ -z "$failed" ]; } ||
        fail 'a killed producer lost, tore or stopped something' 'What to do: see above; LODESTONE_SEED repeats the moments.'
}

run_lossy() {
    ci/step.sh lossy "sessions over a relay that loses, doubles, reorders and delays, $relay_rounds seeds" \
        env LODESTONE_RELAY_ROUNDS="$relay_rounds" \
        cargo test --manifest-path native/Cargo.toml --release --locked -p lodestone-client --test lossy -- --nocapture ||
        fail 'a lossy network changed what was applied' 'What to do: see above; LODESTONE_SEED repeats the faults.'
}

# Release code with line tables.
run_valgrind() {
    need valgrind
    cargo build --manifest-path native/Cargo.toml --profile traceable --locked -p lodestone-core --example "$driver" ||
        fail "the driver $driver does not build"
    local program=native/target/traceable/examples/$driver
    mkdir -p target/slow
    ci/step.sh memcheck "memcheck, $memcheck_moves moves" \
        valgrind --tool=memcheck --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite,indirect \
        "$program" --moves "$memcheck_moves" ||
        fail 'memcheck found an error or a leak' 'What to do: see above.'
    ci/step.sh massif "massif, $massif_moves moves" \
        valgrind --tool=massif --massif-out-file=target/slow/massif.out "$program" --moves "$massif_moves" ||
        fail 'the driver failed under massif'
    python3 ci/check-massif.py target/slow/massif.out || fail 'the heap is not flat' 'What to do: ms_print target/slow/massif.out'
}

run_hostile() {
    ci/step.sh hostile "$hostile_writes words written into running engines" env LODESTONE_HOSTILE_WRITES="$hostile_writes" RUST_BACKTRACE=0 \
        cargo test --manifest-path native/Cargo.toml --release --locked -p lodestone-runtime --test hostile -- --nocapture ||
        fail 'bytes of another process stopped an engine' 'What to do: see above; LODESTONE_SEED repeats them.'
}

run_sanitize() {
    ci/sanitize.sh
}

run_fuzz() {
    ci/fuzz.sh
}

run_jcstress() {
    ci/jcstress.sh
}

run_jazzer() {
    ci/jazzer.sh
}

run_attach() {
    local told failed=''
    told=$(counts attach)
    # In a subshell: what was counted is told also where the tests failed.
    (java_tests attach "$kill_rounds kills each of engines and of JVMs attached to them, $region_files files of arbitrary bytes" \
        AttachProcessTest,AttachKillTest,RegionBytesTest -Dlodestone.kill.rounds="$kill_rounds" \
        -Dlodestone.region.files="$region_files" -Dlodestone.kills.file="$told") || failed=yes
    { tell_kills "$told" && [ -z "$failed" ]; } || fail 'a kill lost, tore or stopped something, or a test failed' 'What to do: see above.'
}

run_torn() {
    java_tests torn "the hunt for a torn read, $torn_seconds s" TornReadsTest -Dlodestone.torn.seconds="$torn_seconds"
}

run_heap() {
    java_tests heap "the heap after $heap_moves moves" HeapTest -Dlodestone.heap.moves="$heap_moves"
}

run_soak() {
    ci/build.sh native || fail 'the library does not build'
    mkdir -p target/soak
    python3 ci/soak-quic.py "$soak_connections" "$soak_seconds" target/soak/soak-quic.json ||
        fail 'the soak failed' 'What to do: see its summary: memory within 1 %, file descriptors the same, every move answered.'
}

if [ $# -gt 0 ]; then
    steps=("$@")
fi
for step in "${steps[@]}"; do
    declare -F "run_$step" >/dev/null || fail "there is no step $step" "What to do: $0 alone runs all of them."
    echo "== $step"
    began=$SECONDS
    "run_$step"
    printf '== %s: %d s\n' "$step" $((SECONDS - began))
done
passed "${steps[*]}"
