#!/usr/bin/env bash
# What takes too long for every day. Valgrind over a Rust driver of core and memory: memcheck finds no bad access and no leak,
# massif a heap that stays flat through millions of moves, routes and rollbacks. Then a stand-alone engine is killed a thousand
# times under its readers, and 200,000 files of arbitrary bytes are attached to.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
need valgrind
driver=core_driver
memcheck_moves=1000000
massif_moves=10000000
kill_rounds=1000
region_files=200000

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

echo '== Attaching: kills and arbitrary bytes'
ci/build.sh native
ci/step.sh attach "$kill_rounds kills of a stand-alone engine, $region_files files of arbitrary bytes" \
    ci/with-tools.sh mvn -B -ntp test -pl native,jextract,java-api,bridge-tests \
    -Dlodestone.cargo.tests.skip=true -Dlodestone.cargo.skip=true -Dsurefire.failIfNoSpecifiedTests=false \
    -Dtest='AttachProcessTest,RegionBytesTest' -Dlodestone.kill.rounds="$kill_rounds" -Dlodestone.region.files="$region_files" ||
    fail 'attaching failed' 'What to do: see above; the message names the seed.'
passed 'memcheck, massif and attaching'
