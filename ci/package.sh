#!/usr/bin/env bash
# The jars that a user needs, with the native library of this platform as a classifier, in target/package.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
ci/build.sh native
ci/step.sh package 'building the jars' \
    ci/with-tools.sh mvn -B -ntp -DskipTests -Dlodestone.cargo.tests.skip=true -Dlodestone.cargo.skip=true package
rm -rf target/package
mkdir -p target/package
for jar in native/target/maven/*.jar jextract/target/*.jar java-api/target/*.jar; do
    case "$jar" in
    *'*'* | */original-*) ;;
    *) cp "$jar" target/package/ ;;
    esac
done
ls -l target/package
passed 'jars are in target/package'
