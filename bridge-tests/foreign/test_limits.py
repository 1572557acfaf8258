"""Full arenas, full graphs and used-up budgets, on servers configured to be tiny."""

from served import ServedTest
from wire import Status, Type


class FullTest(ServedTest):
    """Four slots and three edges."""

    configuration = "tiny"
    used = set()  # (source, target) of every edge that a test may have set

    async def asyncSetUp(self):
        self.stream = (await self.session()).first
        sources = {source for source, _ in self.used}
        for source in sources:
            await self.stream.outcome(self.stream.send(Type.RELEASE, source))
        for source, target in self.used:
            await self.accept(self.stream, source, target, 0)
            await self.stream.outcome(self.stream.send(Type.RELEASE, source))
        self.used.clear()

    async def put(self, status, source, target, mask=0x1_0001, **named):
        """A MOVE with this outcome, taken back before the next test."""
        self.used.add((source, target))
        return await self.assert_outcome(status, self.stream, self.stream.move(source, target, mask, **named))

    async def fill_slots(self):
        """Takes all four slots and no edge."""
        for source in range(10, 14):
            await self.put(Status.OK, source, 20, 0)

    async def fill_edges(self):
        """Takes all three edges and one slot."""
        for target in range(21, 24):
            await self.put(Status.OK, 10, target)

    async def test_no_slot_free(self):
        await self.fill_slots()
        outcome = await self.put(Status.ARENA_EXHAUSTED, 14, 20)
        self.assertEqual(14, outcome.node)
        self.assertEqual(0, (await self.stream.slot(14)).state)

    async def test_a_node_with_a_slot_still_moves_when_none_is_free(self):
        await self.fill_slots()
        before = await self.stream.slot(10)
        await self.put(Status.OK, 10, 21)
        self.assertEqual(before.version + 1, (await self.stream.slot(10)).version)

    async def test_a_released_slot_is_free_again(self):
        await self.fill_slots()
        await self.put(Status.ARENA_EXHAUSTED, 14, 20)
        await self.assert_outcome(Status.OK, self.stream, self.stream.send(Type.RELEASE, 12))
        await self.put(Status.OK, 14, 20)
        await self.put(Status.ARENA_EXHAUSTED, 12, 20)

    async def test_no_room_for_a_new_edge(self):
        await self.fill_edges()
        before = await self.stream.read(10)
        outcome = await self.put(Status.GRAPH_FULL, 10, 24)
        self.assertEqual(10, outcome.node)
        self.assertEqual(before, await self.stream.read(10))

    async def test_a_move_refused_for_its_edge_takes_no_slot(self):
        await self.fill_edges()
        await self.put(Status.GRAPH_FULL, 11, 24)
        self.assertEqual(bytes(256), (await self.stream.read(11))[1])
        await self.put(Status.OK, 11, 24, 0)
        self.assertEqual(1, (await self.stream.slot(11)).state)
        for source in (12, 13):
            await self.put(Status.OK, source, 24, 0)

    async def test_an_existing_edge_needs_no_room(self):
        await self.fill_edges()
        await self.put(Status.OK, 10, 22, 0x1_0055)
        self.assertEqual(0x55, (await self.stream.route(10, 22)).distance)

    async def test_mask_zero_needs_no_room_and_makes_some(self):
        await self.fill_edges()
        await self.put(Status.OK, 11, 30, 0)
        await self.put(Status.OK, 10, 22, 0)
        await self.put(Status.OK, 11, 30)
        await self.put(Status.GRAPH_FULL, 11, 31)

    async def test_release_keeps_the_edges_counted(self):
        await self.fill_edges()
        await self.assert_outcome(Status.OK, self.stream, self.stream.send(Type.RELEASE, 10))
        await self.put(Status.GRAPH_FULL, 11, 24)
        self.assertEqual(1, (await self.stream.route(10, 21)).distance)

    async def test_order_version_before_slots_before_edges(self):
        await self.fill_edges()
        for source in (11, 12, 13):
            await self.put(Status.OK, source, 20, 0)
        await self.put(Status.CONFLICT, 14, 20, version=3)
        await self.put(Status.ARENA_EXHAUSTED, 14, 20)
        await self.put(Status.CONFLICT, 11, 25, version=3)
        await self.put(Status.GRAPH_FULL, 11, 25)

    async def test_order_digest_and_bounds_before_slots(self):
        await self.fill_slots()
        await self.put(Status.BAD_DIGEST, 14, 20, digest=bytes(32))
        counter = self.stream.move(14, 1000)
        await self.assert_outcome(Status.OUT_OF_BOUNDS, self.stream, counter)


class BudgetTest(ServedTest):
    """Four settled vertices for a route."""

    configuration = "narrow"

    async def test_a_route_past_its_budget_is_refused(self):
        stream = (await self.session()).first
        nodes = self.nodes(60)
        for node in nodes[:-1]:
            counter = stream.move(node, node + 1, 0x1_0001)
        await self.assert_outcome(Status.OK, stream, counter)
        status, _ = await stream.answer(stream.send(Type.ROUTE, nodes[0], nodes[-1]))
        self.assertEqual(Status.BUDGET, status)
        # The stream goes on, and a near target is still within the budget.
        path = await stream.route(nodes[3], nodes[4])
        self.assertEqual((1, tuple(nodes[3:5])), (path.distance, path.nodes))
        self.assertEqual(0, (await stream.route(nodes[3], nodes[3])).distance)
