#!/usr/bin/env bash
# Every test, as `make test`: Rust, then Java with the real library, then foreign QUIC clients against a served engine.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"

if ! [ -d native/target/debug ] || ! [ -e native/target/release/lodestone-load ]; then
    echo '== Not all is built yet. A first build compiles the Rust sources twice (debug for their tests, release for Java) and'
    echo '   fetches crates and Maven plugins: with the tests about ten minutes on two idle cores, twenty when they are shared.'
fi
echo '== Rust tests'
cargo test --manifest-path native/Cargo.toml --workspace --locked ||
    fail 'Rust tests failed' 'What to do: see above; a failing model test prints the seed that repeats it.'

echo '== Java tests (release build of the native library, then JUnit)'
ci/build.sh native
# What is packaged on the way to the tests is what is started below: nothing is packaged twice.
for jars in server cli app; do
    touch "target/stamps/$jars.begun"
done
ci/with-tools.sh mvn -B -ntp verify -Dlodestone.cargo.tests.skip=true -Dlodestone.cargo.skip=true ||
    fail 'Java tests failed' 'What to do: see above; reports are in */target/surefire-reports.'
for jars in server cli app; do
    mv "target/stamps/$jars.begun" "target/stamps/$jars"
done

echo '== The graph benchmark, small'
ci/bench.sh graph-quick

echo '== The bridge benchmark, for a moment'
ci/bench.sh bridge-quick

echo '== The QUIC benchmark and its peers, for a moment'
ci/bench.sh quic-quick

echo '== The examples of README.md and docs/clients.md'
ci/readme.sh

if [ -x bridge-tests/foreign/run.sh ]; then
    echo '== A foreign QUIC client (Python) against a served engine'
    python=$(ci/python-env.sh)
    ci/build.sh server
    PYTHON=$python bridge-tests/foreign/run.sh ||
        fail 'the foreign client found a difference' 'What to do: docs/protocol.md and the server disagree: one of them is wrong.'
fi

echo '== A foreign QUIC client (Go) against a served engine'
bridge-tests/foreign/go/run.sh ||
    fail 'the Go client found a difference' 'What to do: docs/protocol.md and the server disagree: one of them is wrong.'
passed 'all tests'
