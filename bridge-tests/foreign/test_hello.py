"""Transport, HELLO and WELCOME."""

import struct

import wire
from lodestone_client import ConnectionEnded
from served import NODES_MAX, ServedTest
from wire import Status, Type

NO_APPLICATION_PROTOCOL = 0x100 + 120  # TLS alert 120 as a QUIC error code


class TransportTest(ServedTest):
    async def test_quic_version_1_tls_and_alpn(self):
        client = await self.connect()
        self.assertEqual(1, client.quic._version)
        self.assertEqual("lodestone/1", client.quic.tls.alpn_negotiated)

    async def test_another_alpn_is_refused(self):
        with self.assertRaises(ConnectionEnded) as refused:
            await self.connect(alpn="h3")
        self.assertEqual(NO_APPLICATION_PROTOCOL, refused.exception.args[0].code)

    async def test_unidirectional_streams_are_not_granted(self):
        client = await self.session()
        await client.first.read(0)
        self.assertEqual(0, client.quic._remote_max_streams_uni)

    async def test_idle_time_out_is_30_seconds(self):
        client = await self.connect()
        self.assertEqual(30.0, client.quic._remote_max_idle_timeout)

    async def test_datagrams_of_1200_bytes_are_offered(self):
        client = await self.connect()
        self.assertGreaterEqual(client.quic._remote_max_datagram_frame_size, 1200)

    async def test_0rtt_is_not_offered(self):
        client = await self.session()
        await client.first.read(0)
        for ticket in client.tickets:
            self.assertIn(ticket.max_early_data_size, (None, 0))


class WelcomeTest(ServedTest):
    async def test_fields_of_welcome(self):
        client = await self.connect()
        welcome = await client.greet()
        self.assertEqual((1, Status.OK), (welcome.version, welcome.status))
        self.assertGreaterEqual(welcome.streams_max, 128)
        self.assertEqual(NODES_MAX, welcome.nodes_max)
        self.assertEqual((256, 0), (welcome.packet_max, welcome.reserved))
        self.assertNotEqual(0, client.session)

    async def test_revision_of_welcome_is_the_engines(self):
        client = await self.session()
        node, other = self.nodes(2)
        accepted = await self.accept(client.first, node, other)
        later = await self.session()
        self.assertGreaterEqual(later.welcome.revision, accepted.revision)
        revision, _ = await later.first.read(node)
        self.assertGreaterEqual(revision, later.welcome.revision)

    async def test_credit_for_all_streams_follows_welcome(self):
        client = await self.session()
        await client.until(
            lambda: client.quic._remote_max_streams_bidi >= client.welcome.streams_max, "credit for streams_max streams"
        )

    async def test_another_version_is_refused_with_welcome_and_code_10(self):
        client = await self.connect()
        welcome = await client.greet(version=99)
        self.assertEqual(Status.VERSION_UNSUPPORTED, welcome.status)
        self.assertEqual(0, client.session)
        await self.assert_closed(client, Status.VERSION_UNSUPPORTED)

    async def test_version_zero_is_refused(self):
        client = await self.connect()
        welcome = await client.greet(version=0)
        self.assertEqual(Status.VERSION_UNSUPPORTED, welcome.status)
        await self.assert_closed(client, Status.VERSION_UNSUPPORTED)

    async def test_live_sessions_have_different_numbers(self):
        clients = [await self.session() for _ in range(12)]
        self.assertEqual(12, len({client.session for client in clients}))

    async def test_without_auth_tokens_are_ignored(self):
        for token in (b"x", bytes(64), bytes(wire.TOKEN_BYTES_MAX)):
            client = await self.session(token=token)
            await client.first.read(0)


class BeforeWelcomeTest(ServedTest):
    async def test_hello_split_byte_by_byte(self):
        client = await self.connect()
        stream = client.first
        stream._claim(Type.HELLO, 0)
        for byte in wire.hello(b"token"):
            stream.write(bytes([byte]))
            await stream.fully_sent()
        await client.until(lambda: client.welcome, "WELCOME")
        self.assertEqual(Status.OK, client.welcome.status)

    async def test_other_streams_are_not_read_until_hello_is_accepted(self):
        client = await self.connect()
        first, other = client.first, client.open()
        other.write(wire.header(0xFF, 0, 0, 0))
        for _ in range(3):
            await client.ping()
        self.assertIsNone(client.ending)
        first.hello()
        await self.assert_closed(client, Status.MALFORMED)

    async def test_a_frame_begun_before_welcome_is_read_after_it(self):
        client = await self.connect()
        first, other = client.first, client.open()
        start = struct.pack("<BBH", Type.READ, 0, 8)
        other.write(start)
        await client.ping()
        await client.greet()
        node = self.nodes(1)[0]
        counter, whole = other.build(Type.READ, node)
        other.write(whole[len(start) :])
        found = await other.answer(counter)
        self.assertEqual(bytes(256), found.body[8:])
        await first.read(node)

    async def test_datagrams_before_welcome_are_dropped(self):
        client = await self.connect()
        client.send_datagram(b"not a frame")
        client.send_datagram(wire.pair(Type.READ, 0, 1, 0, 0))
        await client.ping()
        await client.greet()
        await client.first.read(0)
        self.assertEqual([], client.datagrams)
        # Nor did they use up a counter.
        counter = client.datagram_pair(Type.READ, 0, counter=1)
        self.assertEqual(Type.STATE, (await client.datagram_answer(counter)).type)
