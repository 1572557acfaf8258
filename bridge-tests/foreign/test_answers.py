"""ACK, REJECT, ACK_EACH, their order, and the revision."""

import wire
from served import ServedTest
from wire import Status, Type


class AckTest(ServedTest):
    async def test_a_lone_move_is_acknowledged(self):
        client = await self.session()
        node, target = self.nodes(2)
        counter = client.first.move(node, target)
        self.assertEqual(1, counter)  # HELLO was 0
        outcome = await self.assert_outcome(Status.OK, client.first, counter)
        self.assertGreaterEqual(outcome.revision, 1)

    async def test_counters_of_another_stream_begin_at_zero(self):
        client = await self.session()
        node, target = self.nodes(2)
        stream = client.open()
        counter = stream.move(node, target)
        self.assertEqual(0, counter)
        await self.assert_outcome(Status.OK, stream, counter)

    async def test_a_lone_refused_move_is_covered_by_an_ack(self):
        stream = (await self.session()).first
        node = self.nodes(1)[0]
        await self.refuse(Status.OUT_OF_BOUNDS, stream, node, node)
        self.assertEqual([Type.WELCOME, Type.REJECT, Type.ACK], [found.type for found in stream.log])

    async def test_reads_and_routes_count_in_acks(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        built = [stream.build(Type.READ, node), stream.build(Type.ROUTE, node, target), stream.build_move(node, target)]
        stream.write(b"".join(data for _, data in built))
        await self.assert_outcome(Status.OK, stream, built[2][0])
        self.assertEqual(built[2][0], stream.acked)

    async def test_a_thousand_moves_at_once_are_all_decided(self):
        stream = (await self.session()).first
        nodes = self.nodes(1001)
        before, _ = await stream.read(nodes[0])
        built = [stream.build_move(node, node + 1) for node in nodes[:-1]]
        stream.write(b"".join(data for _, data in built))
        outcome = await self.assert_outcome(Status.OK, stream, built[-1][0])
        # Batches hold at most 128 accepted moves, and at least one.
        self.assertIn(stream.revision - before, range(8, 1001))
        self.assertGreaterEqual(outcome.revision, before + 8)
        self.assertEqual({}, stream.refused)

    async def test_an_ack_means_committed(self):
        client = await self.session()
        one, two = client.first, client.open()
        node, target = self.nodes(2)
        for version in range(1, 30):
            accepted = await self.accept(one, node, target)
            revision, data = await two.read(node)
            self.assertEqual(version, wire.slot(data).version)
            self.assertGreaterEqual(revision, accepted.revision)


class RevisionTest(ServedTest):
    async def test_one_accepted_move_raises_it_by_one(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        before, _ = await stream.read(node)
        self.assertEqual(before + 1, (await self.accept(stream, node, target)).revision)
        self.assertEqual(before + 1, (await stream.read(node))[0])
        released = await self.assert_outcome(Status.OK, stream, stream.send(Type.RELEASE, node))
        self.assertEqual(before + 2, released.revision)

    async def test_where_nothing_was_accepted_nothing_is_raised(self):
        stream = (await self.session()).first
        node = self.nodes(1)[0]
        before, _ = await stream.read(node)
        self.assertEqual(before, (await self.refuse(Status.OUT_OF_BOUNDS, stream, node, node)).revision)
        self.assertEqual(before, (await self.assert_outcome(Status.NO_SLOT, stream, stream.send(Type.RELEASE, node))).revision)
        self.assertEqual(before, (await stream.read(node))[0])

    async def test_it_never_falls_while_answers_of_all_kinds_mix(self):
        # Each stream holds every revision that comes against the one before (Stream._check_revision).
        client = await self.session()
        nodes = self.nodes(40)
        streams = [client.open() for _ in range(4)]
        last = []
        for stream in streams:
            built = []
            for step in range(100):
                source = nodes[step % 39]
                built.append(stream.build_move(source, source + 1))
                built.append(stream.build(Type.READ, source))
                built.append(stream.build(Type.ROUTE, nodes[0], source))
            stream.write(b"".join(data for _, data in built))
            last.append(built)
        for stream, built in zip(streams, last):
            for counter, _ in built[1::3] + built[2::3]:
                await stream.answer(counter)
            await self.assert_outcome(Status.OK, stream, built[-3][0])


class AckEachTest(ServedTest):
    async def test_an_ack_with_exactly_the_counter(self):
        stream = (await self.session()).first
        nodes = self.nodes(301)
        built, flagged = [], []
        for step, node in enumerate(nodes[:-1]):
            flags = wire.ACK_EACH if step % 7 == 0 else 0
            counter, data = stream.build_move(node, node + 1, flags=flags)
            built.append(data)
            if flags:
                flagged.append(counter)
        stream.write(b"".join(built))
        await self.assert_outcome(Status.OK, stream, counter)
        covered = [counter for counter, _ in stream.covering]
        for counter in flagged:
            self.assertEqual(1, covered.count(counter), f"ACK {counter} among {covered}")

    async def test_a_refused_one_gets_reject_then_that_ack(self):
        stream = (await self.session()).first
        nodes = self.nodes(61)
        built, refused = [], []
        for step, node in enumerate(nodes[:-1]):
            bad = step % 5 == 3
            counter, data = stream.build_move(node, node if bad else node + 1, flags=wire.ACK_EACH)
            built.append(data)
            if bad:
                refused.append(counter)
        stream.write(b"".join(built))
        await stream.outcome(counter)
        self.assertEqual(refused, sorted(stream.refused))
        for each in refused:
            place = next(index for index, found in enumerate(stream.log) if found[0] == Type.REJECT and found[3] == each)
            following = stream.log[place + 1]
            self.assertEqual((Type.ACK, each), (following.type, following.counter))

    async def test_release_with_ack_each(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        await self.accept(stream, node, target)
        for status in (Status.OK, Status.NO_SLOT):
            counter = stream.send(Type.RELEASE, node, flags=wire.ACK_EACH)
            await self.assert_outcome(status, stream, counter)
            self.assertEqual(counter, stream.acked)


class RejectOrderTest(ServedTest):
    async def test_rejects_come_in_counter_order_before_the_ack_that_covers_them(self):
        # Stream._take_reject complains of any REJECT out of order or after its ACK; here all of them must have come.
        stream = (await self.session()).first
        nodes = self.nodes(501)
        built, wanted = [], {}
        for step, node in enumerate(nodes[:-1]):
            kind = step % 4
            if kind == 0:
                counter, data = stream.build_move(node, node + 1)
            elif kind == 1:
                counter, data = stream.build_move(node, node + 1, digest=bytes(32))
                wanted[counter] = Status.BAD_DIGEST
            elif kind == 2:
                counter, data = stream.build_move(node, node + 1, version=9)
                wanted[counter] = Status.CONFLICT
            else:
                counter, data = stream.build(Type.RELEASE, node)
                wanted[counter] = Status.NO_SLOT
            built.append(data)
        stream.write(b"".join(built))
        await stream.outcome(counter)
        self.assertEqual(wanted, {counter: status for counter, (status, _) in stream.refused.items()})
