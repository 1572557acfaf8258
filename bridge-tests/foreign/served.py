"""Starts the product's own server, one for each configuration, and gives tests clients of it."""

import asyncio
import atexit
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import unittest

import lodestone_client
from wire import Status

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOGS = ROOT / "target" / "foreign"
READY_LIMIT_S = 90
END_LIMIT_S = 90
QUESTIONS_MAX = 5000
READY = re.compile(r"LODESTONE READY quic=127\.0\.0\.1:(\d+) cert=(.+) pid=(\d+)\n")

NODES_MAX = 100_000
SECRETS = {7: bytes(range(32)), 8: bytes(range(100, 140))}

# What differs from the defaults, by name of the configuration.
CONFIGURATIONS = {
    "plain": {
        "arena": {"capacity": 40_000},
        "graph": {"nodes_max": NODES_MAX, "edges_max": 200_000},
    },
    # The engine thread finds the routes.
    "inline": {
        "arena": {"capacity": 40_000},
        "graph": {"nodes_max": NODES_MAX, "edges_max": 200_000, "pathfinder": "inline"},
    },
    "tiny": {
        "arena": {"capacity": 4},
        "graph": {"nodes_max": 1000, "edges_max": 3},
    },
    "narrow": {
        "arena": {"capacity": 4000},
        "graph": {"nodes_max": 10_000, "edges_max": 20_000, "route_budget": 4, "route_queue": 1},
        # Longer than a busy machine keeps a client that takes its answers from doing so.
        "transport": {"slow_consumer_ms": 2000, "channel_batches": 1, "answer_buffer_kib": 40},
    },
    "tokens": {
        "arena": {
            "capacity": 6,
            "tenants": [
                {"id": 1, "guaranteed_slots": 2, "slots_max": 3},
                {"id": 2, "guaranteed_slots": 0, "slots_max": 6},
            ],
        },
        "graph": {"nodes_max": 1000, "edges_max": 1000},
        "transport": {
            "auth": {"keys": [{"id": key, "secret_hex": secret.hex()} for key, secret in SECRETS.items()]}
        },
    },
}


class Server:
    """One foreground server; stopped by SIGTERM, at the latest when Python ends."""

    running = {}

    @classmethod
    def shared(cls, name):
        """The server of a configuration, started on first use."""
        if name not in cls.running:
            cls.running[name] = cls(name)
        return cls.running[name]

    def __init__(self, name):
        self.name = name
        self.next_node = 0
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log = LOGS / f"{name}.log"
        # JSON is YAML.
        configuration = LOGS / f"{name}.yaml"
        configuration.write_text(json.dumps(CONFIGURATIONS[name], indent=2) + "\n")
        (jar,) = (ROOT / "java-api" / "target").glob("lodestone-[0-9]*[0-9].jar")
        command = ["ci/with-tools.sh", "java", "-jar", jar, "serve", "--config", configuration, "--port", "0"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command], cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
            )
        found = READY.fullmatch(self._line())
        if found is None:
            self.process.kill()
            raise AssertionError(f"server {name} did not become ready; its log:\n{self.log.read_text()}")
        self.address = ("127.0.0.1", int(found[1]))
        self.certificate = found[2]
        self.pid = int(found[3])

    def _line(self):
        readable, _, _ = select.select([self.process.stdout], [], [], READY_LIMIT_S)
        return self.process.stdout.readline() if readable else ""

    def terminate(self):
        """SIGTERM to the process that the READY line names."""
        os.kill(self.pid, signal.SIGTERM)

    def stop(self):
        """Waits for the end after SIGTERM; raises unless it ended with 0 and said nothing more on stdout."""
        del self.running[self.name]
        try:
            said, _ = self.process.communicate(timeout=END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            said, _ = self.process.communicate()
        if self.process.returncode != 0 or said:
            raise AssertionError(
                f"server {self.name} ended with {self.process.returncode} after SIGTERM, stdout after READY {said!r};"
                f" its log:\n{self.log.read_text()}"
            )

    @classmethod
    def stop_all(cls):
        """Ends what still runs when Python ends."""
        for server in list(cls.running.values()):
            server.terminate()
            try:
                server.stop()
            except AssertionError as problem:
                print(problem, file=sys.stderr)
                os._exit(1)


atexit.register(Server.stop_all)


class ServedTest(unittest.IsolatedAsyncioTestCase):
    """A test against the server of `configuration`. Clients are closed and held against the page at the end."""

    configuration = "plain"

    def setUp(self):
        self.server = Server.shared(self.configuration)
        self.clients = []
        self.addAsyncCleanup(self._end_clients)

    async def _end_clients(self):
        for client in self.clients:
            client.drop()
        self.assertEqual([], [each for client in self.clients for each in client.violations])

    async def connect(self, **options):
        """A client before HELLO."""
        # unittest turns the loop's debug mode on, which notes a stack for each of the many futures here.
        asyncio.get_running_loop().set_debug(False)
        client = await lodestone_client.connect(self.server.address, self.server.certificate, **options)
        self.clients.append(client)
        return client

    async def session(self, token=b"", **options):
        """A client after an accepted HELLO."""
        client = await self.connect(**options)
        welcome = await client.greet(token)
        self.assertEqual(Status.OK, welcome.status)
        return client

    def nodes(self, count):
        """Numbers of nodes that no other test of this server uses."""
        first = self.server.next_node
        self.server.next_node += count
        return range(first, first + count)

    async def assert_outcome(self, status, stream, counter):
        """Waits for a MOVE or RELEASE and compares its status."""
        outcome = await stream.outcome(counter)
        self.assertEqual(Status(status).name, Status(outcome.status).name, f"frame {counter}")
        return outcome

    async def accept(self, stream, *arguments, **named):
        """A MOVE that must be accepted."""
        return await self.assert_outcome(Status.OK, stream, stream.move(*arguments, **named))

    async def refuse(self, status, stream, *arguments, **named):
        """A MOVE that must be refused."""
        return await self.assert_outcome(status, stream, stream.move(*arguments, **named))

    async def assert_closed(self, client, status):
        """Waits for the end by application code `status`; CLOSE, when it came through, says the same."""
        ending = await client.ended()
        self.assertFalse(ending.from_transport, f"ended by the transport, not by the application: {ending}")
        self.assertEqual(status, ending.code, ending)
        if client.announced is not None:
            self.assertEqual((status, ending.text), client.announced[1:])
        return ending

    async def until_version(self, stream, node, version):
        """Asks until the node has this version: for moves whose ACK nobody waits for. The count of questions is bounded."""
        for _ in range(QUESTIONS_MAX):
            slot = await stream.slot(node)
            if slot.version >= version:
                break
        self.assertEqual(version, slot.version, f"node {node}")
