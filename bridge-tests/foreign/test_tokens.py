"""Tokens: who is admitted, what range of nodes they may move, what quota their tenant has."""

import asyncio
import time

import wire
from served import SECRETS, ServedTest
from wire import Status, Type

FAR_MS = 4_102_444_800_000  # the year 2100


def now_ms():
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


class TokenTest(ServedTest):
    configuration = "tokens"

    async def assert_unauthorized(self, token):
        """WELCOME says so and arrives; then code 9."""
        client = await self.connect()
        welcome = await client.greet(token)
        self.assertEqual((Status.UNAUTHORIZED, 0), (welcome.status, client.session))
        await self.assert_closed(client, Status.UNAUTHORIZED)

    async def test_good_tokens_under_both_keys(self):
        for key, secret in SECRETS.items():
            client = await self.session(wire.token(secret, key, 1, FAR_MS))
            await client.first.read(0)

    async def test_a_token_is_reusable(self):
        token = wire.token(SECRETS[7], 7, 1, FAR_MS)
        one, two = await self.session(token), await self.session(token)
        self.assertNotEqual(one.session, two.session)

    async def test_a_token_that_ends_soon_is_good_until_then(self):
        await self.session(wire.token(SECRETS[7], 7, 1, now_ms() + 600_000))

    async def test_the_end_of_a_token_is_tested_at_hello_only(self):
        # Longer each time: on a busy machine the first may end before HELLO is there.
        for life_ms in (1500, 6000, 24_000):
            expires_ms = now_ms() + life_ms
            token = wire.token(SECRETS[7], 7, 1, expires_ms)
            client = await self.connect()
            if (await client.greet(token)).status == Status.OK:
                break
        self.assertNotEqual(0, client.session)
        # What is waited for is the clock itself.
        while (left_ms := expires_ms - now_ms()) >= 0:
            await asyncio.sleep((left_ms + 1) / 1000)
        await client.first.read(0)
        await self.assert_unauthorized(token)

    async def test_an_expired_token(self):
        await self.assert_unauthorized(wire.token(SECRETS[7], 7, 1, now_ms() - 1))
        await self.assert_unauthorized(wire.token(SECRETS[7], 7, 1, 0))

    async def test_a_bad_mac(self):
        token = wire.token(SECRETS[7], 7, 1, FAR_MS)
        await self.assert_unauthorized(token[:63] + bytes([token[63] ^ 1]))
        await self.assert_unauthorized(token[:32] + bytes(32))

    async def test_a_changed_claim(self):
        token = wire.token(SECRETS[7], 7, 1, FAR_MS, 0, 9)
        for place in range(32):
            if place >= 4:  # the first four are the key's number
                await self.assert_unauthorized(token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :])

    async def test_the_secret_of_another_key(self):
        await self.assert_unauthorized(wire.token(SECRETS[8], 7, 1, FAR_MS))

    async def test_an_unknown_key(self):
        await self.assert_unauthorized(wire.token(SECRETS[7], 9, 1, FAR_MS))

    async def test_a_missing_token(self):
        await self.assert_unauthorized(b"")

    async def test_a_token_of_another_length(self):
        token = wire.token(SECRETS[7], 7, 1, FAR_MS)
        for wrong in (token[:63], token + b"\0", bytes(wire.TOKEN_BYTES_MAX)):
            await self.assert_unauthorized(wrong)


class RangeTest(ServedTest):
    configuration = "tokens"

    async def ranged(self, first, last):
        """The first stream of a session that may move these nodes."""
        return (await self.session(wire.token(SECRETS[7], 7, 1, FAR_MS, first, last))).first

    async def test_both_ends_of_the_range_are_in_it(self):
        stream = await self.ranged(100, 102)
        for node in (100, 102):
            await self.accept(stream, node, 200)
            await self.assert_outcome(Status.OK, stream, stream.send(Type.RELEASE, node))

    async def test_a_source_outside_is_forbidden(self):
        stream = await self.ranged(100, 102)
        for node in (0, 99, 103, 999):
            outcome = await self.refuse(Status.FORBIDDEN, stream, node, 101)
            self.assertEqual(node, outcome.node)

    async def test_a_release_outside_is_forbidden(self):
        stream = await self.ranged(100, 102)
        for node in (99, 103):
            await self.assert_outcome(Status.FORBIDDEN, stream, stream.send(Type.RELEASE, node))

    async def test_by_datagram_too(self):
        stream = await self.ranged(100, 102)
        counter = stream.client.datagram_move(99, 101, wire.ACK_EACH)
        found = await stream.client.datagram_answer(counter)
        self.assertEqual((Type.REJECT, Status.FORBIDDEN), (found.type, found.body[0]))

    async def test_order_bounds_before_range_before_version(self):
        stream = await self.ranged(100, 102)
        await self.refuse(Status.BAD_DIGEST, stream, 5000, 101, digest=bytes(32))
        await self.refuse(Status.OUT_OF_BOUNDS, stream, 5000, 101)
        await self.refuse(Status.OUT_OF_BOUNDS, stream, 99, 99)
        await self.refuse(Status.FORBIDDEN, stream, 99, 101, version=5)
        await self.assert_outcome(Status.OUT_OF_BOUNDS, stream, stream.send(Type.RELEASE, 99, 1))
        await self.assert_outcome(Status.OUT_OF_BOUNDS, stream, stream.send(Type.RELEASE, 1000))

    async def test_read_and_route_are_not_limited(self):
        owner, other = await self.ranged(100, 102), await self.ranged(300, 300)
        await self.accept(owner, 100, 150, 0x1_0004)
        self.assertEqual(1, (await other.slot(100)).state)
        self.assertEqual(4, (await other.route(100, 150)).distance)
        await self.assert_outcome(Status.OK, owner, owner.send(Type.RELEASE, 100))

    async def test_one_node_only(self):
        stream = await self.ranged(101, 101)
        await self.accept(stream, 101, 5)
        await self.assert_outcome(Status.OK, stream, stream.send(Type.RELEASE, 101))
        await self.refuse(Status.FORBIDDEN, stream, 100, 5)


class QuotaTest(ServedTest):
    """Six slots; tenant 1 is guaranteed 2 and has at most 3; tenant 2 may have all that nobody is guaranteed."""

    configuration = "tokens"

    async def asyncSetUp(self):
        self.streams = {}
        for tenant in (1, 2):
            self.streams[tenant] = (await self.session(wire.token(SECRETS[7], 7, tenant, FAR_MS))).first
        self.taken = []
        self.addAsyncCleanup(self.give_back)

    async def give_back(self):
        for stream, node in self.taken:
            await stream.outcome(stream.send(Type.RELEASE, node))

    async def take(self, tenant, node, status=Status.OK):
        """Tenant moves a node that has no slot yet."""
        stream = self.streams[tenant]
        await self.assert_outcome(status, stream, stream.move(node, 900, 0))
        if status == Status.OK:
            self.taken.append((stream, node))

    async def test_more_than_a_tenants_most(self):
        for node in range(400, 403):
            await self.take(1, node)
        await self.take(1, 403, Status.ARENA_EXHAUSTED)
        for node in range(410, 413):
            await self.take(2, node)
        await self.take(2, 413, Status.ARENA_EXHAUSTED)

    async def test_what_is_guaranteed_to_another_is_not_free(self):
        for node in range(420, 424):
            await self.take(2, node)
        await self.take(2, 424, Status.ARENA_EXHAUSTED)
        await self.take(1, 430)
        await self.take(1, 431)
        await self.take(1, 432, Status.ARENA_EXHAUSTED)

    async def test_tenants_share_one_space_of_nodes(self):
        await self.take(1, 440)
        self.assertEqual(1, (await self.streams[2].slot(440)).version)
        await self.accept(self.streams[2], 440, 900, 0, version=1)
        self.assertEqual(2, (await self.streams[1].slot(440)).version)
