#!/bin/sh
# Runs a command with JAVA_HOME set to a good JDK, after checking that cargo and mvn are there and new enough.
# usage: ci/with-tools.sh COMMAND ARGUMENT…      (exec: signals reach the command itself)
set -u
here=$(cd "$(dirname "$0")" && pwd)
rust_minor_min=95

stop() {
    printf 'lodestone: %s\n' "$@" >&2
    exit 1
}

command -v cargo >/dev/null 2>&1 || stop 'cargo (Rust) is needed and is not on PATH.' \
    "What to do: install Rust 1.$rust_minor_min or newer with rustup and open a new shell."
command -v mvn >/dev/null 2>&1 || stop 'mvn (Apache Maven) is needed and is not on PATH.' \
    'What to do: install Maven 3.8 or newer (on Debian: apt-get install maven).'
command -v cc >/dev/null 2>&1 || stop 'a C compiler and linker (cc) is needed and is not on PATH.' \
    'What to do: install gcc or clang (on Debian: apt-get install gcc).'

version=$(cargo --version | sed 's/^cargo \([0-9.]*\).*/\1/')
major=${version%%.*}
rest=${version#*.}
if [ "$major" -lt 2 ] && [ "${rest%%.*}" -lt "$rust_minor_min" ]; then
    stop "cargo $version is too old: 1.$rust_minor_min or newer is needed." 'What to do: rustup update stable'
fi

JAVA_HOME=$("$here/find-jdk.sh") || exit 1
PATH=$JAVA_HOME/bin:$PATH
# Maven's own libraries use calls that a JDK of today warns about on every start; that is not the user's concern.
MAVEN_OPTS="--sun-misc-unsafe-memory-access=allow --enable-native-access=ALL-UNNAMED ${MAVEN_OPTS:-}"
export JAVA_HOME PATH MAVEN_OPTS
exec "$@"
