#!/usr/bin/env bash
# Feeds arbitrary bytes to everything that reads a stranger's bytes, guided by coverage (cargo-fuzz, libFuzzer, AddressSanitizer, a nightly
# compiler). usage: ci/fuzz.sh [TARGET…]      LODESTONE_FUZZ_SECONDS: how long each target runs (60)
# The seeds in native/fuzz/corpus are read, never written: what a run finds worth keeping is in target/fuzz/corpus, and goes on there.
# An input that breaks something is left in target/fuzz/found; moved to native/fuzz/found/TARGET it is replayed by `make test`.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
need cargo-fuzz
seconds=${LODESTONE_FUZZ_SECONDS:-60}
input_bytes_max=4096
input_timeout_s=10
memory_max_mib=3072
cargo +nightly --version >/dev/null 2>&1 ||
    fail 'a nightly compiler is needed for fuzzing' 'What to do: rustup toolchain install nightly --profile minimal'
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for file in native/fuzz/fuzz_targets/*.rs; do
        targets+=("$(basename "$file" .rs)")
    done
fi
ci/step.sh fuzz-build 'compiling the fuzz targets (first time: two minutes)' \
    cargo +nightly fuzz build --fuzz-dir native/fuzz || fail 'the fuzz targets do not build'
for target in "${targets[@]}"; do
    corpus=target/fuzz/corpus/$target
    found=target/fuzz/found/$target
    mkdir -p "$corpus" "$found"
    ci/step.sh "fuzz-$target" "$target, $seconds s" cargo +nightly fuzz run --fuzz-dir native/fuzz "$target" \
        "$corpus" "native/fuzz/corpus/$target" -- -max_total_time="$seconds" -max_len="$input_bytes_max" \
        -timeout="$input_timeout_s" -rss_limit_mb="$memory_max_mib" -artifact_prefix="$found/" -print_final_stats=1 ||
        fail "$target broke a promise" "What to do: the input is in $found; replay it with" \
            "cargo +nightly fuzz run --fuzz-dir native/fuzz $target FILE"
    grep -E 'number_of_executed_units|average_exec_per_sec' "target/logs/fuzz-$target.log" || true
done
passed "${#targets[@]} fuzz targets, $seconds s each, found nothing"
