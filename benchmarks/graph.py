#!/usr/bin/env python3
"""The graph at full size: runs the Rust program part by part, and the peers in other languages in turns with it.

usage: graph.py [--quick] PROGRAM RAW_FOLDER [PYTHON]       (from the top folder)

PROGRAM is lodestone-bench. PYTHON is an interpreter that has networkit; without one, networkit is left out. Each part
leaves RAW_FOLDER/graph-PART.json. When the program says `TURN name round`, it waits: every peer of that name measures one
round then, in a process of its own that waited until now. Peers are started, loaded and warmed up while the program waits
for the first time, and ended when a turn comes that they have no part in, so that memory is held by few at a time.
"""
import json
import pathlib
import subprocess
import sys

PARTS = ("uniform", "rmat", "tiled", "rollback", "paced")
JAVA = ["ci/with-tools.sh", "java"]
# Flags of each JVM. fastutil and JGraphT get what suits them best: a heap taken and touched at the start, large pages, the
# collector without barriers for single stores. The JDK's map stands for a service as it is: G1, the default, and room.
JVM_FLAGS = {
    "fastutil": ["-Xms2g", "-Xmx2g", "-XX:+AlwaysPreTouch", "-XX:+UseParallelGC", "-XX:+UseTransparentHugePages"],
    "jdk_hash_map": ["-Xms2g", "-Xmx2g", "-XX:+AlwaysPreTouch"],
    "jgrapht": ["-Xms2g", "-Xmx2g", "-XX:+AlwaysPreTouch", "-XX:+UseParallelGC", "-XX:+UseTransparentHugePages"],
}
JVM_FLAGS_QUICK = ["-Xmx512m", "-XX:TieredStopAtLevel=1"]
CLASS_PATH = "benchmarks/target/classes:benchmarks/target/lib/*"
# Peer -> graph's name in the results, nodes, degree, changes a round. Sizes below 47 million edges are those that the peer
# holds in its heap and loads in a few seconds.
FULL = {
    "fastutil": ("uniform", 256_000, 184, 2_000_000),
    "jdk_hash_map": ("medium", 21_760, 184, 500_000),
    "jgrapht": ("small", 16_384, 184, 200_000),
    "networkit": ("uniform", 256_000, 184, 0),
}
QUICK = {
    "fastutil": ("uniform", 20_000, 16, 50_000),
    "jdk_hash_map": ("medium", 5_000, 16, 50_000),
    "jgrapht": ("small", 2_000, 16, 20_000),
    "networkit": ("uniform", 20_000, 16, 0),
}
TURNS = {
    "none": (),
    "changes": ("fastutil", "jdk_hash_map", "jgrapht"),
    "uniform.one_to_all": ("networkit",),
    "small.one_to_all": ("jgrapht",),
}
END_LIMIT_S = 20


def say(text):
    print(f"  {text}", file=sys.stderr, flush=True)


class Peer:
    """A peer's process; it answers each line with a line."""

    def __init__(self, name, command, metrics):
        say(f"{name}: starting, loading, warming up")
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer(metrics)

    def answer(self, metrics):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"graph.py: the peer {self.name} ended with {self.process.wait(END_LIMIT_S)}; see above")
        for metric, (unit, value) in json.loads(line).items():
            metrics.setdefault(metric, {"unit": unit, "rounds": []})["rounds"].append(value)

    def turn(self, what, metrics):
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        self.answer(metrics)

    def end(self):
        self.process.stdin.close()
        self.process.wait(END_LIMIT_S)


class Peers:
    """All peers that may take part, and those alive."""

    def __init__(self, quick, python):
        sizes = QUICK if quick else FULL
        self.commands = {name: [*JAVA, *(JVM_FLAGS_QUICK if quick else flags), "-cp", CLASS_PATH,
                                "dev.lodestone.benchmarks.GraphPeers", name, *map(str, sizes[name])]
                         for name, flags in JVM_FLAGS.items()}
        if python:
            self.commands["networkit"] = [python, "benchmarks/networkit_peer.py", *map(str, sizes["networkit"][:3])]
        self.alive = {}

    def turn(self, what, metrics):
        wanted = [name for name in TURNS.get(what.split()[0], ()) if name in self.commands]
        for name in [name for name in self.alive if name not in wanted]:
            self.alive.pop(name).end()
        for name in wanted:
            if name not in self.alive:
                self.alive[name] = Peer(name, self.commands[name], metrics)
            self.alive[name].turn(what, metrics)

    def end(self):
        for peer in self.alive.values():
            peer.end()
        self.alive = {}


def check_sums(metrics):
    """Everyone who went from one source to all found the same distances, round by round."""
    sums = {}
    for name, metric in metrics.items():
        if name.endswith(".sum"):
            graph, contender, _ = name.split(".")
            sums.setdefault(graph, {})[contender] = metric["rounds"]
    for graph, found in sums.items():
        if len({tuple(rounds) for rounds in found.values()}) > 1:
            sys.exit(f"graph.py: sums of distances differ on {graph}: {found}")


def run(program, part, options, peers):
    """Runs a part to its end; its results with those of the peers."""
    metrics, rest = {}, []
    command = [program, part, "--turns", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("TURN "):
                peers.turn(line.removeprefix("TURN ").strip(), metrics)
                process.stdin.write("\n")
                process.stdin.flush()
            else:
                rest.append(line)
    peers.end()
    if process.returncode != 0:
        sys.exit(f"graph.py: {' '.join(command)} ended with {process.returncode}")
    metrics.update(json.loads("".join(rest))["metrics"])
    check_sums(metrics)
    return metrics


def to_json(content):
    """The content with a metric a line, so that a diff of two runs can be read."""
    metrics = ",\n".join(f"  {json.dumps(name)}: {json.dumps(metric)}" for name, metric in content.pop("metrics").items())
    return "".join(["{", *(f"{json.dumps(key)}: {json.dumps(value)},\n " for key, value in content.items()),
                    '"metrics": {\n', metrics, "\n}}\n"])


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--quick"]
    options = ["--quick"] if "--quick" in sys.argv else []
    program, folder = arguments[0], pathlib.Path(arguments[1])
    python = arguments[2] if len(arguments) > 2 else None
    peers = Peers(bool(options), python)
    for part in PARTS:
        say(f"part {part}")
        content = {"metrics": run(program, part, options, peers)}
        if part == "uniform":
            content["jvm_flags"] = JVM_FLAGS
            content["networkit"] = "measured" if python else "left out: it could not be installed here"
        (folder / f"graph-{part}.json").write_text(to_json(content), encoding="utf-8")


if __name__ == "__main__":
    main()
