#!/usr/bin/env bash
# What takes too long for every day: the tests marked slow, and valgrind over a Rust driver of the core.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
need valgrind
driver=core_driver

echo '== tests marked slow (ignored in make test), release profile'
cargo test --manifest-path native/Cargo.toml --workspace --release --locked -- --ignored ||
    fail 'a slow test failed' 'What to do: see above; a failing model test prints the seed that repeats it.'

echo "== valgrind over the example $driver of lodestone-core"
cargo build --manifest-path native/Cargo.toml --release --locked -p lodestone-core --example "$driver" ||
    fail "the driver $driver does not build"
mkdir -p target/slow
valgrind --tool=memcheck --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite,indirect \
    "native/target/release/examples/$driver" --moves 200000 ||
    fail 'memcheck found an error or a leak' 'What to do: see above.'
valgrind --tool=massif --massif-out-file=target/slow/massif.out "native/target/release/examples/$driver" --moves 2000000 ||
    fail 'the driver failed under massif'
python3 ci/check-massif.py target/slow/massif.out || fail 'the heap is not flat' 'What to do: ms_print target/slow/massif.out'
passed 'slow tests, memcheck and massif'
