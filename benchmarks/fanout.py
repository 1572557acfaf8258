#!/usr/bin/env python3
"""What it costs the server to tell many clients of one change, and how late they are told.

usage: fanout.py RAW_FILE [--quick] [--add] [SUBSCRIBERS… | crowded]     (from the top folder; the release builds of lodestoned and
lodestone-load; --quick: the debug builds, for a moment)

Each session is told of both nodes that all of them move, so each move is one update for each session: by the stream, and by
datagram, in turn. Moves are few enough that hardly any state is passed over; a last row sends far more moves than can be told,
and says how many states a subscriber is told of a hundred. Processor time is that of lodestoned alone, from the last
connection to the last second, without that of a run of the same moves that tells nobody; the load generator has the other
half of the machine and the same number of packets. --add keeps the rounds of an earlier run.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

# Subscribers and moves a second: 40,000 updates a second, fewer where one subscriber is told them one by one.
ROWS = {"1": (1, 2_000), "100": (100, 400), "1000": (1_000, 40), "10000": (10_000, 4), "crowded": (100, 20_000)}
QUICK = ("1", "100", "crowded")
WAYS = {"nobody": [], "stream": ["--subscribe", "2"], "datagram": ["--subscribe", "2", "--latest"]}
CONFIGURATION = """\
arena: {capacity: 64, bump_mib: 16}
graph: {nodes_max: 64, edges_max: 4096}
transport: {listen: "127.0.0.1:0", connections_max: 20000}
fanout: {policy: all}
"""


def processor_us(pid):
    """User and system time of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1_000_000 / os.sysconf("SC_CLK_TCK")


def play(programs, server, subscribers, rate, seconds, way):
    """One run: the report, and the server's processor time in us."""
    command = [f"{programs}/lodestone-load", "--target", server["quic"], "--certificate", server["cert"], "--nodes", "0-1",
               "--connections", str(subscribers), "--rate", str(rate), "--seconds", str(seconds), *WAYS[way],
               "--handshakes-at-once", "32"]
    spent, done = [0, 0], None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        for line in load.stdout:
            event = json.loads(line)
            if event["event"] == "connecting" and event["done"] == event["total"]:
                spent[0] = processor_us(server["pid"])
            elif event["event"] == "tick" and event["second"] == seconds:
                spent[1] = processor_us(server["pid"])
            elif event["event"] == "done":
                done = event
    if load.returncode != 0 or done is None:
        sys.exit(f"fanout.py: {subscribers} subscribers, {way}: the load generator failed")
    return done, spent[1] - spent[0]


def put(metrics, name, unit, value):
    metrics.setdefault(name, {"unit": unit, "rounds": []})["rounds"].append(round(value, 3))


def measure(programs, server, metrics, row, seconds):
    (subscribers, rate), name = ROWS[row], f"fanout.{row}"
    # Where the server is at its end, the same moves without updates say nothing of what updates cost.
    idle_us = None if row == "crowded" else play(programs, server, subscribers, rate, seconds, "nobody")[1]
    for way in ("stream", "datagram"):
        done, spent_us = play(programs, server, subscribers, rate, seconds, way)
        updates = done["updates"]
        if updates == 0:
            sys.exit(f"fanout.py: {name}, {way}: nobody was told of anything")
        if idle_us is not None:
            put(metrics, f"{name}.{way}.cost", "us/update", (spent_us - idle_us) / updates)
        put(metrics, f"{name}.{way}.rate", "updates/s", done["updates_per_second"])
        put(metrics, f"{name}.{way}.told", "%", 100 * updates / (updates + done["updates_missed"]))
        for percentile in ("p50", "p99"):
            put(metrics, f"{name}.{way}.{percentile}", "us", done["delivery_us"][percentile])


def main():
    quick, adding = "--quick" in sys.argv, "--add" in sys.argv
    target, *wanted = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    programs = "native/target/debug" if quick else "native/target/release"
    metrics = json.loads(pathlib.Path(target).read_text(encoding="ascii"))["metrics"] if adding else {}
    with tempfile.TemporaryDirectory() as folder:
        configuration = pathlib.Path(folder) / "fanout.yaml"
        configuration.write_text(CONFIGURATION, encoding="ascii")
        with subprocess.Popen([f"{programs}/lodestoned", "--config", configuration], stdout=subprocess.PIPE, text=True) as daemon:
            server = dict(word.split("=", 1) for word in daemon.stdout.readline().split() if "=" in word)
            try:
                for row in wanted or (QUICK if quick else ROWS):
                    measure(programs, server, metrics, row, 1 if quick else 5)
            finally:
                daemon.terminate()
    pathlib.Path(target).write_text(json.dumps({"metrics": metrics}, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
