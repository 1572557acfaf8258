"""Streams: split frames, many at once, their ends, and the credit that comes back."""

import struct

import wire
from served import ServedTest
from wire import Status, Type


class SplitTest(ServedTest):
    async def test_frames_split_byte_by_byte(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        moved, moved_bytes = stream.build_move(node, target, payload=b"0123456789")
        asked, asked_bytes = stream.build(Type.READ, node)
        for byte in moved_bytes + asked_bytes:
            stream.write(bytes([byte]))
            await stream.fully_sent()
        await self.assert_outcome(Status.OK, stream, moved)
        self.assertEqual(b"0123456789", wire.slot((await stream.answer(asked)).body[8:]).payload)

    async def test_frames_split_at_each_place_in_turn(self):
        stream = (await self.session()).first
        node, target = self.nodes(2)
        whole = len(wire.move(0, 0, wire.packet(node, target, payload=bytes(5))))
        for place in range(1, whole):
            counter, data = stream.build_move(node, target, payload=struct.pack("<BI", 0, place))
            stream.write(data[:place])
            await stream.fully_sent()
            stream.write(data[place:])
            await self.assert_outcome(Status.OK, stream, counter)
        self.assertEqual(whole - 1, (await stream.slot(node)).version)

    async def test_many_frames_in_pieces_of_odd_sizes(self):
        stream = (await self.session()).first
        nodes = self.nodes(301)
        data = b"".join(stream.build_move(node, node + 1, payload=bytes(node % 233))[1] for node in nodes[:-1])
        place = 0
        for size in [1, 2, 3, 5, 7, 11, 17, 31, 61, 127, 251, 509, 1021] * 30:
            stream.write(data[place : place + size])
            await stream.fully_sent()
            place += size
        stream.write(data[place:])
        await self.assert_outcome(Status.OK, stream, stream.next_counter - 1)
        self.assertEqual({}, stream.refused)


class ManyStreamsTest(ServedTest):
    async def test_all_streams_at_once(self):
        client = await self.session()
        streams = [client.first] + [client.open() for _ in range(client.welcome.streams_max - 1)]
        self.assertGreaterEqual(len(streams), 128)
        nodes = self.nodes(len(streams) + 1)
        asked = [(stream, node, stream.move(node, node + 1)) for stream, node in zip(streams, nodes)]
        for stream, _, counter in asked:
            await self.assert_outcome(Status.OK, stream, counter)
        for stream, node, _ in reversed(asked):
            self.assertEqual(1, (await stream.slot(node)).version)

    async def test_credit_comes_back_when_streams_end(self):
        client = await self.session()
        rounds = 3 * client.welcome.streams_max
        for _ in range(rounds):
            stream = client.open()
            await stream.read(0)
            stream.finish()
        self.assertGreater(stream.stream_id // 4, 2 * client.welcome.streams_max)

    async def test_each_stream_that_ends_makes_room_while_all_others_stay_open(self):
        client = await self.session()
        streams = [client.open() for _ in range(client.welcome.streams_max - 2)]  # the first stream stays open, too
        for stream in streams:
            await stream.read(0)
        for _ in range(2 * client.welcome.streams_max):
            last = client.open()
            await last.read(0)
            last.finish()
            await client.until(lambda last=last: last.ended, "FIN of the server")
        await streams[-1].read(0)

    async def test_credit_comes_back_when_streams_are_reset(self):
        client = await self.session()
        for _ in range(2 * client.welcome.streams_max):
            stream = client.open()
            await stream.read(0)
            stream.write(b"\x10")
            await stream.fully_sent()
            stream.abandon()
        last = client.open()
        await last.read(0)

    async def test_credit_comes_back_when_streams_are_stopped_and_finished(self):
        client = await self.session()
        for _ in range(2 * client.welcome.streams_max):
            stream = client.open()
            await stream.read(0)
            stream.stop()
            stream.finish()
        last = client.open()
        await last.read(0)


class EndTest(ServedTest):
    async def test_after_fin_all_is_answered_then_fin(self):
        client = await self.session()
        stream = client.open()
        nodes = self.nodes(201)
        built = [stream.build_move(node, node + 1, 0x1_0001) for node in nodes[:-1]]
        built += [stream.build_move(nodes[0], nodes[0])]
        read, question = stream.build(Type.READ, nodes[7])
        route, other = stream.build(Type.ROUTE, nodes[0], nodes[200])
        stream.write(b"".join(data for _, data in built) + question + other, fin=True)
        await client.until(lambda: stream.ended, "FIN of the server")
        self.assertGreaterEqual(stream.acked, built[-1][0])
        self.assertEqual({built[-1][0]: (Status.OUT_OF_BOUNDS, nodes[0])}, stream.refused)
        self.assertEqual(1, wire.slot(stream.answers[read].body[8:]).version)
        self.assertEqual((200, 201), wire.path(stream.answers[route].body)[1:3])

    async def test_fin_of_a_stream_without_frames(self):
        client = await self.session()
        stream = client.open()
        stream.finish()
        await client.until(lambda: stream.ended, "FIN of the server")
        self.assertEqual([], stream.log)

    async def test_a_frame_cut_off_by_fin_is_dropped_without_error(self):
        client = await self.session()
        node, other, target = self.nodes(3)
        for cut in (1, 15, 16, 17, 40, 71):
            stream = client.open()
            moved, data = stream.build_move(node, target)
            _, dropped = stream.build_move(other, target)
            stream.write(data + dropped[:cut], fin=True)
            await client.until(lambda stream=stream: stream.ended, "FIN of the server")
            self.assertEqual(moved, stream.acked)
        self.assertEqual(6, (await client.first.slot(node)).version)
        self.assertEqual(bytes(256), (await client.first.read(other))[1])

    async def test_a_frame_cut_off_by_reset_is_dropped_without_error(self):
        client = await self.session()
        node, other, target = self.nodes(3)
        stream = client.open()
        await self.accept(stream, node, target)
        _, dropped = stream.build_move(other, target)
        stream.write(dropped[:-1])
        await stream.fully_sent()
        stream.abandon()
        await client.ping()
        self.assertEqual(1, (await client.first.slot(node)).version)
        self.assertEqual(bytes(256), (await client.first.read(other))[1])

    async def test_after_stop_sending_frames_are_applied_unanswered(self):
        client = await self.session()
        nodes = self.nodes(101)
        stream = client.open()
        await stream.read(nodes[0])
        stream.stop()
        await client.ping()
        for node in nodes[:-1]:
            stream.move(node, node + 1)
        for node in nodes[:-1]:
            await self.until_version(client.first, node, 1)
        self.assertEqual(-1, stream.acked)

    async def test_the_end_of_one_stream_leaves_others_alone(self):
        client = await self.session()
        stays = client.open()
        await stays.read(0)
        for end in ("finish", "abandon", "stop"):
            stream = client.open()
            await stream.read(0)
            getattr(stream, end)()
            node, target = self.nodes(2)
            await self.accept(stays, node, target)

    async def test_the_end_of_the_first_stream_keeps_the_session(self):
        for end in ("finish", "abandon", "stop"):
            with self.subTest(end=end):
                client = await self.session()
                other = client.open()
                await other.read(0)
                getattr(client.first, end)()
                await client.ping()
                node, target = self.nodes(2)
                await self.accept(other, node, target)
                await self.accept(client.open(), node, target)
                counter = client.datagram_pair(Type.READ, node)
                self.assertEqual(2, wire.slot((await client.datagram_answer(counter)).body[8:]).version)
