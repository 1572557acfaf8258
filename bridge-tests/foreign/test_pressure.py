"""Clients that do not take their answers, and queues that are full."""

import asyncio

import wire
from served import ServedTest
from wire import Status, Type

STREAM_BYTES = 16_384
ANSWER_BYTES = 16 + 8 + wire.SLOT_BYTES


class UnreadTest(ServedTest):
    async def flood(self, stream, questions):
        """Writes READs without end to a stream whose answers are not taken."""
        stream.client.quic.frozen.add(stream.stream_id)
        stream.write(b"".join(stream.build(Type.READ, 0)[1] for _ in range(questions)))

    async def test_its_streams_stop_others_go_on_and_nothing_is_lost(self):
        client, other = await self.session(stream_bytes=STREAM_BYTES), await self.session()
        stream = client.open()
        questions = 20_000
        await self.flood(stream, questions)
        await client.until(lambda: stream.bytes_received == STREAM_BYTES, "answers up to the credit")
        await client.until(stream.flow_blocked, "the server to stop reading")
        # Others: another session, and this session's other streams.
        nodes = self.nodes(51)
        for node in nodes[:-1]:
            await self.accept(other.first, node, node + 1)
        self.assertTrue(stream.flow_blocked())
        # Taken up again: every question gets its answer, in full.
        client.quic.frozen.clear()
        client.quic._streams[stream.stream_id].max_stream_data_local = 1 << 28
        client.quic._local_max_data.value = 1 << 28
        client.transmit()
        await client.until(lambda: len(stream.answers) == questions, "all answers")
        self.assertEqual(questions * ANSWER_BYTES, stream.bytes_received)

    async def test_answers_not_taken_on_one_stream_leave_its_connection_alive(self):
        client = await self.session(stream_bytes=STREAM_BYTES)
        stream = client.open()
        await self.flood(stream, 2 * STREAM_BYTES // ANSWER_BYTES)
        await client.until(lambda: stream.bytes_received == STREAM_BYTES, "answers up to the credit")
        for _ in range(5):
            await client.ping()
        self.assertIsNone(client.ending)


class SlowConsumerTest(ServedTest):
    configuration = "narrow"

    async def test_it_is_closed_with_code_15(self):
        client, other = await self.session(stream_bytes=STREAM_BYTES), await self.session()
        stream = client.open()
        client.quic.frozen.add(stream.stream_id)
        stream.write(b"".join(stream.build(Type.READ, 0)[1] for _ in range(20_000)))
        node, target = self.nodes(2)
        closing = asyncio.ensure_future(self.assert_closed(client, Status.SLOW_CONSUMER))
        while not closing.done():
            await self.accept(other.first, node, target)
        await closing
        await self.accept(other.first, node, target)

    async def test_a_session_that_asks_nothing_is_no_slow_consumer(self):
        idle = await self.session()
        slow = await self.session(stream_bytes=STREAM_BYTES)
        stream = slow.open()
        slow.quic.frozen.add(stream.stream_id)
        stream.write(b"".join(stream.build(Type.READ, 0)[1] for _ in range(20_000)))
        await self.assert_closed(slow, Status.SLOW_CONSUMER)
        await idle.first.read(0)


class FullQueueTest(ServedTest):
    """A channel of one batch and a pathfinder queue of one route."""

    configuration = "narrow"

    async def test_a_full_channel_drops_no_frame(self):
        nodes = self.nodes(2)

        async def pour(client):
            streams = [client.open() for _ in range(4)]
            for stream in streams:
                stream.write(b"".join(stream.build_move(*nodes)[1] for _ in range(2000)))
            for stream in streams:
                await self.assert_outcome(Status.OK, stream, 1999)
                self.assertEqual({}, stream.refused)

        clients = [await self.session() for _ in range(3)]
        await asyncio.gather(*(pour(client) for client in clients))
        self.assertEqual(3 * 4 * 2000, (await clients[0].first.slot(nodes[0])).version)

    async def test_a_full_pathfinder_queue_drops_no_route(self):
        client = await self.session()
        a, b = self.nodes(2)
        await self.accept(client.first, a, b, 0x1_0009)
        streams = [client.open() for _ in range(4)]
        for stream in streams:
            stream.write(b"".join(stream.build(Type.ROUTE, a, b)[1] for _ in range(1000)))
        for stream in streams:
            await client.until(lambda stream=stream: len(stream.answers) == 1000, "every PATH")
            self.assertEqual({9}, {wire.path(found.body).distance for found in stream.answers.values()})

    async def test_moves_of_others_go_on_while_routes_wait(self):
        router, mover = await self.session(), await self.session()
        a, b, c = self.nodes(3)
        await self.accept(mover.first, a, b, 0x1_0009)
        stream = router.open()
        stream.write(b"".join(stream.build(Type.ROUTE, a, b)[1] for _ in range(2000)))
        for _ in range(50):
            await self.accept(mover.first, c, b)
        await router.until(lambda: len(stream.answers) == 2000, "every PATH")
