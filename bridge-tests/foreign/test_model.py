"""Random work on several streams of several sessions at once, compared with a plain model."""

import os
import random

import wire
from model import Model
from served import NODES_MAX, ServedTest
from wire import Status, Type

SESSIONS = 3
STREAMS = 3
ROUNDS = 6
FRAMES = 80
OWN_NODES = 12


class Worker:
    """One stream with nodes of its own: only it moves them, so the order of its frames decides all that they show.

    Its inner nodes have edges among themselves only, so routes between them can be compared in the middle of work;
    its outer nodes have edges to everybody's outer nodes, so routes between those are compared when all is quiet.
    """

    def __init__(self, stream, inner, outer, everybody, model, chance):
        self.stream = stream
        self.inner = inner
        self.outer = outer
        self.everybody = everybody
        self.model = model
        self.chance = chance
        self.wanted = {}  # counter -> status, 256 bytes, or (distance, nodes)

    def frame(self):
        """Builds one random frame and notes what the model says to it."""
        kind = self.chance.choices(("move", "release", "read", "route"), (60, 8, 22, 10))[0]
        return getattr(self, kind)()

    def move(self):
        chance = self.chance
        within = chance.random() < 0.6
        source = chance.choice(self.inner if within else self.outer)
        target = chance.choice(self.inner if within else self.everybody)
        mask = chance.choice((0, 0x0101, 0x1_0001, 0x1_0002, 0x1_0003, chance.randrange(2**32)))
        payload = chance.randbytes(chance.choice((0, 1, 8, chance.randrange(233))))
        known = self.model.versions.get(source, 0)
        version = chance.choice((0, 0, 0, known, known, known + 1, chance.randrange(2**64)))
        digest = bytes(32) if chance.random() < 0.03 else None
        odd = {"weight": chance.randrange(1, 256)} if chance.random() < 0.03 else {}
        counter, data = self.stream.build_move(source, target, mask, payload, version, self.flags(), digest, **odd)
        self.wanted[counter] = self.model.move(source, target, mask, payload, version, digest is None, bool(odd))
        return data

    def release(self):
        node = self.chance.choice(self.inner + self.outer)
        reserved = int(self.chance.random() < 0.1)
        counter, data = self.stream.build(Type.RELEASE, node, reserved, self.flags())
        self.wanted[counter] = self.model.release(node, reserved)
        return data

    def read(self):
        node = self.chance.choice(self.inner + self.outer)
        counter, data = self.stream.build(Type.READ, node)
        self.wanted[counter] = self.model.read(node)
        return data

    def route(self):
        source, target = self.chance.choices(self.inner, k=2)
        counter, data = self.stream.build(Type.ROUTE, source, target)
        self.wanted[counter] = self.model.route(source, target)
        return data

    def flags(self):
        return wire.ACK_EACH if self.chance.random() < 0.1 else 0

    async def check(self, test):
        """Waits for all answers of this round and compares them."""
        for counter, wanted in self.wanted.items():
            where = f"stream {self.stream.stream_id} frame {counter}"
            if isinstance(wanted, Status):
                found = (await self.stream.outcome(counter)).status
            elif isinstance(wanted, bytes):
                found = (await self.stream.answer(counter)).body[8:]
            else:
                path = wire.path((await self.stream.answer(counter)).body)
                found = (path.distance, path.nodes)
            test.assertEqual(wanted, found, where)
        self.wanted.clear()


class ModelTest(ServedTest):
    async def test_random_work_agrees_with_a_plain_model(self):
        seed = int(os.environ.get("LODESTONE_SEED", random.SystemRandom().randrange(2**32)))
        print(f"\nmodel test: LODESTONE_SEED={seed}", flush=True)
        chance = random.Random(seed)
        model = Model(NODES_MAX)
        clients = [await self.session() for _ in range(SESSIONS)]
        streams = [client.open() for client in clients for _ in range(STREAMS)]
        numbers = list(self.nodes(2 * OWN_NODES * len(streams)))
        chance.shuffle(numbers)
        outer = [numbers[index::2][: OWN_NODES * len(streams)] for index in (0, 1)]
        everybody = outer[1]
        workers = []
        for index, stream in enumerate(streams):
            part = slice(index * OWN_NODES, (index + 1) * OWN_NODES)
            workers.append(Worker(stream, outer[0][part], everybody[part], everybody, model, chance))
        for round_number in range(ROUNDS):
            with self.subTest(seed=seed, round=round_number):
                await self.work(workers, chance)
                await self.compare_when_quiet(chance.choice(streams), everybody, model, chance)

    async def work(self, workers, chance):
        """One round: frames of all workers interleaved on the wire, in pieces of any size."""
        queues = [(worker, bytearray(b"".join(worker.frame() for _ in range(FRAMES)))) for worker in workers]
        while queues:
            worker, queue = chance.choice(queues)
            size = chance.choice((1, 20, 300, 2000))
            worker.stream.write(bytes(queue[:size]))
            del queue[:size]
            queues = [entry for entry in queues if entry[1]]
        for worker in workers:
            await worker.check(self)

    async def compare_when_quiet(self, stream, everybody, model, chance):
        """All is acknowledged: any stream must show everything."""
        for node in chance.sample(everybody, 20):
            self.assertEqual(model.read(node), (await stream.read(node))[1], f"node {node}")
        for _ in range(40):
            source, target = chance.choices(everybody, k=2)
            path = await stream.route(source, target)
            self.assertEqual(model.route(source, target), (path.distance, path.nodes), f"{source} to {target}")
