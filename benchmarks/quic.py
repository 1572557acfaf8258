#!/usr/bin/env python3
"""Whole moves over QUIC, and handshakes: one served engine, the load generator as clients on the same machine.

usage: quic.py RAW_FILE SERVER_COMMAND…       (from the top folder; the command prints the READY line of `make serve`)

Each round: a fresh server; handshakes one after the other on the otherwise idle server; then 1,000 connections at each
rate. Latency is open-loop: from the instant a move was due to its ACK. Processor time is that of both processes during
the moves alone, from /proc. Left out: a network between client and server; both share the processors of this machine.
"""
import json
import os
import pathlib
import subprocess
import sys
import time

LOAD = "native/target/release/lodestone-load"
MAP = "data/delaware.lsg"
ROUNDS = int(os.environ.get("ROUNDS", "3"))
HANDSHAKES = 1_000
CONNECTIONS = 1_000
RATES = (1_000, 2_000, 5_000, 10_000, 20_000)
SECONDS = 8
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
END_LIMIT_S = 20


def say(text):
    print(f"  {text}", file=sys.stderr, flush=True)


def processor_seconds(pid):
    """User and system time of a process so far, 0 when it is gone."""
    try:
        # The name in parentheses may hold spaces; times are the 14th and 15th field.
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def load(ready, options, server_pid):
    """Runs the load generator; its last object, with the processor seconds of both sides between the first and last tick."""
    command = [LOAD, "--target", f"127.0.0.1:{ready['port']}", "--certificate", ready["cert"], "--map", MAP]
    command += [text for name, value in options.items() for text in (f"--{name}", str(value))]
    ticks, done = [], None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        for line in client.stdout:
            event = json.loads(line)
            if event["event"] == "tick":
                ticks.append((event["moves_acked"], processor_seconds(server_pid), processor_seconds(client.pid)))
            elif event["event"] == "done":
                done = event
    if client.returncode != 0 or done is None:
        sys.exit(f"quic.py: {' '.join(command)} ended with {client.returncode}")
    return done, ticks


def cpu_us_per_move(ticks):
    (moves_first, server_first, client_first), (moves_last, server_last, client_last) = ticks[0], ticks[-1]
    moves = max(moves_last - moves_first, 1)
    return (server_last - server_first) * 1e6 / moves, (client_last - client_first) * 1e6 / moves


def measure(ready, metrics, raw):
    def add(name, unit, value):
        metrics.setdefault(name, {"unit": unit, "rounds": []})["rounds"].append(round(value, 3))

    options = {"connections": HANDSHAKES, "handshakes-at-once": 1, "rate": 1, "seconds": 1}
    done, _ = load(ready, options, ready["pid"])
    raw.append({"what": "handshakes, one at a time", **done})
    for what in ("handshake", "welcome"):
        for percentile in ("p50", "p99"):
            add(f"quic.{what}.{percentile}", "us", done[f"{what}_us"][percentile])
    for rate in RATES:
        done, ticks = load(ready, {"connections": CONNECTIONS, "rate": rate, "seconds": SECONDS}, ready["pid"])
        raw.append({"what": f"{CONNECTIONS} connections at {rate} moves/s", **done})
        for percentile in ("p50", "p99", "p999"):
            add(f"quic.move_{rate}.{percentile}", "us", done["end_to_end_us"][percentile])
        add(f"quic.move_{rate}.unanswered", "moves", done["moves_sent"] - done["moves_acked"] - done["moves_rejected"])
        server_us, client_us = cpu_us_per_move(ticks)
        add(f"quic.move_{rate}.server_cpu", "us/move", server_us)
        add(f"quic.move_{rate}.client_cpu", "us/move", client_us)
        say(f"{rate:6} moves/s: p50 {done['end_to_end_us']['p50']} us, p99 {done['end_to_end_us']['p99']} us,"
            f" processor time a move {server_us:.0f} us server, {client_us:.0f} us client")


def serve(command):
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    words = server.stdout.readline().split()
    if words[:2] != ["LODESTONE", "READY"]:
        sys.exit(f"quic.py: the server said {' '.join(words)!r} instead of READY")
    fields = dict(word.split("=", 1) for word in words[2:])
    return server, {"port": fields["quic"].rpartition(":")[2], "cert": fields["cert"], "pid": int(fields["pid"])}


def main():
    target, command = pathlib.Path(sys.argv[1]), sys.argv[2:]
    metrics, raw = {}, []
    for number in range(ROUNDS):
        say(f"round {number + 1} of {ROUNDS}")
        server, ready = serve(command)
        try:
            # The first moves after a start meet a server whose code is not in any cache yet.
            load(ready, {"connections": 100, "rate": 1_000, "seconds": 2}, ready["pid"])
            measure(ready, metrics, raw)
        finally:
            server.terminate()
            server.wait(END_LIMIT_S)
        time.sleep(1)
    target.write_text(json.dumps({"metrics": metrics, "runs": raw}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
