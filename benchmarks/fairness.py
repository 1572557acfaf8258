#!/usr/bin/env python3
"""What others notice of a hostile client: their p99 with it beside their p99 without, in turns.

usage: fairness.py RAW_FILE     (from the top folder; the release builds of lodestoned, lodestone-load and the example hostile)

200 sessions send 2,000 moves a second between them. Alone, and beside each of four hostile clients, in turn, ROUNDS (3) times;
the median of the rounds counts. Each session may send 2,000 moves a second, so that a flood has a limit to run into. The
hostile client runs at the lowest priority: it has the other end of a network in mind, and is not to be measured by the
processor time that it takes from this machine. The goal is a ratio of at most 2.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

LOAD = "native/target/release/lodestone-load"
HOSTILE = "native/target/release/examples/hostile"
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = int(os.environ.get("SECONDS_EACH", "4"))
HARMS = ("never-reads", "floods", "stalls", "half-open")
HEAD_START_S = 0.5


def p99_us(server, harm):
    hostile = None
    if harm != "alone":
        hostile = subprocess.Popen(["nice", "-n", "19", HOSTILE, server["quic"], server["cert"], harm], stderr=subprocess.DEVNULL)
        time.sleep(HEAD_START_S)
    options = {"connections": 200, "rate": 2000, "seconds": SECONDS}
    command = [LOAD, "--target", server["quic"], "--certificate", server["cert"], "--map", "data/delaware.lsg"]
    command += [text for name, value in options.items() for text in (f"--{name}", str(value))]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    if hostile is not None:
        hostile.kill()
        hostile.wait()
    done = json.loads(run.stdout.splitlines()[-1])
    if done["moves_acked"] != done["moves_sent"]:
        sys.exit(f"fairness.py: {done['moves_sent'] - done['moves_acked']} moves lost beside {harm}")
    return done["end_to_end_us"]["p99"]


def main():
    found = {name: [] for name in ("alone", *HARMS)}
    with tempfile.TemporaryDirectory() as folder:
        configuration = pathlib.Path(folder) / "fairness.yaml"
        configuration.write_text(
            "transport: {listen: '127.0.0.1:0', session_moves_per_second: 2000, slow_consumer_ms: 1000}\n", encoding="ascii"
        )
        command = ["native/target/release/lodestoned", "--config", configuration]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
            server = dict(word.split("=", 1) for word in daemon.stdout.readline().split() if "=" in word)
            for _ in range(ROUNDS):
                for name, values in found.items():
                    values.append(p99_us(server, name))
            daemon.terminate()
    medians = {name: sorted(values)[len(values) // 2] for name, values in found.items()}
    ratios = {name: round(medians[name] / medians["alone"], 2) for name in HARMS}
    result = {"p99_us": found, "median_p99_us": medians, "ratio_to_alone": ratios}
    pathlib.Path(sys.argv[1]).write_text(json.dumps(result, indent=1) + "\n", encoding="ascii")
    print(json.dumps(result["ratio_to_alone"]))


if __name__ == "__main__":
    main()
