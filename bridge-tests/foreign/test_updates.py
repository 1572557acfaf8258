"""Subscriptions and updates: protocol version 2, and by datagram version 3."""

import struct

import wire
from served import NODES_MAX, ServedTest
from wire import Status, Type


class UpdatesTest(ServedTest):
    async def watcher(self, version=wire.VERSION_SUBSCRIPTIONS):
        client = await self.connect()
        welcome = await client.greet(version=version)
        self.assertEqual((Status.OK, version), (welcome.status, welcome.version))
        return client

    async def subscribed(self, client, *nodes, kind=Type.SUBSCRIBE):
        """How many nodes the session is told of afterwards."""
        found = await client.first.answer(client.first.subscribe(*nodes, kind=kind))
        self.assertEqual(Type.SUBSCRIBED, found.type)
        _, subscriptions, reserved = struct.unpack("<QII", found.body)
        self.assertEqual(0, reserved)
        return subscriptions

    async def told(self, client, node, version):
        """The update that tells this version of the node."""
        return await client.until(
            lambda: next((told for told in client.updates.log if (told.node, told.version) == (node, version)), None),
            f"update of node {node}, version {version}",
        )

    async def test_a_snapshot_then_changes_of_anybody(self):
        node, _ = self.nodes(2)
        client, other = await self.watcher(), await self.session()
        self.assertEqual(1, await self.subscribed(client, node))
        told = await self.told(client, node, 0)
        self.assertEqual(bytes(wire.SLOT_BYTES), told.slot)
        for version, payload in ((1, b"one"), (2, bytes(range(232))), (3, b"")):
            outcome = await other.first.outcome(other.first.move(node, node + 1, payload=payload))
            told = await self.told(client, node, version)
            self.assertLessEqual(told.revision, outcome.revision)
            _, slot = await other.first.read(node)
            self.assertEqual(slot, told.slot)
        await other.first.outcome(other.first.send(Type.RELEASE, node))
        await client.until(lambda: client.updates.log[-1].slot == bytes(wire.SLOT_BYTES), "the node without a slot")
        self.assertEqual(3, client.updates.log[-1].version)

    async def test_unsubscribed_nodes_are_told_no_more(self):
        nodes = self.nodes(65)[:64]
        client, other = await self.watcher(), await self.session()
        self.assertEqual(64, await self.subscribed(client, *nodes))
        self.assertEqual(63, await self.subscribed(client, nodes[0], kind=Type.UNSUBSCRIBE))
        for node in nodes[:2]:
            await other.first.outcome(other.first.move(node, node + 1))
        await self.told(client, nodes[1], 1)
        self.assertEqual([], [told for told in client.updates.log if told.node == nodes[0] and told.version > 0])
        self.assertEqual(0, await self.subscribed(client, kind=Type.UNSUBSCRIBE))

    async def test_refusals_name_status_and_node(self):
        client = await self.watcher()
        refused = await client.first.answer(client.first.subscribe(1, NODES_MAX, NODES_MAX + 1))
        self.assertEqual((Status.OUT_OF_BOUNDS, NODES_MAX), refused)
        self.assertEqual(0, await self.subscribed(client, 1, kind=Type.UNSUBSCRIBE))

    async def test_lengths_are_judged_by_the_header(self):
        for kind, body in ((Type.SUBSCRIBE, b""), (Type.SUBSCRIBE, bytes(260)), (Type.UNSUBSCRIBE, bytes(6))):
            client = await self.watcher()
            client.first.write(wire.frame(kind, client.session, 1, body))
            await self.assert_closed(client, Status.MALFORMED)

    async def test_version_1_has_no_subscriptions(self):
        client = await self.session()
        client.first.write(wire.nodes(Type.SUBSCRIBE, client.session, 1, [1]))
        await self.assert_closed(client, Status.MALFORMED)

    async def test_datagrams_bring_the_newest_and_the_stream_what_rests(self):
        node, still = self.nodes(3)[:2]
        client, other = await self.watcher(wire.VERSION_LATEST), await self.session()
        self.assertEqual(2, await self.subscribed(client, node, still, kind=Type.SUBSCRIBE_LATEST))
        for version, payload in ((1, b"one"), (2, bytes(range(232))), (3, b"")):
            await other.first.outcome(other.first.move(node, node + 1, payload=payload))
            told = await client.until(
                lambda: next((told for told in client.latest if (told.node, told.version) == (node, version)), None),
                f"datagram of node {node}, version {version}",
            )
            _, slot = await other.first.read(node)
            self.assertEqual(slot, told.slot)
        orders = [told.order for told in client.latest if told.node == node]
        self.assertEqual(sorted(set(orders)), orders)
        rested = await self.told(client, node, 3)
        self.assertEqual((orders[-1], told.slot), (rested.order, rested.slot))
        await self.told(client, still, 0)
        self.assertEqual(2, len([update for update in client.updates.log if update.node in (node, still)]), "each once")

    async def test_the_other_way_is_taken_from_then_on(self):
        node = self.nodes(2)[0]
        client, other = await self.watcher(wire.VERSION_LATEST), await self.session()
        self.assertEqual(1, await self.subscribed(client, node, kind=Type.SUBSCRIBE_LATEST))
        await client.until(lambda: client.latest, "the first datagram")
        self.assertEqual(1, await self.subscribed(client, node))
        await other.first.outcome(other.first.move(node, node + 1))
        await self.told(client, node, 1)
        self.assertEqual([0], [told.version for told in client.latest])
        self.assertEqual(0, await self.subscribed(client, node, kind=Type.UNSUBSCRIBE))

    async def test_version_2_has_no_datagrams_of_updates(self):
        client = await self.watcher()
        client.first.write(wire.nodes(Type.SUBSCRIBE_LATEST, client.session, 1, [1]))
        await self.assert_closed(client, Status.MALFORMED)
