"""Protocol errors: judged on the header alone, ended with CLOSE and application code 1; frames before stay applied."""

import contextlib

import wire
from served import NODES_MAX, ServedTest
from wire import Status, Type

CLIENT_BODIES = {
    Type.MOVE: (56, 288),
    Type.RELEASE: (8, 8),
    Type.ROUTE: (8, 8),
    Type.READ: (8, 8),
    Type.CLOSE: (4, 1028),
}


class FaultTest(ServedTest):
    async def assert_malformed(self, client, stream, data):
        """These bytes end the connection with MALFORMED; CLOSE, when it comes through, comes on the stream at fault."""
        stream.write(data)
        await self.assert_closed(client, Status.MALFORMED)
        if client.announced is not None:
            self.assertIs(stream, client.announced[0])

    async def after_welcome(self, kind, length, flags=0, session=None, counter=None):
        """Sends one header without its body on the first stream."""
        client = await self.session()
        own = client.session if session is None else session(client.session)
        wanted = client.first.next_counter if counter is None else counter
        await self.assert_malformed(client, client.first, wire.header(kind, own, wanted, length, flags))

    async def test_unknown_types(self):
        for kind in (0x00, 0x03, 0x0F, 0x13, 0x17, 0x22, 0x2A, 0x7D, 0x7F, 0x80, 0xFF):
            with self.subTest(type=hex(kind)):
                await self.after_welcome(kind, 8)

    async def test_types_that_only_the_server_sends(self):
        for kind, length in ((Type.WELCOME, 24), (Type.ACK, 8), (Type.REJECT, 8), (Type.PATH, 24), (Type.STATE, 264)):
            with self.subTest(type=kind.name):
                await self.after_welcome(kind, length)

    async def test_lengths_out_of_range(self):
        for kind, (shortest, longest) in CLIENT_BODIES.items():
            for length in {0, shortest - 1, longest + 1, 0xFFFF}:
                with self.subTest(type=kind.name, length=length):
                    await self.after_welcome(kind, length)

    async def test_session_of_another(self):
        other = await self.session()
        for name, session in (("zero", lambda own: 0), ("next", lambda own: own + 1), ("live", lambda own: other.session)):
            with self.subTest(session=name):
                await self.after_welcome(Type.READ, 8, session=session)
        await other.first.read(0)

    async def test_each_flag_bit_that_must_be_zero(self):
        for bit in range(1, 8):
            with self.subTest(bit=bit):
                await self.after_welcome(Type.MOVE, 56, flags=1 << bit)
        with self.subTest(type="READ"):
            await self.after_welcome(Type.READ, 8, flags=0x81)

    async def test_counter_gap(self):
        await self.after_welcome(Type.READ, 8, counter=2)

    async def test_counter_repeated(self):
        await self.after_welcome(Type.READ, 8, counter=0)

    async def test_counter_far_ahead(self):
        await self.after_welcome(Type.READ, 8, counter=wire.U64_MAX)

    async def test_counter_of_a_later_stream_that_does_not_begin_at_zero(self):
        client = await self.session()
        await self.assert_malformed(client, client.open(), wire.header(Type.READ, client.session, 1, 8))

    async def test_second_hello_on_the_first_stream(self):
        client = await self.session()
        await self.assert_malformed(client, client.first, wire.hello(counter=1))

    async def test_second_hello_on_another_stream(self):
        client = await self.session()
        await self.assert_malformed(client, client.open(), wire.hello())

    async def test_second_hello_with_the_sessions_number(self):
        client = await self.session()
        await self.assert_malformed(client, client.first, wire.hello(counter=1, session=client.session))

    async def test_anything_but_hello_first(self):
        for kind, (length, _) in CLIENT_BODIES.items():
            with self.subTest(type=kind.name):
                client = await self.connect()
                await self.assert_malformed(client, client.first, wire.header(kind, 0, 0, length))

    async def test_hello_with_a_counter_other_than_zero(self):
        client = await self.connect()
        await self.assert_malformed(client, client.first, wire.hello(counter=1)[:16])

    async def test_hello_with_a_session(self):
        client = await self.connect()
        await self.assert_malformed(client, client.first, wire.hello(session=1)[:16])

    async def test_hello_of_a_wrong_length(self):
        for length in (0, 3, 1029, 0xFFFF):
            with self.subTest(length=length):
                client = await self.connect()
                await self.assert_malformed(client, client.first, wire.header(Type.HELLO, 0, 0, length))

    async def test_hello_with_a_flag_that_must_be_zero(self):
        client = await self.connect()
        await self.assert_malformed(client, client.first, wire.hello(flags=2)[:16])

    async def test_a_fault_on_another_stream_ends_the_connection(self):
        client = await self.session()
        stream = client.open()
        await stream.read(0)
        await self.assert_malformed(client, stream, wire.header(Type.WELCOME, client.session, 1, 24))

    async def test_frames_before_the_fault_stay_applied(self):
        client, watcher = await self.session(), await self.session()
        nodes = self.nodes(11)
        built = [client.first.build_move(node, node + 1)[1] for node in nodes[:-1]]
        fault = wire.header(0xEE, client.session, client.first.next_counter, 8)
        await self.assert_malformed(client, client.first, b"".join(built) + fault)
        for node in nodes[:-1]:
            await self.until_version(watcher.first, node, 1)

    async def test_of_the_faulty_frame_nothing_is_applied(self):
        client, watcher = await self.session(), await self.session()
        node, other, target = self.nodes(3)
        good = client.first.build_move(node, target)[1]
        # A whole and otherwise good MOVE, one counter too far.
        late = wire.move(client.session, client.first.next_counter + 1, wire.packet(other, target))
        await self.assert_malformed(client, client.first, good + late)
        await self.until_version(watcher.first, node, 1)
        self.assertEqual(bytes(256), (await watcher.first.read(other))[1])

    async def test_a_fault_leaves_other_sessions_alone(self):
        client, other = await self.session(), await self.session()
        await self.assert_malformed(client, client.first, wire.header(0xEE, client.session, 1, 8))
        node, target = self.nodes(2)
        await self.accept(other.first, node, target)

    async def test_a_bad_body_is_no_protocol_error(self):
        client = await self.session()
        await self.refuse(Status.OUT_OF_BOUNDS, client.first, NODES_MAX, NODES_MAX, state=9, payload_length=9)
        node, target = self.nodes(2)
        await self.accept(client.first, node, target)


class ClientCloseTest(ServedTest):
    async def test_frames_before_close_are_applied_and_nothing_more_is_answered(self):
        client, watcher = await self.session(), await self.session()
        stream = client.open()
        node, target = self.nodes(2)
        _, moved = stream.build_move(node, target)
        closing = wire.close(client.session, stream.next_counter, 0, "done")
        question = wire.pair(Type.READ, client.session, stream.next_counter + 1, node, 0)
        stream.write(moved + closing + question)
        await self.until_version(watcher.first, node, 1)
        await watcher.first.read(node)
        self.assertEqual({}, stream.answers)
        if client.ending is not None:
            self.assertFalse(client.ending.from_transport, client.ending)

    async def test_the_longest_close(self):
        client = await self.session()
        client.first.write(wire.close(client.session, client.first.next_counter, 0, "x" * 1024))
        # The page does not say whether the server ends the connection now; only that this is no protocol error.
        with contextlib.suppress(ConnectionError):
            for _ in range(5):
                await client.ping()
        if client.ending is not None:
            self.assertNotEqual(Status.MALFORMED, client.ending.code, client.ending)
