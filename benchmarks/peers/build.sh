#!/usr/bin/env bash
# Builds the servers that Lodestone is measured beside, each for itself: what cannot be built here is said and left out.
# usage: benchmarks/peers/build.sh     leaves target/peers/quic-go, and Netty's jars in benchmarks/peers/netty/target
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mkdir -p target/peers

absent() {
    printf 'peers: %s is left out: %s\n' "$1" "$2" >&2
}

# Without Go on PATH, where its own archive puts it.
go=$(command -v go || true)
if [ -z "$go" ] && [ -x /usr/local/go/bin/go ]; then
    go=/usr/local/go/bin/go
fi
rm -f target/peers/quic-go
if [ -z "$go" ]; then
    absent quic-go 'Go is not installed (1.26 or newer is needed)'
elif ! (cd benchmarks/peers/quic-go && "$OLDPWD/ci/step.sh" peer-quic-go 'building the server on quic-go' \
    "$go" build -C "$PWD" -trimpath -o "$OLDPWD/target/peers/quic-go" .); then
    absent quic-go 'it does not build; see above'
fi

netty=benchmarks/peers/netty
jar=$netty/target/lodestone-netty-peer-0.1.0.jar
if ! [ -e "$jar" ] || [ -n "$(find "$netty/src" "$netty/pom.xml" -newer "$jar" -print -quit)" ]; then
    rm -f "$jar"
    ci/step.sh peer-netty 'building the servers on Netty' ci/with-tools.sh mvn -B -ntp -f "$netty/pom.xml" \
        -Dlodestone.root="$PWD" package || absent Netty 'its native files for this platform cannot be had'
fi
