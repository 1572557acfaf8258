#!/usr/bin/env bash
# What takes too long for every day: models of the lock-free parts, a thousand killed producers of commands, valgrind over a Rust
# driver of core and memory (memcheck: no bad access, no leak; massif: the heap stays flat through millions of moves, routes and
# rollbacks), many seeds of lossy networks, a stand-alone engine killed a thousand times under its readers and under those who
# send it commands, JVMs that do so killed a thousand times, 200,000 files of arbitrary bytes attached to and written to.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
need valgrind
driver=core_driver
memcheck_moves=1000000
massif_moves=10000000
kill_rounds=1000
region_files=200000
relay_rounds=30

fault_rounds=1000

echo '== models of the lock-free parts (loom)'
ci/models.sh
echo "== $fault_rounds producers killed in the middle of their work"
ci/step.sh faults "killing $fault_rounds producers" env LODESTONE_FAULT_ROUNDS="$fault_rounds" \
    cargo test --manifest-path native/Cargo.toml --release --locked -p lodestone-memory --lib rings::faults -- --nocapture ||
    fail 'a killed producer lost, tore or stopped something' 'What to do: see above; LODESTONE_SEED repeats the moments.'

echo "== valgrind over the example $driver of lodestone-core, release code with line tables"
cargo build --manifest-path native/Cargo.toml --profile traceable --locked -p lodestone-core --example "$driver" ||
    fail "the driver $driver does not build"
driver=native/target/traceable/examples/$driver
mkdir -p target/slow
ci/step.sh memcheck "memcheck, $memcheck_moves moves" \
    valgrind --tool=memcheck --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite,indirect \
    "$driver" --moves "$memcheck_moves" ||
    fail 'memcheck found an error or a leak' 'What to do: see above.'
ci/step.sh massif "massif, $massif_moves moves" \
    valgrind --tool=massif --massif-out-file=target/slow/massif.out "$driver" --moves "$massif_moves" ||
    fail 'the driver failed under massif'
python3 ci/check-massif.py target/slow/massif.out || fail 'the heap is not flat' 'What to do: ms_print target/slow/massif.out'

echo "== $relay_rounds seeds of each kind of lossy network"
ci/step.sh lossy "sessions over a relay that loses, doubles, reorders and delays" env LODESTONE_RELAY_ROUNDS="$relay_rounds" \
    cargo test --manifest-path native/Cargo.toml --release --locked -p lodestone-client --test lossy -- --nocapture ||
    fail 'a lossy network changed what was applied' 'What to do: see above; LODESTONE_SEED repeats the faults.'

echo '== Attaching: kills and arbitrary bytes'
ci/build.sh native
ci/step.sh attach "$kill_rounds kills each of engines and of JVMs attached to them, $region_files files of arbitrary bytes" \
    ci/with-tools.sh mvn -B -ntp test -pl native,jextract,java-api,bridge-tests \
    -Dlodestone.cargo.tests.skip=true -Dlodestone.cargo.skip=true -Dsurefire.failIfNoSpecifiedTests=false \
    -Dtest='AttachProcessTest,AttachKillTest,RegionBytesTest' -Dlodestone.kill.rounds="$kill_rounds" -Dlodestone.region.files="$region_files" ||
    fail 'attaching failed' 'What to do: see above; the message names the seed.'
passed 'models, killed producers, memcheck, massif, lossy networks and attaching'
