#!/usr/bin/env python3
"""What others notice of a hostile client: their p99 with it beside their p99 without, in turns.

usage: fairness.py RAW_FOLDER PROGRAM_FOLDER [--resume | --quick]
(from the top folder; PROGRAM_FOLDER holds the release builds of lodestoned, lodestone-load and examples/hostile)

200 sessions send 2,000 moves a second between them. Alone, and beside each of the hostile clients, in turn, ROUNDS (5) times;
the median of the rounds counts. Each session may send 2,000 moves a second, so that a flood has a limit to run into. The
hostile client runs at the lowest priority: it has the other end of a network in mind, and is not to be measured by the
processor time that it takes from this machine. The goal is a ratio of at most 2. What was found is kept after each turn in
RAW_FOLDER/quic-fairness.json; --resume adds what is missing to ROUNDS rounds; --quick is a
trial with few sessions for a moment.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from quic import Kept

QUICK = "--quick" in sys.argv
ROUNDS = 1 if QUICK else int(os.environ.get("ROUNDS", "5"))
OPTIONS = {"connections": 20, "rate": 200, "seconds": 1} if QUICK else {"connections": 200, "rate": 2000, "seconds": 4}
NAMES = ("alone", "never-reads", "floods", "stalls", "half-open", "churns-streams")
HEAD_START_S = 0.5


class Found:
    """What one turn has found, as Kept takes it."""

    def __init__(self, name, done):
        self.metrics = {f"quic.fairness.{name}.{percentile}": {"unit": "us", "rounds": [done["end_to_end_us"][percentile]]}
                        for percentile in ("p50", "p99")}
        self.runs = [{"contender": name, "what": "fairness", "events": [done]}]


def turn(programs, server, harm):
    """One stretch of moves, beside the hostile client or alone."""
    hostile = None
    if harm != "alone":
        command = ["nice", "-n", "19", f"{programs}/examples/hostile", server["quic"], server["cert"], harm]
        hostile = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(HEAD_START_S)
    try:
        command = [f"{programs}/lodestone-load", "--target", server["quic"], "--certificate", server["cert"],
                   "--map", "data/delaware.lsg"]
        command += [text for name, value in OPTIONS.items() for text in (f"--{name}", str(value))]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        if hostile is not None and hostile.poll() is not None:
            sys.exit(f"fairness.py: the client that {harm} gave up with status {hostile.returncode}: it did no harm")
    finally:
        if hostile is not None:
            hostile.kill()
            hostile.wait()
    done = json.loads(run.stdout.splitlines()[-1])
    if done["moves_acked"] != done["moves_sent"]:
        sys.exit(f"fairness.py: {done['moves_sent'] - done['moves_acked']} moves lost beside {harm}")
    print(f"  {harm:15} p50 {done['end_to_end_us']['p50']:6,} us  p99 {done['end_to_end_us']['p99']:7,} us", file=sys.stderr,
          flush=True)
    return done


def main():
    folder, programs = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("fairness.py: ended by a signal"))
    kept = Kept(pathlib.Path(folder) / "quic-fairness.json", "--resume" in sys.argv)
    with tempfile.TemporaryDirectory() as folder:
        configuration = pathlib.Path(folder) / "fairness.yaml"
        configuration.write_text(
            "transport: {listen: '127.0.0.1:0', session_moves_per_second: 2000, slow_consumer_ms: 1000}\n", encoding="ascii"
        )
        with subprocess.Popen([f"{programs}/lodestoned", "--config", configuration], stdout=subprocess.PIPE, text=True) as daemon:
            try:
                server = dict(word.split("=", 1) for word in daemon.stdout.readline().split() if "=" in word)
                for number in range(ROUNDS):
                    for name in [name for name in NAMES if kept.turns.get(name, 0) <= number]:
                        kept.take(Found(name, turn(programs, server, name)), name)
            finally:
                daemon.terminate()


if __name__ == "__main__":
    main()
