"""Datagrams: one frame each, answered only on request, with counters of their own."""

import struct

import wire
from served import NODES_MAX, ServedTest
from wire import Status, Type


def rejection(found):
    """(type, status, node) of a REJECT."""
    status, _, node = struct.unpack("<HHI", found.body)
    return found.type, status, node


class DatagramTest(ServedTest):
    async def assert_rejected(self, client, counter, status, node):
        """The answer to this counter is this REJECT."""
        found = await client.datagram_answer(counter)
        self.assertEqual((Type.REJECT, status, node), rejection(found))

    async def test_a_move_is_applied_and_not_answered(self):
        client = await self.session()
        node, target = self.nodes(2)
        client.datagram_move(node, target, payload=b"by datagram")
        await self.until_version(client.first, node, 1)
        self.assertEqual(b"by datagram", (await client.first.slot(node)).payload)
        counter = client.datagram_pair(Type.READ, node)
        await client.datagram_answer(counter)
        self.assertEqual([counter], [found.counter for found in client.datagrams])

    async def test_the_largest_move(self):
        client = await self.session()
        node, target = self.nodes(2)
        counter = client.datagram_move(node, target, wire.ACK_EACH, payload=b"\xa5" * 232)
        self.assertEqual(Type.ACK, (await client.datagram_answer(counter)).type)
        self.assertEqual(b"\xa5" * 232, (await client.first.slot(node)).payload)

    async def test_with_ack_each_one_ack(self):
        client = await self.session()
        nodes = self.nodes(21)
        for node in nodes[:-1]:
            counter = client.datagram_move(node, node + 1, wire.ACK_EACH)
            found = await client.datagram_answer(counter)
            self.assertEqual((Type.ACK, client.session), (found.type, found.session))
            # What is acknowledged is committed: a READ on a stream sees it.
            revision, data = await client.first.read(node)
            self.assertEqual(1, wire.slot(data).version)
            self.assertGreaterEqual(revision, struct.unpack("<Q", found.body)[0])
        self.assertEqual(20, len(client.datagrams))

    async def test_with_ack_each_one_reject(self):
        client = await self.session()
        node, target = self.nodes(2)
        counter = client.datagram_move(node, node, wire.ACK_EACH)
        await self.assert_rejected(client, counter, Status.OUT_OF_BOUNDS, node)
        counter = client.datagram_move(node, target, wire.ACK_EACH, digest=bytes(32))
        await self.assert_rejected(client, counter, Status.BAD_DIGEST, node)
        counter = client.datagram_move(node, target, wire.ACK_EACH, version=4)
        await self.assert_rejected(client, counter, Status.CONFLICT, node)
        counter = client.datagram_pair(Type.RELEASE, node, flags=wire.ACK_EACH)
        await self.assert_rejected(client, counter, Status.NO_SLOT, node)
        counter = client.datagram_pair(Type.RELEASE, node, reserved=1, flags=wire.ACK_EACH)
        await self.assert_rejected(client, counter, Status.OUT_OF_BOUNDS, node)
        await client.first.read(node)
        self.assertEqual(5, len(client.datagrams))

    async def test_a_refused_move_without_ack_each_gets_no_answer(self):
        client = await self.session()
        node = self.nodes(1)[0]
        client.datagram_move(node, node)
        client.datagram_move(node, node + 1, digest=bytes(32))
        client.datagram_pair(Type.RELEASE, node)
        counter = client.datagram_pair(Type.READ, node)
        await client.datagram_answer(counter)
        self.assertEqual([counter], [found.counter for found in client.datagrams])

    async def test_release(self):
        client = await self.session()
        node, target = self.nodes(2)
        await self.accept(client.first, node, target)
        counter = client.datagram_pair(Type.RELEASE, node, flags=wire.ACK_EACH)
        self.assertEqual(Type.ACK, (await client.datagram_answer(counter)).type)
        self.assertEqual(bytes(256), (await client.first.read(node))[1])

    async def test_read_gets_its_state(self):
        client = await self.session()
        node, target = self.nodes(2)
        accepted = await self.accept(client.first, node, target, payload=b"seen")
        counter = client.datagram_pair(Type.READ, node)
        found = await client.datagram_answer(counter)
        self.assertEqual(Type.STATE, found.type)
        self.assertEqual(b"seen", wire.slot(found.body[8:]).payload)
        self.assertGreaterEqual(struct.unpack_from("<Q", found.body)[0], accepted.revision)

    async def test_read_out_of_bounds(self):
        client = await self.session()
        counter = client.datagram_pair(Type.READ, NODES_MAX)
        await self.assert_rejected(client, counter, Status.OUT_OF_BOUNDS, NODES_MAX)

    async def test_any_first_counter_and_gaps(self):
        client = await self.session()
        node, target = self.nodes(2)
        for counter in (1000, 1001, 5000, 2**40, wire.U64_MAX - 1):
            client.datagram_move(node, target, wire.ACK_EACH, counter=counter)
            self.assertEqual(Type.ACK, (await client.datagram_answer(counter)).type)

    async def test_the_first_counter_may_be_zero(self):
        client = await self.session()
        node, target = self.nodes(2)
        client.datagram_move(node, target, wire.ACK_EACH, counter=0)
        self.assertEqual(Type.ACK, (await client.datagram_answer(0)).type)

    async def test_counters_are_apart_from_those_of_streams(self):
        client = await self.session()
        node, target = self.nodes(2)
        for _ in range(5):
            await self.accept(client.first, node, target)
        client.datagram_move(node, target, wire.ACK_EACH, counter=1)
        self.assertEqual(Type.ACK, (await client.datagram_answer(1)).type)
        await self.accept(client.first, node, target)

    async def test_a_counter_that_does_not_rise_is_replayed(self):
        client = await self.session()
        node, target = self.nodes(2)
        client.datagram_move(node, target, wire.ACK_EACH, counter=10)
        await client.datagram_answer(10)
        client.datagram_move(node, target, wire.ACK_EACH, counter=9)
        await self.assert_rejected(client, 9, Status.REPLAYED, node)
        client.datagrams.clear()
        client.datagram_move(node, target, wire.ACK_EACH, counter=10)
        await self.assert_rejected(client, 10, Status.REPLAYED, node)
        client.datagram_pair(Type.RELEASE, node, flags=wire.ACK_EACH, counter=3)
        await self.assert_rejected(client, 3, Status.REPLAYED, node)
        self.assertEqual(1, (await client.first.slot(node)).version)

    async def test_replayed_without_ack_each_gets_no_answer(self):
        client = await self.session()
        node, target = self.nodes(2)
        client.datagram_move(node, target, wire.ACK_EACH, counter=10)
        await client.datagram_answer(10)
        client.datagram_move(node, target, counter=4)
        counter = client.datagram_pair(Type.READ, node, counter=11)
        self.assertEqual(1, wire.slot((await client.datagram_answer(counter)).body[8:]).version)
        self.assertEqual([10, 11], [found.counter for found in client.datagrams])

    async def test_replayed_is_tested_before_the_digest_and_bounds(self):
        client = await self.session()
        node = self.nodes(1)[0]
        client.datagram_pair(Type.READ, node, counter=10)
        await client.datagram_answer(10)
        client.datagram_move(node, node, wire.ACK_EACH, counter=5, digest=bytes(32))
        await self.assert_rejected(client, 5, Status.REPLAYED, node)

    async def test_a_refused_datagram_uses_up_its_counter(self):
        client = await self.session()
        node, target = self.nodes(2)
        client.datagram_move(node, target, wire.ACK_EACH, counter=20, digest=bytes(32))
        await self.assert_rejected(client, 20, Status.BAD_DIGEST, node)
        client.datagrams.clear()
        client.datagram_move(node, target, wire.ACK_EACH, counter=20)
        await self.assert_rejected(client, 20, Status.REPLAYED, node)
        client.datagram_move(node, target, wire.ACK_EACH, counter=21)
        self.assertEqual(Type.ACK, (await client.datagram_answer(21)).type)


class MalformedDatagramTest(ServedTest):
    async def test_what_is_not_exactly_one_whole_allowed_frame(self):
        def read(session, flags=0):
            return wire.pair(Type.READ, session, 1, 0, 0, flags)

        cases = {
            "empty": lambda session: b"",
            "one byte": lambda session: b"\x28",
            "header only": lambda session: read(session)[:16],
            "cut off": lambda session: read(session)[:-1],
            "a byte too many": lambda session: read(session) + b"\0",
            "two frames": lambda session: read(session) + wire.pair(Type.READ, session, 2, 0, 0),
            "ROUTE": lambda session: wire.pair(Type.ROUTE, session, 1, 0, 1),
            "HELLO": lambda session: wire.hello(),
            "CLOSE": lambda session: wire.close(session, 1),
            "ACK": lambda session: wire.frame(Type.ACK, session, 1, bytes(8)),
            "unknown type": lambda session: wire.frame(0x55, session, 1, bytes(8)),
            "length of MOVE": lambda session: wire.frame(Type.MOVE, session, 1, bytes(55)),
            "length of READ": lambda session: wire.frame(Type.READ, session, 1, bytes(9)),
            "session": lambda session: read(session + 1),
            "session zero": lambda session: read(0),
            "flag": lambda session: read(session, flags=4),
        }
        for name, build in cases.items():
            with self.subTest(name):
                client = await self.session()
                client.send_datagram(build(client.session))
                await self.assert_closed(client, Status.MALFORMED)
                if client.announced is not None:
                    self.assertIs(client.first, client.announced[0])


class FloodTest(ServedTest):
    configuration = "narrow"

    async def test_datagrams_in_excess_are_answered_overloaded_or_lost_and_nothing_else(self):
        client = await self.session()
        node, target = self.nodes(2)
        counters = [client.datagram_move(node, target, wire.ACK_EACH) for _ in range(2000)]
        await self.accept(client.first, node, target)
        # One more, asked until it is answered, closes the flood: answers are best effort.
        for _ in range(100):
            await client.ping()
            last = client.datagram_pair(Type.READ, node)
            await client.ping()
            if any(found.counter == last for found in client.datagrams):
                break
        self.assertTrue({found.counter for found in client.datagrams} & set(counters))
        applied = 0
        for found in client.datagrams:
            if found.type == Type.REJECT:
                self.assertEqual((Type.REJECT, Status.OVERLOADED, node), rejection(found))
            applied += found.type == Type.ACK
        self.assertGreaterEqual((await client.first.slot(node)).version, applied + 1)
        seen = [found.counter for found in client.datagrams]
        self.assertEqual(len(seen), len(set(seen)), "a datagram was answered twice")
