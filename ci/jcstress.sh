#!/usr/bin/env bash
# The Java side of the shared region under jcstress: each test is tried in every mix of compilers, and an outcome that it does not
# list fails. usage: ci/jcstress.sh [REGEX]      LODESTONE_JCSTRESS_MODE: sanity, quick (unless set), default, tough
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
mode=${LODESTONE_JCSTRESS_MODE:-quick}
tests=${1:-dev.lodestone.stress}
# Stride size times count is how many states of a test are alive at once; Stage.STAGES is twice that.
stride_size=8
stride_count=32
ci/build.sh native
ci/step.sh jcstress-build 'building the stress tests (first time: Maven fetches jcstress)' \
    ci/with-tools.sh mvn -B -ntp verify -Pstress -pl native,jextract,java-api,stress-tests -DskipTests \
    -Dlodestone.cargo.tests.skip=true -Dlodestone.cargo.skip=true || fail 'the stress tests do not build'
rm -rf target/jcstress
mkdir -p target/jcstress
jar=$(find stress-tests/target -maxdepth 1 -name 'lodestone-stress-tests-*.jar' | head -n 1)
# jcstress leaves its raw results in the folder that it is started in.
(
    cd target/jcstress
    exec ../../ci/with-tools.sh java -cp "../../$jar:../../stress-tests/target/lib/*" org.openjdk.jcstress.Main -m "$mode" -t "$tests" \
        -strideSize "$stride_size" -strideCount "$stride_count" -r report -v \
        -jvmArgsPrepend --enable-native-access=ALL-UNNAMED
) >target/logs/jcstress.log 2>&1 </dev/null ||
    {
        grep -B 2 -A 30 -E 'FORBIDDEN|FAILED|ERROR' target/logs/jcstress.log | head -n 120 >&2
        fail 'an outcome that the shared memory rules out was seen' 'What to do: target/logs/jcstress.log has it, target/jcstress/report too.'
    }
python3 ci/check-jcstress.py target/logs/jcstress.log stress-tests/src/main/java/dev/lodestone/stress "$tests" ||
    fail 'jcstress did not run as it should' 'What to do: see target/logs/jcstress.log.'
passed "jcstress, mode $mode"
