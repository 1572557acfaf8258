"""What MOVE, RELEASE and READ do to slots and versions, and how they are refused."""

import struct

import wire
from served import NODES_MAX, ServedTest
from wire import Status, Type


class SlotTest(ServedTest):
    async def test_state_shows_the_slot_as_the_page_lays_it_out(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        payload = bytes(range(1, 101))
        await self.accept(stream, node, target, 0xABCD_1234, payload)
        _, data = await stream.read(node)
        wanted = struct.pack("<IIIBBHQ", node, target, 0xABCD_1234, 0x34 ^ 0x12, 1, 100, 1) + payload
        self.assertEqual(wanted + bytes(256 - len(wanted)), data)

    async def test_a_node_without_slot_reads_as_zeros(self):
        stream = (await self.session()).first
        _, data = await stream.read(self.nodes(1)[0])
        self.assertEqual(bytes(256), data)

    async def test_a_target_gets_no_slot(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        await self.accept(stream, node, target)
        _, data = await stream.read(target)
        self.assertEqual(bytes(256), data)

    async def test_the_shortest_and_the_longest_payload(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        longest = bytes(255 - index % 251 for index in range(wire.PAYLOAD_BYTES_MAX))
        await self.accept(stream, node, target, payload=longest)
        slot = await stream.slot(node)
        self.assertEqual((232, longest, b""), (slot.payload_length, slot.payload, slot.rest))
        await self.accept(stream, node, target, payload=b"")
        slot = await stream.slot(node)
        self.assertEqual((0, b"", bytes(232)), (slot.payload_length, slot.payload, slot.rest))

    async def test_a_shorter_payload_leaves_nothing_of_the_longer(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        await self.accept(stream, node, target, payload=b"\xff" * 232)
        await self.accept(stream, node, target, payload=b"abc")
        slot = await stream.slot(node)
        self.assertEqual((b"abc", bytes(229)), (slot.payload, slot.rest))

    async def test_weight_is_the_xor_of_the_two_low_bytes(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        for mask in (0x0001, 0x0100, 0xFF00, 0x0F0F, 0x1_0000, 0xFFFF_FFFF, 0x8000_55AA, 0):
            await self.accept(stream, node, target, mask)
            slot = await stream.slot(node)
            self.assertEqual((mask, wire.weight(mask), 1), (slot.edge_mask, slot.weight, slot.state))

    async def test_the_last_node_below_nodes_max(self):
        stream = (await self.session()).first
        await self.accept(stream, NODES_MAX - 1, NODES_MAX - 2)
        self.assertEqual(NODES_MAX - 1, (await stream.slot(NODES_MAX - 1)).source)

    async def test_a_read_sees_what_was_acknowledged_to_another_session(self):
        one, two = (await self.session()).first, (await self.session()).first
        node, target = self.nodes(2)
        for step in range(20):
            accepted = await self.accept(one, node, target, payload=struct.pack("<I", step))
            revision, data = await two.read(node)
            self.assertEqual(step, struct.unpack("<I", wire.slot(data).payload)[0])
            self.assertGreaterEqual(revision, accepted.revision)


class VersionTest(ServedTest):
    async def test_versions_count_the_accepted_moves_of_a_node(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        for version in range(1, 6):
            await self.accept(stream, node, target)
            self.assertEqual(version, (await stream.slot(node)).version)

    async def test_the_expected_version_is_accepted(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        await self.accept(stream, node, target)
        for version in range(1, 5):
            await self.accept(stream, node, target, version=version)
        self.assertEqual(5, (await stream.slot(node)).version)

    async def test_another_version_is_a_conflict_and_changes_nothing(self):
        stream = (await self.session()).first
        node, target, other = self.nodes(3)
        await self.accept(stream, node, target, payload=b"kept")
        before = await stream.read(node)
        for version in (2, 3, wire.U64_MAX):
            await self.refuse(Status.CONFLICT, stream, node, other, payload=b"lost", version=version)
        self.assertEqual(before, await stream.read(node))
        self.assertEqual(wire.U64_MAX, (await stream.route(node, other)).distance)

    async def test_a_version_for_a_node_without_slot_is_a_conflict(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        await self.refuse(Status.CONFLICT, stream, node, target, version=1)

    async def test_of_two_sessions_with_the_same_expectation_one_wins(self):
        one, two = (await self.session()).first, (await self.session()).first
        node, target = self.nodes(2)
        await self.accept(one, node, target)
        counters = [(stream, stream.move(node, target, version=1)) for stream in (one, two)]
        seen = sorted([(await stream.outcome(counter)).status for stream, counter in counters])
        self.assertEqual([Status.OK, Status.CONFLICT], seen)
        self.assertEqual(2, (await one.slot(node)).version)


class RefusedTest(ServedTest):
    async def test_a_wrong_digest(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        await self.refuse(Status.BAD_DIGEST, stream, node, target, digest=bytes(32))
        self.assertEqual(bytes(256), (await stream.read(node))[1])

    async def test_the_digest_covers_the_header(self):
        client = await self.session()
        node, target = self.nodes(2)
        # The digest of the same packet under another counter.
        other = wire.move(client.session, 999, wire.packet(node, target))[16:48]
        await self.refuse(Status.BAD_DIGEST, client.first, node, target, digest=other)
        # The digest of the same frame without ACK_EACH.
        plain = wire.move(client.session, client.first.next_counter, wire.packet(node, target))[16:48]
        await self.refuse(Status.BAD_DIGEST, client.first, node, target, digest=plain, flags=wire.ACK_EACH)

    async def test_a_digest_that_differs_in_its_last_bit(self):
        client = await self.session()
        node, target = self.nodes(2)
        right = wire.move(client.session, client.first.next_counter, wire.packet(node, target))[16:48]
        wrong = right[:31] + bytes([right[31] ^ 1])
        await self.refuse(Status.BAD_DIGEST, client.first, node, target, digest=wrong)

    async def test_source_out_of_bounds(self):
        stream = (await self.session()).first
        for source in (NODES_MAX, wire.U32_MAX):
            outcome = await self.refuse(Status.OUT_OF_BOUNDS, stream, source, 0)
            self.assertEqual(source, outcome.node)

    async def test_target_out_of_bounds(self):
        stream = (await self.session()).first
        node = self.nodes(1)[0]
        for target in (NODES_MAX, wire.U32_MAX):
            outcome = await self.refuse(Status.OUT_OF_BOUNDS, stream, node, target)
            self.assertEqual(node, outcome.node)

    async def test_source_equal_to_target(self):
        stream = (await self.session()).first
        node = self.nodes(1)[0]
        await self.refuse(Status.OUT_OF_BOUNDS, stream, node, node)

    async def test_weight_byte_not_zero(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        await self.refuse(Status.OUT_OF_BOUNDS, stream, node, target, weight=1)

    async def test_state_byte_not_zero(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        await self.refuse(Status.OUT_OF_BOUNDS, stream, node, target, state=1)

    async def test_payload_length_other_than_the_packets(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        for length in (0, 7, 9, 232, 0xFFFF):
            await self.refuse(Status.OUT_OF_BOUNDS, stream, node, target, payload=bytes(8), payload_length=length)
        self.assertEqual(bytes(256), (await stream.read(node))[1])

    async def test_a_refused_move_leaves_slot_edges_and_revision(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        await self.accept(stream, node, target, 0x0500, b"kept")
        before = await stream.read(node)
        await self.refuse(Status.BAD_DIGEST, stream, node, target, 0x0900, b"lost", digest=bytes(32))
        await self.refuse(Status.OUT_OF_BOUNDS, stream, node, target, 0, b"lost", weight=9)
        await self.refuse(Status.CONFLICT, stream, node, target, 0x0900, b"lost", version=7)
        self.assertEqual(before, await stream.read(node))
        self.assertEqual(5, (await stream.route(node, target)).distance)

    async def test_order_digest_before_bounds_before_version(self):
        stream = (await self.session()).first
        node = self.nodes(1)[0]
        await self.refuse(Status.BAD_DIGEST, stream, NODES_MAX, 0, version=5, digest=bytes(32))
        await self.refuse(Status.OUT_OF_BOUNDS, stream, node, NODES_MAX, version=5)


class ReleaseTest(ServedTest):
    async def test_release_empties_the_slot_and_keeps_version_and_edges(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        await self.accept(stream, node, target, 0x0300, b"gone")
        await self.accept(stream, node, target, 0x0300, b"gone")
        await self.assert_outcome(Status.OK, stream, stream.send(Type.RELEASE, node))
        self.assertEqual(bytes(256), (await stream.read(node))[1])
        self.assertEqual(3, (await stream.route(node, target)).distance)
        await self.accept(stream, node, target, 0x0300)
        self.assertEqual(3, (await stream.slot(node)).version)

    async def test_after_release_even_the_right_version_is_a_conflict(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        await self.accept(stream, node, target)
        await self.assert_outcome(Status.OK, stream, stream.send(Type.RELEASE, node))
        await self.refuse(Status.CONFLICT, stream, node, target, version=1)
        await self.refuse(Status.CONFLICT, stream, node, target, version=2)

    async def test_release_of_a_node_without_slot(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        counter = stream.send(Type.RELEASE, node)
        outcome = await self.assert_outcome(Status.NO_SLOT, stream, counter)
        self.assertEqual(node, outcome.node)
        await self.accept(stream, node, target)
        await self.assert_outcome(Status.OK, stream, stream.send(Type.RELEASE, node))
        await self.assert_outcome(Status.NO_SLOT, stream, stream.send(Type.RELEASE, node))

    async def test_release_out_of_bounds(self):
        stream = (await self.session()).first
        counter = stream.send(Type.RELEASE, NODES_MAX)
        outcome = await self.assert_outcome(Status.OUT_OF_BOUNDS, stream, counter)
        self.assertEqual(NODES_MAX, outcome.node)

    async def test_release_with_reserved_not_zero(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        await self.assert_outcome(Status.OUT_OF_BOUNDS, stream, stream.send(Type.RELEASE, node, 1))
        await self.accept(stream, node, target)
        await self.assert_outcome(Status.OUT_OF_BOUNDS, stream, stream.send(Type.RELEASE, node, 1))
        self.assertEqual(1, (await stream.slot(node)).state)


class ReadTest(ServedTest):
    async def test_read_out_of_bounds(self):
        stream = (await self.session()).first
        for node in (NODES_MAX, wire.U32_MAX):
            self.assertEqual((Status.OUT_OF_BOUNDS, node), await stream.answer(stream.send(Type.READ, node)))

    async def test_read_with_reserved_not_zero(self):
        stream = (await self.session()).first
        node = self.nodes(1)[0]
        self.assertEqual((Status.OUT_OF_BOUNDS, node), await stream.answer(stream.send(Type.READ, node, 1)))

    async def test_ack_each_means_nothing_on_read_and_route(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        found = await stream.answer(stream.send(Type.READ, node, flags=wire.ACK_EACH))
        self.assertEqual(Type.STATE, found.type)
        found = await stream.answer(stream.send(Type.ROUTE, node, target, flags=wire.ACK_EACH))
        self.assertEqual(Type.PATH, found.type)
