# The front door. Plain `make` prints the commands; the work is done by the scripts in ci/, each of which also runs alone.
# A JDK of 25 or newer is found by ci/find-jdk.sh, and only by commands that need one.
.DEFAULT_GOAL := help
.PHONY: help run test serve daemon load cli check bench bench-bridge bench-core bench-graph bench-quic header bindings package slow clean
MAKEFLAGS += --no-print-directory

help: ## print these commands
	@echo 'Lodestone: a state engine for Java that the garbage collector cannot see.'
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

run: ## the main job: a treasure hunt in Delaware over QUIC (CONNECTIONS=1000 RATE=20000 SECONDS=15)
	@CONNECTIONS='$(CONNECTIONS)' RATE='$(RATE)' RUN_SECONDS='$(SECONDS)' ci/run.sh

test: ## every test: Rust, Java with the real library, foreign QUIC clients
	@ci/test.sh

serve: ## the engine as a foreground server until Ctrl-C (CONFIG=file PORT=4433)
	@CONFIG='$(CONFIG)' PORT='$(PORT)' exec ci/serve.sh

daemon: ## the engine alone, a process without a JVM, until Ctrl-C (CONFIG=file PORT=4433)
	@CONFIG='$(CONFIG)' PORT='$(PORT)' exec ci/daemon.sh

load: ## load on a server of your own, moving its nodes (TARGET=host:port CERTIFICATE=file; make load ARGS=--help)
	@TARGET='$(TARGET)' CERTIFICATE='$(CERTIFICATE)' FINGERPRINT='$(FINGERPRINT)' TOKEN='$(TOKEN)' NODES='$(NODES)' \
		CONNECTIONS='$(CONNECTIONS)' RATE='$(RATE)' RUN_SECONDS='$(SECONDS)' HISTOGRAM='$(HISTOGRAM)' ARGS='$(ARGS)' \
		exec ci/load.sh

cli: ## the command line tool, built and run (ARGS='stat --once')
	@ARGS='$(ARGS)' exec ci/cli.sh

check: ## all that CI checks: format, style, boundaries, supply chain, lint, tests, a short run
	@ci/all.sh

bench: ## every benchmark, then the table of claims (raw results in benchmarks/results)
	@ci/bench.sh all

bench-bridge: ## only the bridge between Java and Rust
	@ci/bench.sh bridge

bench-core: ## only bump pages and channel, the Rust parts before the engine
	@ci/bench.sh core

bench-graph: ## only the graph at 47 million edges, rollback and paced moves, beside peers
	@ci/bench.sh graph

bench-quic: ## only whole moves over QUIC and handshakes, beside quic-go and Netty
	@ci/bench.sh quic

header: ## make the C header again from the Rust sources (needs cbindgen)
	@ci/header.sh

bindings: ## make the Java bindings again from the header (needs jextract: JEXTRACT=path)
	@JEXTRACT='$(JEXTRACT)' jextract/generate.sh

package: ## jars with the native library of this platform, in target/package
	@ci/package.sh

slow: ## what takes an hour: fuzzing, sanitizers, jcstress, valgrind, kills by the thousand, torn reads, the heap
	@ci/slow.sh

clean: ## remove everything that was built
	@rm -rf target native/target jextract/target java-api/target cli/target bridge-tests/target benchmarks/target examples/target examples/*/target
