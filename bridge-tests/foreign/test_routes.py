"""ROUTE and PATH."""

import struct

import wire
from served import NODES_MAX, ServedTest
from wire import Status, Type


def mask(length):
    """A live edge of this length, 0..=255."""
    return 0x1_0000 | length


class RouteTest(ServedTest):
    async def edges(self, stream, *edges):
        """Sets edges (source, target, length) and waits for the last."""
        built = [stream.build_move(source, target, mask(length)) for source, target, length in edges]
        stream.write(b"".join(data for _, data in built))
        for counter, _ in built:
            await self.assert_outcome(Status.OK, stream, counter)

    async def assert_path(self, stream, distance, *nodes):
        """ROUTE between the ends gives exactly this path."""
        path = await stream.route(nodes[0], nodes[-1])
        self.assertEqual((distance, len(nodes), 0, nodes), path[1:])

    async def test_path_over_one_edge(self):
        stream = (await self.session()).first
        a, b = self.nodes(2)
        await self.edges(stream, (a, b, 7))
        await self.assert_path(stream, 7, a, b)

    async def test_edges_are_directed(self):
        stream = (await self.session()).first
        a, b = self.nodes(2)
        await self.edges(stream, (a, b, 7))
        self.assertEqual((wire.U64_MAX, 0, 0, ()), (await stream.route(b, a))[1:])

    async def test_least_distance_wins_over_fewest_edges(self):
        stream = (await self.session()).first
        a, b, c, d = self.nodes(4)
        await self.edges(stream, (a, d, 10), (a, b, 3), (b, c, 3), (c, d, 3))
        await self.assert_path(stream, 9, a, b, c, d)

    async def test_of_equal_distances_the_fewest_edges(self):
        stream = (await self.session()).first
        a, b, c, d = self.nodes(4)
        await self.edges(stream, (a, b, 2), (b, c, 2), (c, d, 2), (a, d, 6))
        await self.assert_path(stream, 6, a, d)

    async def test_then_the_lowest_predecessor_going_back_from_the_target(self):
        stream = (await self.session()).first
        a, b, c, d, e = self.nodes(5)
        # Both a-b-d-e and a-c-d-e, and the edges that lead to the higher node are set first.
        await self.edges(stream, (a, c, 1), (a, b, 1), (c, d, 1), (b, d, 1), (d, e, 1))
        await self.assert_path(stream, 3, a, b, d, e)

    async def test_the_tie_is_broken_at_the_target_first(self):
        stream = (await self.session()).first
        s, low, high, low_end, high_end, t = self.nodes(6)
        # s-high-low_end-t and s-low-high_end-t: forwards the second is lower, back from the target the first.
        await self.edges(
            stream, (s, low, 1), (s, high, 1), (high, low_end, 1), (low, high_end, 1), (low_end, t, 1), (high_end, t, 1)
        )
        await self.assert_path(stream, 3, s, high, low_end, t)

    async def test_a_lower_predecessor_on_more_edges_loses(self):
        stream = (await self.session()).first
        low, mid, s, t, high = self.nodes(5)
        await self.edges(stream, (s, mid, 1), (mid, low, 1), (low, t, 2), (s, high, 2), (high, t, 2))
        await self.assert_path(stream, 4, s, high, t)

    async def test_edges_of_length_zero(self):
        stream = (await self.session()).first
        a, b, c, d = self.nodes(4)
        await self.edges(stream, (a, b, 0), (b, c, 0), (c, b, 0), (c, d, 5), (b, d, 5))
        await self.assert_path(stream, 0, a, b, c)
        await self.assert_path(stream, 5, a, b, d)

    async def test_ties_among_edges_of_length_zero(self):
        stream = (await self.session()).first
        s, a, b, c, t = self.nodes(5)
        await self.edges(stream, (s, c, 0), (c, t, 0), (s, b, 0), (b, t, 0), (b, a, 0), (a, t, 0), (b, c, 0), (c, b, 0))
        await self.assert_path(stream, 0, s, b, t)

    async def test_a_mask_whose_two_bytes_are_equal_is_an_edge_of_length_zero(self):
        stream = (await self.session()).first
        a, b = self.nodes(2)
        await self.accept(stream, a, b, 0x5A5A)
        await self.assert_path(stream, 0, a, b)

    async def test_source_equal_to_target(self):
        stream = (await self.session()).first
        node = self.nodes(1)[0]
        await self.assert_path(stream, 0, node)

    async def test_unreachable(self):
        stream = (await self.session()).first
        a, b, c = self.nodes(3)
        await self.edges(stream, (a, b, 1))
        path = await stream.route(a, c)
        self.assertEqual((wire.U64_MAX, 0, 0, ()), path[1:])

    async def test_mask_zero_removes_the_edge(self):
        stream = (await self.session()).first
        a, b = self.nodes(2)
        await self.edges(stream, (a, b, 1))
        await self.accept(stream, a, b, 0)
        self.assertEqual(wire.U64_MAX, (await stream.route(a, b)).distance)
        slot = await stream.slot(a)
        self.assertEqual((b, 0, 0, 1, 2), (slot.target, slot.edge_mask, slot.weight, slot.state, slot.version))

    async def test_a_move_to_another_target_leaves_the_old_edge(self):
        stream = (await self.session()).first
        a, b, c = self.nodes(3)
        await self.edges(stream, (a, b, 4), (a, c, 6))
        await self.assert_path(stream, 4, a, b)
        await self.assert_path(stream, 6, a, c)

    async def test_a_move_over_an_edge_sets_its_mask(self):
        stream = (await self.session()).first
        a, b = self.nodes(2)
        await self.edges(stream, (a, b, 200))
        await self.edges(stream, (a, b, 3))
        await self.assert_path(stream, 3, a, b)

    async def test_a_route_sees_all_earlier_frames_of_its_stream(self):
        stream = (await self.session()).first
        a, b = self.nodes(2)
        asked, data = [], b""
        for length in range(1, 60):
            data += stream.build_move(a, b, mask(length))[1]
            counter, question = stream.build(Type.ROUTE, a, b)
            # The next move must not reach back into the answer.
            asked.append((counter, length))
            data += question
        stream.write(data)
        for counter, length in asked:
            self.assertEqual(length, wire.path((await stream.answer(counter)).body).distance)

    async def test_a_route_sees_what_was_acknowledged_to_another_session(self):
        one, two = (await self.session()).first, (await self.session()).first
        a, b = self.nodes(2)
        for length in range(1, 30):
            accepted = await self.accept(one, a, b, mask(length))
            path = await two.route(a, b)
            self.assertEqual(length, path.distance)
            self.assertGreaterEqual(path.revision, accepted.revision)

    async def test_the_revision_of_path_advances_without_a_change_of_edges(self):
        stream = (await self.session()).first
        a, b = self.nodes(2)
        await self.edges(stream, (a, b, 1))
        for _ in range(5):
            accepted = await self.accept(stream, a, b, mask(1))
            self.assertGreaterEqual((await stream.route(a, b)).revision, accepted.revision)
        released = await self.assert_outcome(Status.OK, stream, stream.send(Type.RELEASE, a))
        self.assertGreaterEqual((await stream.route(a, b)).revision, released.revision)

    async def test_the_first_bad_node_is_named(self):
        stream = (await self.session()).first
        node = self.nodes(1)[0]
        bad, worse = NODES_MAX, wire.U32_MAX
        for source, target, named in ((bad, node, bad), (node, worse, worse), (worse, bad, worse), (bad, bad, bad)):
            found = await stream.answer(stream.send(Type.ROUTE, source, target))
            self.assertEqual((Status.OUT_OF_BOUNDS, named), found)

    async def test_a_path_of_more_than_8192_nodes_lists_the_first(self):
        stream = (await self.session()).first
        nodes = self.nodes(9000)
        for start in range(0, 8999, 1000):
            await self.edges(stream, *((node, node + 1, 1) for node in nodes[start : start + 1000] if node != nodes[-1]))
        found = await stream.answer(stream.send(Type.ROUTE, nodes[0], nodes[-1]))
        path = wire.path(found.body)
        self.assertEqual((8999, 9000), (path.distance, path.nodes_total))
        self.assertEqual(24 + 4 * wire.PATH_LISTED_MAX, len(found.body))
        self.assertEqual(tuple(nodes[: wire.PATH_LISTED_MAX]), path.nodes)
        exact = await stream.route(nodes[0], nodes[wire.PATH_LISTED_MAX - 1])
        self.assertEqual((8191, 8192, tuple(nodes[:8192])), (exact.distance, exact.nodes_total, exact.nodes))

    async def test_layout_of_path(self):
        stream = (await self.session()).first
        a, b, c = self.nodes(3)
        await self.edges(stream, (a, b, 1), (b, c, 2))
        found = await stream.answer(stream.send(Type.ROUTE, a, c))
        self.assertEqual(struct.pack("<QIIIII", 3, 3, 0, a, b, c), found.body[8:])


class InlineRouteTest(RouteTest):
    """The same where the engine thread finds the routes."""

    configuration = "inline"
