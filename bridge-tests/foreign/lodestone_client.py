"""A QUIC client of Lodestone in another language and on another QUIC stack, written from docs/protocol.md alone.

It is a test tool: besides speaking the protocol it holds every frame that arrives against the page, and can break each
rule on purpose. One thread (asyncio). Every wait ends by an answer, by the end of the connection, or by a time limit.
"""

import asyncio
import struct
from typing import NamedTuple

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicProtocolVersion

import wire
from wire import Status, Type

WAIT_LIMIT_S = 90
DATAGRAM_BYTES_MAX = 65535


class ConnectionEnded(Exception):
    """The connection is over while something was still awaited."""


class WireViolation(Exception):
    """The server sent what the page does not allow."""


class Outcome(NamedTuple):
    """What became of a MOVE or RELEASE."""

    status: int
    node: int
    revision: int


class Ending(NamedTuple):
    """How the connection ended: the code and text of CONNECTION_CLOSE."""

    code: int
    text: str
    from_transport: bool


class FreezableConnection(QuicConnection):
    """A QUIC connection that can stop granting stream credit, as an application does that reads no more."""

    def __init__(self, **options):
        super().__init__(**options)
        self.frozen = set()

    def _write_stream_limits(self, builder, space, stream):
        if stream.stream_id not in self.frozen:
            super()._write_stream_limits(builder, space, stream)


class Stream:
    """One bidirectional stream: counts what is sent, sorts and checks what is answered."""

    def __init__(self, client, stream_id):
        self.client = client
        self.stream_id = stream_id
        self.next_counter = 0
        self.sent = {}  # counter -> (type, node), as sent and not yet answered or covered
        self.log = []  # every frame received, in order
        self.acked = -1
        self.covering = []  # (counter, revision) of every ACK
        self.refused = {}
        self.answers = {}
        self.revision = 0  # highest of ACK and STATE
        self.ended = False  # FIN of the server
        self.reset = False
        self.bytes_received = 0
        self._buffer = bytearray()
        self._last_refused = -1

    # Sending

    def write(self, data, fin=False):
        """Sends bytes as they are; they count for nothing."""
        self.client.quic.send_stream_data(self.stream_id, data, end_stream=fin)
        self.client.transmit()

    def _claim(self, kind, node):
        counter = self.next_counter
        self.sent[counter] = (kind, node)
        self.next_counter += 1
        return counter

    def hello(self, token=b"", version=wire.VERSION):
        """Sends HELLO."""
        counter = self._claim(Type.HELLO, 0)
        self.write(wire.hello(token, version, counter=counter))

    def build_move(self, source, target, edge_mask=0x0100, payload=b"", version=0, flags=0, digest=None, **odd):
        """A MOVE with the next counter, not sent: (counter, bytes)."""
        counter = self._claim(Type.MOVE, source)
        moved = wire.packet(source, target, edge_mask, payload, version, **odd)
        return counter, wire.move(self.client.session, counter, moved, flags, digest)

    def build(self, kind, first, second=0, flags=0):
        """A RELEASE, ROUTE or READ with the next counter, not sent: (counter, bytes)."""
        counter = self._claim(kind, first)
        return counter, wire.pair(kind, self.client.session, counter, first, second, flags)

    def move(self, *arguments, **named):
        """Sends a MOVE; returns its counter."""
        counter, data = self.build_move(*arguments, **named)
        self.write(data)
        return counter

    def send(self, kind, first, second=0, flags=0):
        """Sends a RELEASE, ROUTE or READ; returns its counter."""
        counter, data = self.build(kind, first, second, flags)
        self.write(data)
        return counter

    def subscribe(self, *listed, kind=Type.SUBSCRIBE):
        """Sends a SUBSCRIBE, a SUBSCRIBE_LATEST or an UNSUBSCRIBE; returns its counter."""
        counter = self._claim(kind, 0)
        self.write(wire.nodes(kind, self.client.session, counter, listed))
        return counter

    def finish(self):
        """FIN."""
        self.write(b"", fin=True)

    def abandon(self):
        """RESET_STREAM."""
        self.client.quic.reset_stream(self.stream_id, 0)
        self.client.transmit()

    def stop(self):
        """STOP_SENDING."""
        self.client.quic.stop_stream(self.stream_id, 0)
        self.client.transmit()

    # Waiting

    async def outcome(self, counter):
        """Waits until an ACK covers the MOVE or RELEASE with this counter."""
        await self.client.until(lambda: self.acked >= counter, f"ACK {counter} on stream {self.stream_id}")
        revision = next(revision for covered, revision in self.covering if covered >= counter)
        status, node = self.refused.get(counter, (Status.OK, None))
        return Outcome(status, node, revision)

    async def answer(self, counter):
        """Waits for STATE or PATH (the frame), or REJECT (status, node), of this counter."""
        await self.client.until(
            lambda: counter in self.answers or counter in self.refused,
            f"answer {counter} on stream {self.stream_id}",
        )
        return self.answers.get(counter) or self.refused[counter]

    async def read(self, node):
        """Asks for a node's slot: (revision, 256 bytes)."""
        found = await self.answer(self.send(Type.READ, node))
        if not isinstance(found, wire.Frame):
            raise AssertionError(f"READ {node} was refused: {found}")
        return struct.unpack_from("<Q", found.body)[0], found.body[8:]

    async def slot(self, node):
        """Asks for a node's slot, taken apart."""
        return wire.slot((await self.read(node))[1])

    async def route(self, source, target):
        """Asks for a path; the body of PATH, taken apart."""
        found = await self.answer(self.send(Type.ROUTE, source, target))
        if not isinstance(found, wire.Frame):
            raise AssertionError(f"ROUTE {source} {target} was refused: {found}")
        return wire.path(found.body)

    async def fully_sent(self):
        """Waits until every byte written has left in a packet."""
        sender = self.client.quic._streams[self.stream_id].sender
        await self.client.until(lambda: sender.highest_offset == sender._buffer_stop, "bytes to leave")

    def flow_blocked(self):
        """True while bytes wait and the server grants no credit for them."""
        sending = self.client.quic._streams[self.stream_id]
        waiting = sending.sender._buffer_stop > sending.sender.highest_offset
        return waiting and sending.sender.highest_offset == sending.max_stream_data_remote

    # Receiving

    def receive(self, data, fin):
        """Takes bytes of the server, in order."""
        self.bytes_received += len(data)
        self._buffer += data
        while (found := wire.pull(self._buffer)) is not None:
            self.log.append(found)
            self.client.check_header(found)
            self._sort(found)
        if fin:
            self.ended = True
            if self._buffer:
                self._complain("the server's FIN cut a frame")

    def _sort(self, found):
        if found.type == Type.WELCOME:
            self.client.welcomed(self, found)
        elif found.type == Type.CLOSE:
            self.client.close_announced(self, found)
        elif found.type == Type.ACK:
            self._take_ack(found)
        elif found.type == Type.REJECT:
            self._take_reject(found)
        elif found.type in (Type.STATE, Type.PATH, Type.SUBSCRIBED):
            self._take_answer(found)
        else:
            self._complain(f"a frame of type {found.type:#x}")

    def _take_ack(self, found):
        (revision,) = struct.unpack("<Q", found.body)
        if not self.acked <= found.counter < self.next_counter:
            self._complain(f"ACK {found.counter} after ACK {self.acked}, {self.next_counter} frames sent")
        self._check_revision(revision, "ACK")
        self.acked = found.counter
        self.covering.append((found.counter, revision))

    def _take_reject(self, found):
        status, reserved, node = struct.unpack("<HHI", found.body)
        kind, asked = self.sent.get(found.counter, (None, None))
        if kind is None or found.counter in self.refused or reserved != 0:
            self._complain(f"REJECT {found.counter}: never sent, said twice, or reserved {reserved}")
        if kind in (Type.MOVE, Type.RELEASE):
            if found.counter <= max(self._last_refused, self.acked):
                self._complain(f"REJECT {found.counter} after REJECT {self._last_refused}, ACK {self.acked}")
            if node != asked:
                self._complain(f"REJECT {found.counter} names node {node}, the frame named {asked}")
            self._last_refused = found.counter
        self.refused[found.counter] = (status, node)

    def _take_answer(self, found):
        wanted = {
            Type.STATE: (Type.READ,),
            Type.PATH: (Type.ROUTE,),
            Type.SUBSCRIBED: (Type.SUBSCRIBE, Type.SUBSCRIBE_LATEST, Type.UNSUBSCRIBE),
        }[found.type]
        if self.sent.get(found.counter, (None,))[0] not in wanted or found.counter in self.answers:
            self._complain(f"{Type(found.type).name} {found.counter}: not asked for, or said twice")
        (revision,) = struct.unpack_from("<Q", found.body)
        self._check_revision(revision, Type(found.type).name)
        self.answers[found.counter] = found

    def _check_revision(self, revision, what):
        if revision < self.revision:
            self._complain(f"{what} carries revision {revision} after {self.revision}: revision never falls")
        self.revision = revision

    def _complain(self, what):
        self.client.violations.append(f"stream {self.stream_id}: {what}")


class Updates:
    """The stream of updates: held against the page, in the order of their arrival."""

    def __init__(self, client):
        self.client = client
        self.log = []
        self.ended = False  # with the session only
        self._buffer = bytearray()
        self._newest = (0, 0)

    def receive(self, data, fin):
        """Takes bytes of the server, in order."""
        self._buffer += data
        while (found := wire.pull(self._buffer)) is not None:
            self.client.check_header(found)
            if found.type != Type.UPDATE or found.counter != len(self.log):
                self.client.violations.append(f"type {found.type:#x}, counter {found.counter} in the stream of updates")
                return
            told = wire.update(found.body)
            if (told.rollbacks, told.revision) < self._newest or (self.client.version < wire.VERSION_LATEST and told.order != 0):
                self.client.violations.append(f"{told} after {self._newest} (rollbacks, revision)")
            self._newest = (told.rollbacks, told.revision)
            self.log.append(told)
        self.ended = fin


class Client(QuicConnectionProtocol):
    """One connection, one session."""

    def __init__(self, quic):
        super().__init__(quic)
        self.quic = quic
        self.session = 0
        self.welcome = None
        self.streams = {}
        self.version = 0
        self.updates = None  # from version 2 on
        self.latest = []  # states that came as datagrams, from version 3 on, in the order of their arrival
        self._latest_counter = -1
        self.datagrams = []  # frames that came as datagrams
        self.datagram_counter = 0
        self.announced = None  # (stream, status, text) of the server's CLOSE
        self.ending = None
        self.tickets = []
        self.violations = []
        self._wake = self._loop.create_future()

    def open(self):
        """The next bidirectional stream; nothing is sent yet."""
        stream_id = self.quic.get_next_available_stream_id()
        self.quic.send_stream_data(stream_id, b"")  # claims the number
        self.streams[stream_id] = Stream(self, stream_id)
        return self.streams[stream_id]

    @property
    def first(self):
        """The stream of HELLO."""
        return self.streams[0] if 0 in self.streams else self.open()

    async def greet(self, token=b"", version=wire.VERSION):
        """HELLO on the first stream, then waits for WELCOME, refusing or not."""
        self.version = version
        if version >= wire.VERSION_SUBSCRIPTIONS:
            self.updates = Updates(self)
        self.first.hello(token, version)
        await self.until(lambda: self.welcome, "WELCOME")
        return self.welcome

    def send_datagram(self, data):
        """One datagram, as it is."""
        self.quic.send_datagram_frame(data)
        self.transmit()

    def datagram_move(self, source, target, flags=0, counter=None, digest=None, **named):
        """MOVE as a datagram; returns its counter."""
        counter = self._datagram_counter(counter)
        self.send_datagram(wire.move(self.session, counter, wire.packet(source, target, **named), flags, digest))
        return counter

    def datagram_pair(self, kind, node, reserved=0, flags=0, counter=None):
        """RELEASE or READ as a datagram; returns its counter."""
        counter = self._datagram_counter(counter)
        self.send_datagram(wire.pair(kind, self.session, counter, node, reserved, flags))
        return counter

    def _datagram_counter(self, wanted):
        if wanted is None:
            self.datagram_counter += 1
            return self.datagram_counter
        self.datagram_counter = max(self.datagram_counter, wanted)
        return wanted

    async def datagram_answer(self, counter):
        """Waits for the datagram that answers this counter."""
        return await self.until(
            lambda: next((found for found in self.datagrams if found.counter == counter), None),
            f"datagram answering {counter}",
        )

    async def until(self, condition, what, limit_s=WAIT_LIMIT_S):
        """Waits until condition() holds and returns its value; looked at again after every event."""
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    if self.violations:
                        raise WireViolation(self.violations[0])
                    found = condition()
                    if found:
                        return found
                    if self.ending is not None:
                        raise ConnectionEnded(f"waiting for {what}: {self.ending}")
                    await asyncio.shield(self._wake)
        except TimeoutError:
            raise AssertionError(f"no {what} within {limit_s} s") from None

    def drop(self):
        """Closes the connection and the socket under it; waits for nothing."""
        self.close()
        if self._timer is not None:
            self._timer.cancel()
        self._transport.close()

    async def ended(self):
        """Waits for the end of the connection."""
        return await self.until(lambda: self.ending, "end of the connection")

    # Receiving

    def quic_event_received(self, event):
        """Called by the QUIC stack."""
        if isinstance(event, events.StreamDataReceived):
            if event.stream_id in self.streams:
                self.streams[event.stream_id].receive(event.data, event.end_stream)
            elif self.updates is not None and event.stream_id == 3:  # the server's first unidirectional one
                self.updates.receive(event.data, event.end_stream)
            else:
                self.violations.append(f"the server opened stream {event.stream_id}")
        elif isinstance(event, events.StreamReset):
            self.streams[event.stream_id].reset = True
        elif isinstance(event, events.DatagramFrameReceived):
            self._take_datagram(event.data)

    def _process_events(self):
        super()._process_events()
        # The stack tells of CONNECTION_CLOSE only after its time of draining; it is known, and final, at once.
        closed = self.quic._close_event
        if closed is not None and self.ending is None:
            self.ending = Ending(closed.error_code, closed.reason_phrase, closed.frame_type is not None)
        self._notify()

    def transmit(self):
        """Sends what waits; that, too, is an event which can be waited for."""
        super().transmit()
        self._notify()

    def _notify(self):
        if not self._wake.done():
            self._wake.set_result(None)
        self._wake = self._loop.create_future()

    def _take_datagram(self, data):
        buffer = bytearray(data)
        found = wire.pull(buffer)
        if found is None or buffer:
            self.violations.append(f"a datagram that is not exactly one frame: {data.hex()}")
            return
        self.check_header(found)
        if found.type == Type.LATEST and self.version >= wire.VERSION_LATEST:
            if found.counter <= self._latest_counter:
                self.violations.append(f"LATEST {found.counter} after {self._latest_counter} on a path that keeps the order")
            self._latest_counter = found.counter
            self.latest.append(wire.update(found.body))
            return
        if found.type not in (Type.ACK, Type.REJECT, Type.STATE):
            self.violations.append(f"a datagram of type {found.type:#x}")
        self.datagrams.append(found)

    def check_header(self, found):
        """Holds a header of the server against the page."""
        if found.flags != 0:
            self.violations.append(f"the server sent flags {found.flags:#x}")
        if len(found.body) not in wire.SERVER_BODIES.get(found.type, ()):
            self.violations.append(f"a frame of type {found.type:#x} with {len(found.body)} bytes of body")
        if self.session and found.session != self.session:
            self.violations.append(f"session {found.session} instead of {self.session}")
        if found.type in (Type.WELCOME, Type.CLOSE) and found.counter != 0:
            self.violations.append(f"{Type(found.type).name} with counter {found.counter}")

    def welcomed(self, stream, found):
        """WELCOME came."""
        if self.welcome is not None or stream.stream_id != 0:
            self.violations.append("a second WELCOME, or one on another stream")
        self.welcome = wire.Welcome(*struct.unpack("<HHIQIHH", found.body))
        self.session = found.session
        if (self.welcome.status == Status.OK) != (found.session != 0):
            self.violations.append(f"WELCOME with status {self.welcome.status} and session {found.session}")

    def close_announced(self, stream, found):
        """CLOSE came."""
        status, length = struct.unpack_from("<HH", found.body)
        if length != len(found.body) - 4:
            self.violations.append(f"CLOSE tells a text of {length} bytes and carries {len(found.body) - 4}")
        self.announced = (stream, status, found.body[4:].decode())


async def connect(address, certificate, alpn=wire.ALPN, stream_bytes=1 << 20):
    """A connection with its handshake done and nothing sent; raises ConnectionEnded when the server refuses it.

    `certificate` is the server's, as a PEM file; `stream_bytes` is the credit each stream of the server starts with.
    """
    configuration = QuicConfiguration(
        alpn_protocols=[alpn],
        cafile=certificate,
        server_name="localhost",
        max_datagram_frame_size=DATAGRAM_BYTES_MAX,
        max_stream_data=stream_bytes,
        supported_versions=[QuicProtocolVersion.VERSION_1],
    )
    tickets = []
    quic = FreezableConnection(configuration=configuration, session_ticket_handler=tickets.append)
    loop = asyncio.get_running_loop()
    _, client = await loop.create_datagram_endpoint(lambda: Client(quic), local_addr=("127.0.0.1", 0))
    client.tickets = tickets
    client.connect(address)
    try:
        async with asyncio.timeout(WAIT_LIMIT_S):
            await client.wait_connected()
    except ConnectionError:
        client.drop()
        raise ConnectionEnded(client.ending) from None
    return client
