#!/usr/bin/env bash
# The Java examples of README.md and docs/clients.md compile, run, and print what the pages say they print.
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
# What make run printed stands there, in a fenced block of its own, and no placeholder for it.
# shellcheck disable=SC2016  # the backquotes belong to the page
heading='## What `make run` printed here'
if grep -qF '<!-- the output of make run -->' README.md; then
    fail 'README.md has a placeholder where the output of make run belongs' 'What to do: make run, and paste what it prints.'
fi
printed=$(awk -v heading="$heading" '
    $0 == heading {here = 1; next}
    here && !fence && /^## / {exit}
    here && /^```/ {if (fence) exit; fence = 1; next}
    here && fence' README.md)
[[ $printed == *[![:space:]]* ]] ||
    fail "README.md has no fenced block with text under '$heading'" 'What to do: make run, and paste what it prints.'

ci/build.sh server
jars=(java-api/target/lodestone-[0-9]*[0-9].jar)
# block LANGUAGE PAGE: the first fenced block of that language in the page, from the first java block on.
block() {
    awk -v fence="\`\`\`$1" '/^```java$/ {begun = 1} begun && $0 == fence && !done {on = 1; next}
        /^```$/ && on {on = 0; done = 1} on' "$2"
}
# example PAGE: its Java example compiles, runs, and prints the text block behind it.
example() {
    local page=$1 folder
    folder=target/readme/$(basename "$page" .md)
    rm -rf "$folder"
    mkdir -p "$folder"
    block java "$page" >"$folder/Example.java"
    block text "$page" >"$folder/expected.txt"
    if [ ! -s "$folder/Example.java" ] || [ ! -s "$folder/expected.txt" ]; then
        fail "$page has no java block followed by a text block with its output"
    fi
    ci/with-tools.sh javac -Xlint:all -Werror -cp "${jars[0]}:java-api/target/lib/*" -d "$folder" "$folder/Example.java" ||
        fail "the example in $page does not compile" 'What to do: bring page and API together.'
    ci/with-tools.sh java --enable-native-access=ALL-UNNAMED -cp "$folder:${jars[0]}:java-api/target/lib/*" Example \
        >"$folder/printed.txt" || fail "the example in $page does not run"
    diff "$folder/expected.txt" "$folder/printed.txt" ||
        fail "the example prints something else than $page says" 'What to do: < is the page, > is what was printed.'
}
example README.md
example docs/clients.md
passed 'the examples in README.md and docs/clients.md compile, run and print what the pages say'
