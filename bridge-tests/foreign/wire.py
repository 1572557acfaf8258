"""Bytes of the Lodestone protocol, versions 1 and 2, written from docs/protocol.md alone: headers, frames, packets, tokens."""

import enum
import hashlib
import hmac
import struct
from typing import NamedTuple

ALPN = "lodestone/1"
VERSION = 1
VERSION_SUBSCRIPTIONS = 2
VERSION_LATEST = 3
ACK_EACH = 1
HEADER_BYTES = 16
SLOT_BYTES = 256
PACKET_HEAD_BYTES = 24
PAYLOAD_BYTES_MAX = 232
PATH_LISTED_MAX = 8192
TOKEN_BYTES_MAX = 1024
U32_MAX = 2**32 - 1
U64_MAX = 2**64 - 1


class Type(enum.IntEnum):
    """Frame types."""

    HELLO = 0x01
    WELCOME = 0x02
    MOVE = 0x10
    ACK = 0x11
    REJECT = 0x12
    RELEASE = 0x18
    ROUTE = 0x20
    PATH = 0x21
    READ = 0x28
    STATE = 0x29
    SUBSCRIBE = 0x30
    SUBSCRIBED = 0x31
    UNSUBSCRIBE = 0x32
    UPDATE = 0x38
    LATEST = 0x39
    SUBSCRIBE_LATEST = 0x3A
    CLOSE = 0x7E


class Status(enum.IntEnum):
    """Status numbers; the number is the contract."""

    OK = 0
    MALFORMED = 1
    BAD_DIGEST = 2
    OUT_OF_BOUNDS = 3
    FORBIDDEN = 4
    CONFLICT = 5
    ARENA_EXHAUSTED = 6
    GRAPH_FULL = 7
    OVERLOADED = 8
    UNAUTHORIZED = 9
    VERSION_UNSUPPORTED = 10
    REPLAYED = 11
    ROLLED_BACK = 12
    SHUTTING_DOWN = 13
    NO_SLOT = 14
    SLOW_CONSUMER = 15
    INTERNAL = 16
    BUDGET = 17
    OUT_OF_WINDOW = 18


class Frame(NamedTuple):
    """One whole frame."""

    type: int
    flags: int
    session: int
    counter: int
    body: bytes


class Welcome(NamedTuple):
    """Body of WELCOME."""

    version: int
    status: int
    streams_max: int
    revision: int
    nodes_max: int
    packet_max: int
    reserved: int


class Slot(NamedTuple):
    """The 256 bytes of a slot, taken apart; rest is what follows the payload."""

    source: int
    target: int
    edge_mask: int
    weight: int
    state: int
    payload_length: int
    version: int
    payload: bytes
    rest: bytes


class Update(NamedTuple):
    """Body of UPDATE and LATEST; slot holds 256 bytes, all zero where the node has none."""

    revision: int
    rollbacks: int
    version: int
    node: int
    order: int
    slot: bytes


class Path(NamedTuple):
    """Body of PATH; nodes are those listed, nodes_total those on the path."""

    revision: int
    distance: int
    nodes_total: int
    reserved: int
    nodes: tuple


def header(kind, session, counter, length, flags=0):
    """The 16 bytes before every body."""
    return struct.pack("<BBHIQ", kind, flags, length, session, counter)


def frame(kind, session, counter, body, flags=0):
    """A frame whose header tells the true length of its body."""
    return header(kind, session, counter, len(body), flags) + body


def hello(token=b"", version=VERSION, session=0, counter=0, flags=0):
    """HELLO, always the first frame of the first stream."""
    return frame(Type.HELLO, session, counter, struct.pack("<HH", version, len(token)) + token, flags)


def packet(source, target, edge_mask=0x0100, payload=b"", version=0, **odd):
    """The packet of a MOVE. `odd` overrides weight, state or payload_length, which a good client sends as 0, 0, len."""
    length = odd.get("payload_length", len(payload))
    head = struct.pack(
        "<IIIBBHQ", source, target, edge_mask, odd.get("weight", 0), odd.get("state", 0), length, version
    )
    return head + payload


def move(session, counter, moved, flags=0, digest=None):
    """MOVE around a packet; `digest` replaces the true one."""
    top = header(Type.MOVE, session, counter, 32 + len(moved), flags)
    return top + (digest or hashlib.sha256(top + moved).digest()) + moved


def pair(kind, session, counter, first, second, flags=0):
    """RELEASE, ROUTE and READ: two u32."""
    return frame(kind, session, counter, struct.pack("<II", first, second), flags)


def nodes(kind, session, counter, listed):
    """SUBSCRIBE and UNSUBSCRIBE: u32 nodes."""
    return frame(kind, session, counter, struct.pack(f"<{len(listed)}I", *listed))


def close(session, counter, status=0, text=""):
    """CLOSE with UTF-8 text."""
    words = text.encode()
    return frame(Type.CLOSE, session, counter, struct.pack("<HH", status, len(words)) + words)


def token(secret, key, tenant, expires_unix_ms, node_first=0, node_last=U32_MAX, nonce=1):
    """64 bytes that admit a session: 32 of claims, 32 of HMAC-SHA-256 over them."""
    claims = struct.pack("<IIQIIQ", key, tenant, expires_unix_ms, node_first, node_last, nonce)
    return claims + hmac.digest(secret, claims, "sha256")


def weight(edge_mask):
    """Weight that an edge mask stands for."""
    return (edge_mask & 0xFF) ^ ((edge_mask >> 8) & 0xFF)


def slot(data):
    """Takes the 256 bytes of a slot apart."""
    source, target, mask, slot_weight, state, length, version = struct.unpack_from("<IIIBBHQ", data)
    end = PACKET_HEAD_BYTES + length
    return Slot(source, target, mask, slot_weight, state, length, version, data[PACKET_HEAD_BYTES:end], data[end:])


def update(body):
    """Takes the body of UPDATE or LATEST apart."""
    return Update(*struct.unpack_from("<QQQII", body), body[32:].ljust(SLOT_BYTES, b"\0"))


def path(body):
    """Takes the body of PATH apart."""
    listed = (len(body) - 24) // 4
    return Path(*struct.unpack_from("<QQII", body), struct.unpack_from(f"<{listed}I", body, 24))


# Body lengths that the server may send; PATH and CLOSE are checked where they are taken apart.
SERVER_BODIES = {
    Type.WELCOME: range(24, 25),
    Type.ACK: range(8, 9),
    Type.REJECT: range(8, 9),
    Type.PATH: range(24, 24 + 4 * PATH_LISTED_MAX + 1, 4),
    Type.STATE: range(8 + SLOT_BYTES, 8 + SLOT_BYTES + 1),
    Type.SUBSCRIBED: range(16, 17),
    Type.UPDATE: (32, *range(32 + PACKET_HEAD_BYTES, 32 + SLOT_BYTES + 1)),
    Type.LATEST: (32, *range(32 + PACKET_HEAD_BYTES, 32 + SLOT_BYTES + 1)),
    Type.CLOSE: range(4, 4 + 1024 + 1),
}


def pull(buffer):
    """Takes one whole frame off the front of a bytearray; None until one is whole."""
    if len(buffer) < HEADER_BYTES:
        return None
    kind, flags, length, session, counter = struct.unpack_from("<BBHIQ", buffer)
    end = HEADER_BYTES + length
    if len(buffer) < end:
        return None
    found = Frame(kind, flags, session, counter, bytes(buffer[HEADER_BYTES:end]))
    del buffer[:end]
    return found
