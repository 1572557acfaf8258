#!/usr/bin/env bash
# Builds what `make run`, `make serve` and the tests start. usage: ci/build.sh native|server|cli|app
#   native: the library, the stand-alone engine and the load generator, release profile, in cargo's own folder native/target, which Maven uses too
#   server: native, then java-api/target/lodestone-VERSION.jar with what it needs beside it in lib/
#   cli:    cli/target/lodestone-cli-VERSION.jar, the same way
#   app:    server, then the jar of the treasure hunt, the same way
# Nothing is started when no source is newer than the last build, so a server is up in well under three seconds.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
what=${1:?usage: ci/build.sh native|server|cli|app}

# fresh STAMP PRODUCT FOLDER…: true when the product is there and no source under the folders is newer than the stamp.
fresh() {
    local stamp=$1 product=$2
    shift 2
    [ -f "$stamp" ] && [ -e "$product" ] && [ -z "$(find "$@" -name target -prune -o -type f -newer "$stamp" -print -quit)" ]
}
mkdir -p target/stamps
# The stand-alone engine has this file built in.
keys=java-api/src/main/resources/dev/lodestone/arena-runtime-config.yaml

if ! fresh target/stamps/native native/target/release/lodestoned native "$keys"; then
    touch target/stamps/native.begun
    ci/step.sh native 'compiling the Rust data plane, release profile (first time: two to five minutes)' \
        ci/with-tools.sh cargo build --manifest-path native/Cargo.toml --release --locked
    mv target/stamps/native.begun target/stamps/native
fi
# jars STAMP MODULE PRODUCT FOLDER…: packages a Maven module and those it needs, when a source is newer.
jars() {
    local stamp=target/stamps/$1 module=$2 product=$3
    shift 2
    if ! fresh "$stamp" "$@"; then
        touch "$stamp.begun"
        ci/step.sh "$what" 'building the jars (first time: Maven fetches its plugins, one or two minutes)' \
            ci/with-tools.sh mvn -B -ntp -DskipTests -Dlodestone.cargo.tests.skip=true -Dlodestone.cargo.skip=true \
            -pl "$module" -am package
        [ -e "$product" ] || fail "the build of $module left no $product"
        mv "$stamp.begun" "$stamp"
    fi
}
version=$(sed -n 's/^ *<version>\(.*\)<\/version>.*/\1/p' pom.xml | head -n 1)
case "$what" in
native) ;;
server)
    # An app build has packaged these jars too: when it is newer than all of their sources, there is nothing to do.
    server_jar=java-api/target/lodestone-$version.jar
    server_sources=(pom.xml native jextract java-api)
    if ! fresh target/stamps/app "$server_jar" "${server_sources[@]}"; then
        jars server java-api "$server_jar" "${server_sources[@]}"
    fi
    ;;
cli)
    jars cli cli "cli/target/lodestone-cli-$version.jar" pom.xml native jextract java-api cli
    ;;
app)
    jars app examples/treasure-hunt "examples/treasure-hunt/target/treasure-hunt-$version.jar" \
        pom.xml native jextract java-api examples
    ;;
*) fail "there is nothing called $what to build" 'What to do: ci/build.sh native, server, cli or app.' ;;
esac
