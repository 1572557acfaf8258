#!/usr/bin/env python3
"""Many connections for a long time, with churn: resident memory, file descriptors and answers of a stand-alone engine.

usage: soak-quic.py CONNECTIONS SECONDS [RAW]     (from the top folder; the release build of lodestoned and lodestone-load)

All but a fiftieth of the connections stay open and send RATE (2,000) moves a second between them; the fiftieth is closed
and opened anew every two seconds, which is a churn of 1 % a second. Many connections share a client's socket, so few file
descriptors are needed. After the warm-up, the first third of the time but at most two minutes, resident memory must stay
within 1 % and file descriptors must not change; every move must be answered. The last line sums up, and the exit status
is 0 when all held. Lines in between say how it goes. RAW is a file for the summary and what benchmarks/claims.py takes of it.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

DAEMON = "native/target/release/lodestoned"
LOAD = "native/target/release/lodestone-load"
MAP = "data/delaware.lsg"
RATE = int(os.environ.get("RATE", "2000"))
# Fewer for a machine that is so busy that as many take longer than a client waits.
HANDSHAKES_AT_ONCE = int(os.environ.get("HANDSHAKES_AT_ONCE", "32"))
SAMPLE_S = 2
CHURN_ROUND_S = 2
CHURN_SHARE = 50
SETTLE_S = 5
GROWTH_MAX = 0.01


def say(text):
    print(f"  {text}", flush=True)


class Server:
    """A stand-alone engine; its numbers come from /proc."""

    def __init__(self, folder):
        configuration = pathlib.Path(folder) / "soak.yaml"
        configuration.write_text(
            # A slot for each node of the map: in ten minutes most of them come to be needed.
            "graph: {edges_max: 2000000, watches_max: 0}\nrollback: {window_mib: 16}\narena: {capacity: 400000, bump_mib: 16}\n"
            "transport: {listen: '127.0.0.1:0', stream_credit: on_use}\n",
            encoding="ascii",
        )
        # Ended by `stop`, also when something goes wrong.
        self.process = subprocess.Popen([DAEMON, "--config", configuration], stdout=subprocess.PIPE, text=True)
        words = dict(word.split("=", 1) for word in self.process.stdout.readline().split() if "=" in word)
        self.target, self.certificate = words["quic"], words["cert"]

    def rss_kib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("the server has no resident memory")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def load(self, connections, rate, seconds):
        command = [LOAD, "--target", self.target, "--certificate", self.certificate, "--map", MAP]
        options = {"connections": connections, "rate": rate, "seconds": seconds, "handshakes-at-once": HANDSHAKES_AT_ONCE}
        command += [text for name, value in options.items() for text in (f"--{name}", str(value))]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=60)


class Steady(threading.Thread):
    """The connections that stay: sets `connected` when all are open, and keeps the report."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process = process
        self.connected = threading.Event()
        self.is_connected = False
        self.done = {}
        self.start()

    def run(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "connecting" and event["done"] == event["total"]:
                self.is_connected = True
                self.connected.set()
            elif event["event"] == "done":
                self.done = event
        self.connected.set()


class Churn(threading.Thread):
    """Opens its share of connections, uses them for a second, closes them, again and again."""

    def __init__(self, server, connections):
        super().__init__(daemon=True)
        self.server, self.connections = server, connections
        self.opened, self.failed = 0, 0
        self.ending = threading.Event()
        self.start()

    def run(self):
        while not self.ending.is_set():
            due = time.monotonic() + CHURN_ROUND_S
            process = self.server.load(self.connections, self.connections, 1)
            process.communicate()
            self.opened += self.connections
            self.failed += process.returncode != 0
            self.ending.wait(max(0, due - time.monotonic()))


def watch(server, steady, seconds):
    """Samples after the warm-up, as (resident KiB, descriptors)."""
    start = time.monotonic()
    warm = min(seconds / 3, 120)
    samples, told = [], 0
    while (passed := time.monotonic() - start) < seconds and steady.is_alive():
        sample = (server.rss_kib(), server.descriptors())
        if passed >= warm:
            samples.append(sample)
        if passed >= told:
            told += 30
            say(f"{passed:4.0f} s  {sample[0] / 1024:,.1f} MiB resident, {sample[1]} file descriptors")
        time.sleep(SAMPLE_S)
    return samples


def median(values):
    return sorted(values)[len(values) // 2]


def keep(raw, summary, samples):
    """Leaves the summary as raw results."""
    values = {"rss_growth": ("%", summary["rss_growth_percent"]),
              "descriptor_counts": ("counts", len(summary["descriptors"])),
              "kib_per_connection": ("KiB", summary["kib_per_idle_connection"]),
              "churn": ("%/s", summary["churn_percent_per_second"])}
    if summary["moves_sent"] is not None:
        answered = summary["moves_acked"] + summary["moves_rejected"]
        values["unanswered"] = ("moves", summary["moves_sent"] - answered)
    metrics = {f"quic.soak.{name}": {"unit": unit, "rounds": [value]} for name, (unit, value) in values.items()}
    document = {"metrics": metrics, "summary": summary, "rss_kib": [sample[0] for sample in samples]}
    pathlib.Path(raw).write_text(json.dumps(document) + "\n", encoding="utf-8")


def soak(server, connections, seconds, raw):
    empty_kib = server.rss_kib()
    share = max(1, connections // CHURN_SHARE)
    began = time.monotonic()
    steady = Steady(server.load(connections - share, RATE, seconds + SETTLE_S))
    steady.connected.wait()
    if not steady.is_connected:
        say(f"the clients gave up with status {steady.process.wait()} before all were connected")
        return False
    connecting_s = time.monotonic() - began
    idle_kib = server.rss_kib() - empty_kib
    say(f"{connections - share:,} connections in {connecting_s:.1f} s, {idle_kib / (connections - share):.1f} KiB each")
    churn = Churn(server, share)
    samples = watch(server, steady, seconds)
    churn.ending.set()
    churn.join()
    steady.join()
    steady_status = steady.process.wait()
    quarter = max(1, len(samples) // 4)
    rss = [sample[0] for sample in samples]
    # Quarters, not single samples: a burst of handshakes is in one sample and not in the next.
    growth = median(rss[-quarter:]) / median(rss[:quarter]) - 1 if rss else 1
    descriptors = {sample[1] for sample in samples}
    summary = {
        "connections": connections,
        "seconds": seconds,
        "handshakes_per_second": round((connections - share) / connecting_s),
        "kib_per_idle_connection": round(idle_kib / (connections - share), 1),
        "connections_churned": churn.opened,
        "churn_percent_per_second": round(100 * churn.opened / connections / seconds, 2),
        "rss_growth_percent": round(100 * growth, 2),
        "bytes_per_churned_connection": round((rss[-1] - rss[0]) * 1024 / max(1, churn.opened)) if rss else None,
        "descriptors": sorted(descriptors),
        "moves_sent": steady.done.get("moves_sent"),
        "moves_acked": steady.done.get("moves_acked"),
        "moves_rejected": steady.done.get("moves_rejected"),
        "churn_rounds_failed": churn.failed,
    }
    print(json.dumps(summary), flush=True)
    if raw:
        keep(raw, summary, samples)
    held = growth <= GROWTH_MAX and len(descriptors) == 1
    return held and steady_status == 0 and churn.failed == 0


def main():
    connections, seconds = int(sys.argv[1]), int(sys.argv[2])
    raw = sys.argv[3] if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder)
        try:
            held = soak(server, connections, seconds, raw)
        finally:
            status = server.stop()
    sys.exit(0 if held and status == 0 else 1)


if __name__ == "__main__":
    main()
