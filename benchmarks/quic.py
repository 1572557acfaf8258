#!/usr/bin/env python3
"""Moves over the network and handshakes: Lodestone beside the servers that a team would write instead.

usage: quic.py RAW_FOLDER PROGRAM_FOLDER [--quick] [--add | --resume] [--rounds N] [GROUP…]      (from the top folder)

PROGRAM_FOLDER holds lodestoned and lodestone-quic-load; benchmarks/peers/build.sh has built the peers, and those that are
absent are said. Every server speaks the same frames and does the same work, which each run of the load generator checks;
Lodestone does more: it changes a graph, keeps before-images and hashes its state. Rounds alternate all contenders.
What was found is kept after each turn of a contender. --add adds N rounds to those of an earlier run of a group; --resume
adds what is missing to N rounds of each contender, so that a run which was cut off goes on where it stopped. Groups:
  closed     1,000 connections with one move under way each; the server has one core, the load generator the other
  coalesced  10 connections with 512 moves under way each; cores as in closed
  knee       1,000 connections, moves at fixed rates until the 99th percentile passes 100 ms
  idle       memory with 10,000 connections, which is the same on a busy machine
  idle-crowd the same with 50,000; not over TCP, where each takes a file of the process
  held       10,000 connections idle, then 10,000 moves/s
  crowd      50,000 connections idle, then 20,000 moves/s; not over TCP, where each takes a file of the process
  overload   1,000 connections: the rate that the server takes with one move under way each; then twice as many moves,
             on streams (each connection one under way, the rest is held back) and, Lodestone alone, in datagrams, with
             a receive buffer for a few milliseconds, and with the default one; cores as in closed
  overload-crowd  the same with 50,000 connections
  handshakes one at a time on an idle server; 32 at once; 32 at once with session tickets; the same by clients that ask for
             0-RTT, which no server here grants
benchmarks/fairness.py measures what a hostile client does to others.
"""
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time

WORK = pathlib.Path("target/bench-quic").resolve()
NODES = 65_536
RUN_LIMIT_S = 300
END_LIMIT_S = 20
NETTY = pathlib.Path("benchmarks/peers/netty/target")
GO = pathlib.Path("target/peers/quic-go")
QUIC = ("lodestone", "quic-go", "netty-quic")
ALL = (*QUIC, "netty-tcp")
CONFIGURATION = f"""\
arena: {{capacity: {NODES}}}
graph: {{nodes_max: {NODES}, edges_max: {20 * NODES}}}
transport: {{listen: "127.0.0.1:0", stream_credit: on_use, certificate: {{certificate_file: cert.pem, key_file: key.pem}}}}
"""
# A rate is the last of its curve when its p99 is above this.
KNEE_MS = 100
# quic-go refuses who comes while 32 that it has welcomed were not accepted by its user yet.
AT_ONCE = 24
# Twice the rate that was found.
OVERLOAD_PERCENT = 200
RATES = (1_000, 2_000, 5_000, 10_000, 20_000, 40_000, 80_000)


class Trouble(Exception):
    """A contender could not do its part of a round; what the load generator had told until then is not lost."""

    def __init__(self, what, events=None):
        super().__init__(what)
        self.events = events or {}


def say(text):
    print(f"  {text}", file=sys.stderr, flush=True)


def commands(programs):
    """{contender: command} of those that are there; says which are not."""
    java = ["ci/with-tools.sh", "java", "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow",
            "-cp", f"{NETTY}/classes:{NETTY}/lib/*", "dev.lodestone.benchmarks.peers.NettyPeer"]
    found = {"lodestone": [f"{programs}/lodestoned", "--config", f"{WORK}/lodestone.yaml"]}
    if GO.exists():
        found["quic-go"] = [str(GO), "-certificates", str(WORK), "-nodes", str(NODES)]
    if (NETTY / "lib").is_dir() and list(NETTY.glob("lodestone-netty-peer-*.jar")):
        found["netty-quic"] = [*java, "quic", str(WORK), str(NODES)]
        found["netty-tcp"] = [*java, "tcp", str(WORK), str(NODES)]
    for name in ALL:
        if name not in found:
            say(f"{name} is absent here: its rows stay empty (benchmarks/peers/build.sh says why)")
    return found


def on_core(core):
    """For Popen: the process keeps to one core; None leaves it free."""
    return None if core is None else lambda: os.sched_setaffinity(0, {core})


class Server:
    """One contender's process, warm: two seconds of moves have gone through it."""

    def __init__(self, bench, name, pinned, command=None):
        self.name = name
        self.pinned = pinned
        self.bench = bench
        self.log = (WORK / f"{name}.log").open("w", encoding="utf-8")
        self.process = subprocess.Popen(command or bench.commands[name], stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        preexec_fn=on_core(0 if pinned else None))
        words = self.process.stdout.readline().split()
        if words[:2] != ["LODESTONE", "READY"]:
            self.end()
            raise Trouble(f"the server said {' '.join(words)!r} instead of READY; {self.log.name} has more")
        fields = dict(word.split("=", 1) for word in words[2:])
        self.address, self.pid = fields["quic"], int(fields["pid"])
        try:
            self.load("warm up", connections=100, in_flight=4, measure_ms=bench.milliseconds(2_000))
        except Trouble:
            self.end()
            raise

    def load(self, what, **options):
        """Runs the load generator: {event: [object, …]}. A run that fails is trouble of this server."""
        command = [str(self.bench.load), "--target", self.address, "--certificate", str(WORK / "cert.pem"),
                   "--server-pid", str(self.pid), "--transport", "tcp" if self.name == "netty-tcp" else "quic"]
        for option, value in options.items():
            command += [f"--{option.replace('_', '-')}"] + ([] if value is True else [str(value)])
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_LIMIT_S, check=False,
                                  preexec_fn=on_core(1 if self.pinned else None))
        except subprocess.TimeoutExpired:
            raise Trouble(f"{what}: not done within {RUN_LIMIT_S} s") from None
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.bench.runs.append({"contender": self.name, "what": what, "pinned": self.pinned, "events": events})
        found = {}
        for event in events:
            found.setdefault(event["event"], []).append(event)
        if done.returncode != 0:
            raise Trouble(f"{what}: {done.stderr.strip()}", found)
        return found

    def end(self):
        """SIGTERM, and the wait for the end. Once is enough."""
        if self.log.closed:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


class Bench:
    """What all groups share, and what the group under way has found."""

    def __init__(self, programs, quick):
        self.load = pathlib.Path(programs) / "lodestone-quic-load"
        self.quick = quick
        self.metrics, self.runs = {}, []
        if WORK.exists():
            shutil.rmtree(WORK)
        subprocess.run([str(self.load), "certificate", str(WORK)], check=True)
        (WORK / "lodestone.yaml").write_text(CONFIGURATION, encoding="utf-8")
        self.commands = commands(programs)

    def lodestone(self, receive_buffer_kib):
        """The command of a Lodestone that holds fewer packets it has not read."""
        file = WORK / f"lodestone-{receive_buffer_kib}.yaml"
        file.write_text(CONFIGURATION.replace("transport: {", f"transport: {{receive_buffer_kib: {receive_buffer_kib}, "),
                        encoding="utf-8")
        return [self.commands["lodestone"][0], "--config", str(file)]

    def milliseconds(self, full):
        """How long a phase lasts."""
        return 150 if self.quick else full

    def connections(self, full):
        """How many connections a group opens."""
        return min(full, 40) if self.quick else full

    def add(self, name, unit, value):
        """One value of one round."""
        self.metrics.setdefault(f"quic.{name}", {"unit": unit, "rounds": []})["rounds"].append(round(value, 3))

    def cost(self, name, event, moves):
        """Processor time of both sides a move."""
        self.add(f"{name}.server_cpu", "us/move", event["server_cpu_ns"] / 1e3 / max(moves, 1))
        self.add(f"{name}.client_cpu", "us/move", event["client_cpu_ns"] / 1e3 / max(moves, 1))

    def latency(self, name, event, kind="latency_ns"):
        """Percentiles of a phase."""
        for percentile in ("p50", "p99", "p999"):
            self.add(f"{name}.{percentile}", "us", event[kind][percentile] / 1e3)

    def trouble(self, name, what):
        """Says and keeps what a contender failed at."""
        say(f"{name}: {what}")
        self.runs.append({"contender": name, "trouble": str(what)})
        if name == "lodestone" and self.quick:
            sys.exit(f"quic.py: {what}")


def closed_round(bench, group, server, connections, in_flight):
    event = server.load(group, connections=bench.connections(connections), in_flight=in_flight,
                        measure_ms=bench.milliseconds(2_000))["closed_loop"][0]
    name = f"{group}.{server.name}"
    rate = event["moves_acked"] / (event["elapsed_ns"] / 1e9)
    bench.add(f"{name}.rate", "moves/s", rate)
    bench.latency(name, event)
    bench.cost(name, event, event["moves_acked"])
    say(f"{server.name:11} {rate:12,.0f} moves/s  p99 {event['latency_ns']['p99'] / 1e6:7.2f} ms"
        f"  server {event['server_cpu_ns'] / 1e3 / max(event['moves_acked'], 1):6.2f} us/move")


def closed(bench, server):
    """One move under way on each of many connections."""
    closed_round(bench, "closed", server, 1_000, 1)


def coalesced(bench, server):
    """Many moves in each packet."""
    closed_round(bench, "coalesced", server, 10, 512)


def open_events(bench, group, server, connected, events):
    """The phases of an open loop."""
    for event in events.get("open_loop", []):
        name = f"{group}_{event['rate']}.{server.name}"
        # What was never answered counts as later than all that was.
        if event["moves_unanswered"]:
            bench.trouble(server.name, f"{event['moves_unanswered']} moves of {event['moves_sent']} at {event['rate']}/s"
                          " were not answered within 10 s")
        bench.latency(name, event)
        bench.add(f"{name}.unanswered", "moves", event["moves_unanswered"])
        bench.cost(name, event, event["moves_acked"])
        say(f"{server.name:11} {connected:6,} connections {event['rate']:6,}/s"
            f"  p50 {event['latency_ns']['p50'] / 1e6:8.3f} ms  p99 {event['latency_ns']['p99'] / 1e6:8.3f} ms"
            f"  server {event['server_cpu_ns'] / 1e3 / max(event['moves_acked'], 1):6.1f}"
            f"  client {event['client_cpu_ns'] / 1e3 / max(event['moves_acked'], 1):6.1f} us/move")


def knee(bench, server):
    """Latency against rate."""
    count = bench.connections(1_000)
    rates = (2_000, 10_000, 20_000) if bench.quick else RATES
    events = server.load("knee", connections=count, rates=",".join(map(str, rates)),
                         stop_above_ms=10_000 if bench.quick else KNEE_MS, measure_ms=bench.milliseconds(1_000))
    open_events(bench, "knee", server, count, events)


def memory(bench, name, count, events):
    """What the connections take, and the ramp."""
    ramp, held = events["connected"][0], events["held"][0]
    each_kib = (held["server_rss_kib"] - ramp["server_rss_before_kib"]) / count
    bench.add(f"{name}.kib_per_connection", "KiB", each_kib)
    bench.add(f"{name}.rss", "MiB", held["server_rss_kib"] / 1_024)
    say(f"{name}: {count:,} connections, {held['server_rss_kib'] / 1_024:,.1f} MiB, {each_kib:.1f} KiB each,"
        f" {count / (ramp['elapsed_ns'] / 1e9):,.0f} handshakes/s")
    return ramp, held


def idle_round(bench, group, server, connections, sockets):
    count = bench.connections(connections)
    events = server.load(group, connections=count, sockets=sockets, handshakes_at_once=AT_ONCE, hold_ms=bench.milliseconds(2_000))
    memory(bench, f"{group}.{server.name}", count, events)


def idle(bench, server):
    """Ten thousand connections that do nothing."""
    idle_round(bench, "idle", server, 10_000, 8)


def idle_crowd(bench, server):
    """Fifty thousand of them."""
    idle_round(bench, "idle_crowd", server, 50_000, 16)


def crowd_round(bench, group, server, connections, rate, sockets):
    count = bench.connections(connections)
    trouble = None
    try:
        events = server.load(group, connections=count, sockets=sockets, handshakes_at_once=AT_ONCE,
                             hold_ms=bench.milliseconds(500), rates=rate, measure_ms=bench.milliseconds(3_000))
    except Trouble as found:
        # A rate that was too high says nothing against what the connections cost.
        trouble, events = found, found.events
        if "held" not in events:
            raise
    name = f"{group}.{server.name}"
    ramp, held = memory(bench, name, count, events)
    bench.add(f"{name}.ramp", "handshakes/s", count / (ramp["elapsed_ns"] / 1e9))
    bench.add(f"{name}.ramp_cpu", "us each", ramp["server_cpu_ns"] / 1e3 / count)
    bench.add(f"{name}.idle_cpu", "cores", held["server_cpu_ns"] / held["elapsed_ns"])
    open_events(bench, group, server, count, events)
    if trouble:
        raise trouble


def held(bench, server):
    """Ten thousand connections."""
    crowd_round(bench, "held", server, 10_000, 10_000, 8)


def crowd(bench, server):
    """Fifty thousand connections."""
    crowd_round(bench, "crowd", server, 50_000, 20_000, 16)


def overload_round(bench, group, server, connections, sockets, buffers):
    count = bench.connections(connections)
    ways = {"connections": count, "sockets": sockets, "handshakes_at_once": AT_ONCE, "measure_ms": bench.milliseconds(3_000)}
    events = server.load(group, in_flight=1, overload=OVERLOAD_PERCENT, **ways)
    name = f"{group}.{server.name}"
    closed_loop, streams = events["closed_loop"][0], events["overload_streams"][0]
    capacity = closed_loop["moves_acked"] / (closed_loop["elapsed_ns"] / 1e9)
    bench.add(f"{name}.capacity", "moves/s", capacity)
    bench.latency(f"{name}.capacity", closed_loop)
    bench.latency(f"{name}.streams", streams)
    bench.add(f"{name}.streams.rate", "moves/s", streams["moves_acked_in_time"] / (streams["measure_ns"] / 1e9))
    bench.add(f"{name}.streams.held_back", "%", 100 * streams["moves_held_back"] / streams["moves_due"])
    say(f"{server.name:11} {count:6,} connections take {capacity:8,.0f}/s; twice that on streams:"
        f" p99 {streams['latency_ns']['p99'] / 1e6:8.2f} ms")
    if server.name != "lodestone":
        return
    server.end()
    for kind, kib in buffers.items():
        receiver = Server(bench, server.name, server.pinned, bench.lodestone(kib))
        try:
            event = receiver.load(f"{group}, {kind}", datagrams=True, rates=max(1, int(capacity * OVERLOAD_PERCENT / 100)), **ways)
            datagrams_round(bench, f"{name}.{kind}", event["datagrams"][0])
            bench.add(f"{name}.{kind}.socket_drops", "packets", dropped_packets(receiver.address))
        finally:
            receiver.end()


def dropped_packets(address):
    """Packets that found the receive buffer of the UDP socket full, since it was opened."""
    port = f":{int(address.rsplit(':', 1)[1]):04X}"
    lines = [line.split() for line in pathlib.Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]]
    return sum(int(words[-1]) for words in lines if words[1].endswith(port))


def datagrams_round(bench, name, event):
    """What became of twice too many moves in datagrams."""
    sent, sending_s = event["moves_sent"], event["sending_ns"] / 1e9
    shares = {kind: 100 * event[f"moves_{kind}"] / sent for kind in ("acked", "shed", "unanswered")}
    bench.latency(name, event)
    bench.add(f"{name}.offered", "moves/s", sent / sending_s)
    bench.add(f"{name}.rate", "moves/s", event["moves_acked"] / sending_s)
    bench.add(f"{name}.left_late_p99", "us", event["late_ns"]["p99"] / 1e3)
    for kind, share in shares.items():
        bench.add(f"{name}.{kind}", "%", share)
    bench.add(f"{name}.newcomers_let_in", "%", 100 * event["newcomers_connected"] / max(event["newcomers"], 1))
    say(f"{name}: {sent / sending_s:,.0f}/s, {shares['acked']:.0f} % acknowledged, p50 {event['latency_ns']['p50'] / 1e6:.2f} ms,"
        f" p99 {event['latency_ns']['p99'] / 1e6:.2f} ms (left late by {event['late_ns']['p99'] / 1e6:.2f});"
        f" {shares['shed']:.0f} % refused, {shares['unanswered']:.0f} % lost;"
        f" {event['newcomers_connected']} of {event['newcomers']} newcomers let in")


def overload(bench, server):
    """Twice what the server takes, on a thousand connections."""
    overload_round(bench, "overload", server, 1_000, 8, {"datagrams": 256, "datagrams_default": 4_096})


def overload_crowd(bench, server):
    """The same on fifty thousand."""
    overload_round(bench, "overload_crowd", server, 50_000, 16, {"datagrams": 96})


def handshakes(bench, server):
    """Connections that are opened, welcomed and closed."""
    for kind, count, options in (("serial", 300, {"handshakes_at_once": 1}), ("full", 2_000, {"handshakes_at_once": 32}),
                                 ("resumed", 2_000, {"handshakes_at_once": 32, "resume": True}),
                                 ("early", 2_000, {"handshakes_at_once": 32, "resume": True, "early_data": True})):
        count = count // 20 if bench.quick else count
        event = server.load(f"handshakes, {kind}", handshakes=count, **options)["handshakes"][0]
        name = f"handshakes_{kind}.{server.name}"
        if kind == "early":
            bench.add(f"{name}.granted", "%", 100 * event["early_data"] / count)
        if "resume" in options:
            bench.add(f"{name}.share", "%", 100 * event["resumed"] / count)
            if event["resumed"] == 0:
                say(f"{server.name:11} resumes nothing: it gives no session tickets")
                continue
        bench.latency(name, event, "handshake_ns")
        bench.latency(f"{name}.welcome", event, "welcome_ns")
        bench.add(f"{name}.rate", "handshakes/s", count / (event["elapsed_ns"] / 1e9))
        bench.add(f"{name}.server_cpu", "us each", event["server_cpu_ns"] / 1e3 / count)
        say(f"{server.name:11} {kind:8} p50 {event['handshake_ns']['p50'] / 1e3:7.0f} us"
            f"  p99 {event['handshake_ns']['p99'] / 1e3:7.0f} us  {count / (event['elapsed_ns'] / 1e9):8,.0f}/s"
            f"  server {event['server_cpu_ns'] / 1e3 / count:6.0f} us each")


# (what a round does, contenders, rounds, one core each, a fresh server each round)
GROUPS = {
    "closed": (closed, ALL, 5, True, False),
    "coalesced": (coalesced, ALL, 5, True, False),
    "knee": (knee, ALL, 5, False, False),
    "idle": (idle, ALL, 3, False, True),
    "idle-crowd": (idle_crowd, QUIC, 3, False, True),
    "held": (held, ALL, 5, False, True),
    "crowd": (crowd, QUIC, 3, False, True),
    "overload": (overload, QUIC, 3, True, True),
    "overload-crowd": (overload_crowd, QUIC, 3, True, True),
    "handshakes": (handshakes, ALL, 5, False, False),
}


def measure(bench, group, rounds, kept):
    """Rounds of a group, contenders in turn, until each has had so many turns; those that `kept` knows of count."""
    work, names, _, pinned, fresh = GROUPS[group]
    servers = {}
    try:
        for number in range(rounds):
            for name in [name for name in names if name in bench.commands and kept.turns.get(name, 0) <= number]:
                say(f"{group}, round {number + 1} of {rounds}")
                # How busy the machine was with other things is part of what was found.
                bench.runs.append({"contender": name, "what": "turn", "load_average_1m": round(os.getloadavg()[0], 2)})
                try:
                    if name not in servers:
                        servers[name] = Server(bench, name, pinned and (os.cpu_count() or 1) > 1)
                    work(bench, servers[name])
                except Trouble as trouble:
                    bench.trouble(name, trouble)
                kept.take(bench, name)
                if fresh and name in servers:
                    servers.pop(name).end()
                    time.sleep(0.2)
    finally:
        for server in servers.values():
            server.end()


def try_all(bench):
    """The quick trial: every group once, on one server of each contender."""
    for name in bench.commands:
        server = None
        try:
            server = Server(bench, name, False)
            for work, names, *_ in GROUPS.values():
                if name in names:
                    # A group may have ended it.
                    server = Server(bench, name, False) if server.log.closed else server
                    work(bench, server)
        except Trouble as trouble:
            bench.trouble(name, trouble)
        finally:
            if server:
                server.end()


class Kept:
    """The raw results of a group, written anew after each turn, so that whoever ends this loses one turn at most."""

    def __init__(self, target, adding):
        self.target = target
        before = json.loads(target.read_text(encoding="utf-8")) if adding and target.exists() else {}
        self.metrics, self.runs = before.get("metrics", {}), before.get("runs", [])
        self.turns = before.get("turns", {})
        if not self.turns:
            # Of a file that does not say: as many as there are values.
            for name, metric in self.metrics.items():
                contender = name.split(".")[2]
                self.turns[contender] = max(self.turns.get(contender, 0), len(metric["rounds"]))

    def take(self, bench, contender):
        """Adds what the bench has found in a turn of the contender; the bench forgets it."""
        for name, metric in bench.metrics.items():
            self.metrics.setdefault(name, {"unit": metric["unit"], "rounds": []})["rounds"] += metric["rounds"]
        self.runs += bench.runs
        self.turns[contender] = self.turns.get(contender, 0) + 1
        bench.metrics, bench.runs = {}, []
        lines = [f' "turns": {json.dumps(self.turns)}', f' "metrics": {json.dumps(self.metrics, indent=1)}', ' "runs": [']
        runs = ",\n".join(f"  {json.dumps(run)}" for run in self.runs)
        whole = self.target.with_suffix(".new")
        whole.write_text("{\n" + ",\n".join(lines) + "\n" + runs + "\n ]\n}\n", encoding="utf-8")
        whole.replace(self.target)


def main():
    arguments = sys.argv[1:]
    rounds = 0
    if len(arguments) < 2 or "--help" in arguments:
        sys.exit(__doc__)
    if "--rounds" in arguments:
        at = arguments.index("--rounds")
        rounds = int(arguments[at + 1])
        del arguments[at:at + 2]
    quick, adding, resuming = (flag in arguments for flag in ("--quick", "--add", "--resume"))
    folder, programs, *groups = [argument for argument in arguments if not argument.startswith("--")]
    # Whoever ends this ends the servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("quic.py: ended by a signal"))
    # Ten thousand TCP connections take as many files, in the server and here.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    bench = Bench(programs, quick)
    if quick:
        try_all(bench)
        Kept(pathlib.Path(folder) / "quic-all.json", False).take(bench, "all")
        return
    unknown = [group for group in groups if group not in GROUPS]
    if unknown:
        sys.exit(f"quic.py: there is no group {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    for group in groups or GROUPS:
        kept = Kept(pathlib.Path(folder) / f"quic-{group}.json", adding or resuming)
        had = max(kept.turns.values(), default=0) if adding else 0
        measure(bench, group, had + (rounds or GROUPS[group][2]), kept)


if __name__ == "__main__":
    main()
