#!/usr/bin/env bash
# The command line tool, as `make cli ARGS='stat --once'`. The shell becomes the JVM: signals reach it, and the exit code is its own.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
ci/build.sh cli
# Unquoted on purpose: words of ARGS are arguments.
# shellcheck disable=SC2086
exec ci/with-tools.sh java -jar cli/target/lodestone-cli-[0-9]*[0-9].jar ${ARGS:---help}
