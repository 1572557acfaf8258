#!/usr/bin/env bash
# Lints: clippy on every target, javac -Xlint -Werror and Checkstyle (both bound in the Maven build), shellcheck.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"

cargo clippy --manifest-path native/Cargo.toml --workspace --all-targets --locked -- -D warnings ||
    fail 'clippy has something to say' 'What to do: mend what is shown above; an #[allow] needs a reason beside it.'

ci/with-tools.sh mvn -B -ntp -q test-compile checkstyle:check -Dlodestone.cargo.tests.skip=true -Dlodestone.cargo.skip=true ||
    fail 'the Java sources do not pass javac -Xlint -Werror or Checkstyle' \
        'What to do: mend what is shown above; the rules are in pom.xml and ci/checkstyle.xml.'

if command -v shellcheck >/dev/null 2>&1; then
    tracked '*.sh' .ci/run | xargs shellcheck -x ||
        fail 'shellcheck has something to say' 'What to do: mend what is shown above.'
else
    tracked '*.sh' .ci/run | xargs -n 1 bash -n || fail 'a shell script does not parse' 'What to do: see above.'
    echo 'lint.sh: shellcheck is not installed: the scripts were only parsed'
fi
passed 'clippy, javac, Checkstyle and the shell scripts'
