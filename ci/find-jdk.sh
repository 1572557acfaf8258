#!/bin/sh
# Prints the home folder of a JDK that can build and run Lodestone, or says where it looked and what to install.
# No JVM is started: the version is read from the `release` file which every JDK carries.
# First match wins: LODESTONE_JAVA_HOME, JAVA_HOME, macOS java_home, the javac on PATH, the usual folders.
set -u
needed=${LODESTONE_JDK_MIN:-25}
looked_at=''

# Feature version of the JDK in folder $1, or nothing when there is no usable JDK (a JRE has no javac).
jdk_version() {
    [ -x "$1/bin/javac" ] && [ -r "$1/release" ] || return 0
    sed -n 's/^JAVA_VERSION="\([0-9][0-9]*\).*/\1/p' "$1/release" | head -n 1
}

# Prints folder $1 and ends the script when its JDK is new enough; otherwise remembers it for the message.
try() {
    [ -n "$1" ] || return 0
    version=$(jdk_version "$1")
    if [ -n "$version" ] && [ "$version" -ge "$needed" ]; then
        if [ -n "${JAVA_HOME:-}" ] && [ "$JAVA_HOME" != "$1" ]; then
            echo "lodestone: JAVA_HOME is $JAVA_HOME (JDK $(found_as "$JAVA_HOME")); using $1 (JDK $version)" >&2
        fi
        printf '%s\n' "$1"
        exit 0
    fi
    looked_at="$looked_at
    $1 ($2): JDK $(found_as "$1")"
}

found_as() {
    as=$(jdk_version "$1")
    printf '%s' "${as:-not there}"
}

# The JDK that owns the javac on PATH; links are followed, because PATH usually holds one.
jdk_on_path() {
    javac=$(command -v javac) || return 0
    real=$(readlink -f "$javac" 2>/dev/null) || real=$javac
    dirname "$(dirname "$real")"
}

try "${LODESTONE_JAVA_HOME:-}" LODESTONE_JAVA_HOME
try "${JAVA_HOME:-}" JAVA_HOME
if [ -x /usr/libexec/java_home ]; then
    try "$(/usr/libexec/java_home -v "$needed+" 2>/dev/null)" java_home
fi
try "$(jdk_on_path)" PATH
for folder in /usr/lib/jvm/* /usr/java/* /opt/* /opt/java/* /Library/Java/JavaVirtualMachines/*/Contents/Home \
    /opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home \
    "${HOME:-/}"/.sdkman/candidates/java/* "${HOME:-/}"/.jdks/* "${HOME:-/}"/.asdf/installs/java/* \
    "${HOME:-/}"/.local/share/mise/installs/java/*; do
    if [ -d "$folder/bin" ]; then
        try "$folder" 'usual place'
    fi
done

cat >&2 <<MESSAGE
lodestone: JDK $needed or newer is needed and was not found. Looked at:${looked_at:-
    nothing: no JDK in the environment, on PATH or in the usual folders}
What to do: install a JDK $needed (Temurin, Corretto, Zulu, Oracle or your distribution's openjdk-$needed-jdk),
    then set JAVA_HOME or LODESTONE_JAVA_HOME to its folder (the one that holds bin/javac) and try again.
MESSAGE
exit 1
