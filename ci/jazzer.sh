#!/usr/bin/env bash
# Feeds files of arbitrary bytes to Engine.attach and all readers, guided by the coverage of the product's classes (Jazzer). The JVM
# must not crash, and nothing but an EngineException may come out.      LODESTONE_FUZZ_SECONDS: how long (60)
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
seconds=${LODESTONE_FUZZ_SECONDS:-60}
corpus=$PWD/target/fuzz/corpus/region
found=$PWD/target/fuzz/found/region
ci/build.sh native
ci/step.sh jazzer-build 'building the readers and their fuzz target (first time: Maven fetches Jazzer)' \
    ci/with-tools.sh mvn -B -ntp package -Pstress -pl native,jextract,java-api,bridge-tests,stress-tests -DskipTests \
    -Dlodestone.cargo.tests.skip=true -Dlodestone.cargo.skip=true || fail 'the fuzz target does not build'
mkdir -p "$corpus" "$found"
ci/step.sh jazzer "arbitrary bytes as a region, $seconds s" \
    ci/with-tools.sh java --enable-native-access=ALL-UNNAMED -XX:+EnableDynamicAgentLoading \
    -Dlodestone.library="$PWD/native/target/release/liblodestone.so" -cp 'bridge-tests/target/test-classes:stress-tests/target/lib/*' \
    com.code_intelligence.jazzer.Jazzer --target_class=dev.lodestone.bridge.RegionFuzz '--instrumentation_includes=dev.lodestone.**' \
    --reproducer_path="$found" -max_total_time="$seconds" -max_len=512 -artifact_prefix="$found/" -print_final_stats=1 "$corpus" ||
    fail 'a file of arbitrary bytes broke a reader' "What to do: the input is in $found, the stack in target/logs/jazzer.log."
grep -E 'number_of_executed_units|average_exec_per_sec' target/logs/jazzer.log || true
passed "arbitrary bytes as a region, $seconds s, found nothing"
