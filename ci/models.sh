#!/usr/bin/env bash
# The orderings of the shared region's lock-free parts, tried in every order that the memory model allows, with loom.
# A build of its own: the flag changes every crate that knows it.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
RUSTFLAGS='--cfg loom' CARGO_TARGET_DIR=native/target/loom \
    cargo test --manifest-path native/Cargo.toml --release --locked -p lodestone-memory --lib models ||
    fail 'a model found an order of steps that breaks a promise' 'What to do: see the assertion above; LOOM_LOG=trace shows the steps.'
passed 'the models of rings, doorbell, answers, slots and outboxes'
