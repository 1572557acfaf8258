#!/usr/bin/env bash
# What a user needs, in target/package: the jars, with the native library of this platform as a classifier, and lodestoned;
# in target/package/cli the command line tool.
# Then a program outside the repository opens an engine with nothing but the jars, once from the class path and once from
# the module path.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
package=$PWD/target/package
ci/build.sh native
ci/step.sh package 'building the jars' \
    ci/with-tools.sh mvn -B -ntp -DskipTests -Dlodestone.cargo.tests.skip=true -Dlodestone.cargo.skip=true \
    -pl java-api,cli -am package
rm -rf "$package"
mkdir -p "$package"
version=$(sed -n 's/^ *<version>\(.*\)<\/version>.*/\1/p' pom.xml | head -n 1)
# lib/ holds what java-api needs at run time: the bindings, the library of this platform, the YAML parser.
cp "java-api/target/lodestone-$version.jar" java-api/target/lib/*.jar "$package"
# The stand-alone engine needs nothing beside it but the C library of the system.
cp native/target/release/lodestoned "$package"
# Apart from the jars above, which are a class path as a whole.
mkdir "$package/cli"
cp -r "cli/target/lodestone-cli-$version.jar" cli/target/lib "$package/cli"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/source/trial" "$folder/classes"
cat >"$folder/source/trial/Trial.java" <<'JAVA'
package trial;

import dev.lodestone.Engine;
import dev.lodestone.EngineConfig;

public class Trial {
    public static void main(String[] arguments) {
        // A long garbage collection on a busy machine would be told, and be one line too many.
        EngineConfig config = EngineConfig.builder().set("transport.listen", "127.0.0.1:0")
                .set("monitoring.gc_pause_alert_ms", 60_000).build();
        try (Engine engine = Engine.open(config)) {
            var batch = engine.moveBatch(1);
            batch.add(1, 2, 0x1_0007, 0);
            batch.submit();
            // The same bytes once more, as another process would see them.
            var reader = Engine.attach(engine.regionPath().orElseThrow()).slotReader();
            reader.read(1);
            System.out.println("node 1 went to " + reader.target());
        }
    }
}
JAVA
echo 'module trial { requires dev.lodestone; }' >"$folder/source/module-info.java"

# trial WHAT JAVA_OPTION…: the program prints exactly what it should, without a warning of the JVM.
trial() {
    local what=$1
    shift
    (cd "$folder" && "$OLDPWD/ci/with-tools.sh" java --illegal-native-access=deny "$@") >"$folder/printed" 2>&1 || true
    [ "$(cat "$folder/printed")" = 'node 1 went to 2' ] ||
        fail "the packaged jars do not work on the $what" "$(head -n 20 "$folder/printed")"
    echo "package.sh: a program with these jars on the $what opens an engine"
}
ci/with-tools.sh javac -d "$folder/classes" -p "$package" \
    "$folder/source/module-info.java" "$folder/source/trial/Trial.java" || fail 'the trial program does not compile'
trial 'class path' --enable-native-access=ALL-UNNAMED -cp "classes:$package/*" trial.Trial
trial 'module path' --enable-native-access=dev.lodestone.bindings -p "classes:$package" -m trial/trial.Trial

# The tool, from elsewhere and without a flag, checks a configuration that it has printed itself.
(cd "$folder" && tool=("$OLDPWD/ci/with-tools.sh" java --illegal-native-access=deny -jar "$package/cli/lodestone-cli-$version.jar") &&
    "${tool[@]}" config >printed.yaml && "${tool[@]}" config printed.yaml | cmp - printed.yaml &&
    { "${tool[@]}" doctor || true; } | grep -q '^OK *native library ') || fail 'the packaged command line tool does not work'
echo 'package.sh: the command line tool works'

ls -l "$package"
passed 'jars are in target/package, tried from outside'
