//! Frames: how they are cut out of a stream, judged, and written.
//!
//! A header is judged as soon as its 16 bytes are there, before the body arrives. A frame that lies whole in the
//! received chunk is handed out in place; only one that a chunk's edge cuts is gathered in a small fixed buffer.

use lodestone_memory::Status;
use sha2::{Digest, Sha256};

use crate::fanout::NodeState;
use crate::sink::PathAnswer;

/// Version of the wire contract that every client speaks.
pub(crate) const PROTOCOL_VERSION: u16 = 1;
/// Version from which on a client knows the frames of fan-out.
pub(crate) const PROTOCOL_VERSION_FANOUT: u16 = 2;
/// Version from which on a client knows fan-out by datagrams, and the order of the states of a node; the highest one spoken.
pub(crate) const PROTOCOL_VERSION_LATEST: u16 = 3;
/// Bytes of a frame's header.
pub(crate) const HEADER_BYTES: usize = 16;
/// Bytes of a MOVE's digest.
const DIGEST_BYTES: usize = 32;
/// Fewest bytes of a packet.
const PACKET_BYTES_MIN: u16 = 24;
/// Most bytes of a packet; also the size of a slot.
pub(crate) const PACKET_BYTES_MAX: u16 = 256;
/// Longest text of CLOSE and longest token of HELLO.
pub(crate) const TEXT_BYTES_MAX: u16 = 1024;
/// Longest frame that is gathered whole: a MOVE with a full packet. Of a longer CLOSE only the head is read.
pub(crate) const FRAME_BYTES_MAX: usize = HEADER_BYTES + DIGEST_BYTES + PACKET_BYTES_MAX as usize;
/// Bytes of CLOSE that are read: header, status, text length.
const CLOSE_HEAD_BYTES: usize = HEADER_BYTES + 4;
/// Most nodes that a PATH lists.
const PATH_NODES_MAX: usize = 8192;
/// Bytes of an ACK.
pub(crate) const ACK_FRAME_BYTES: usize = HEADER_BYTES + 8;
/// Bytes of a REJECT.
pub(crate) const REJECT_FRAME_BYTES: usize = HEADER_BYTES + 8;
/// Bytes of a STATE.
pub(crate) const STATE_FRAME_BYTES: usize = HEADER_BYTES + 8 + 256;
/// Bytes of a SUBSCRIBED.
pub(crate) const SUBSCRIBED_FRAME_BYTES: usize = HEADER_BYTES + 16;
/// Bytes of the longest UPDATE.
pub(crate) const UPDATE_FRAME_BYTES_MAX: usize = HEADER_BYTES + UPDATE_HEAD_BYTES + PACKET_BYTES_MAX as usize;
/// Bytes of an UPDATE's body before the slot.
const UPDATE_HEAD_BYTES: usize = 32;
/// Most bytes of the list of nodes in SUBSCRIBE and UNSUBSCRIBE: 64 of them.
const NODES_BYTES_MAX: u16 = 256;
/// Bytes of the longest PATH.
pub(crate) const PATH_FRAME_BYTES_MAX: usize = HEADER_BYTES + 24 + 4 * PATH_NODES_MAX;

/// The bit of the flags that asks for an answer to exactly this frame.
const FLAG_ACK_EACH: u8 = 1;

const TYPE_HELLO: u8 = 0x01;
const TYPE_WELCOME: u8 = 0x02;
const TYPE_MOVE: u8 = 0x10;
const TYPE_ACK: u8 = 0x11;
const TYPE_REJECT: u8 = 0x12;
const TYPE_RELEASE: u8 = 0x18;
const TYPE_ROUTE: u8 = 0x20;
const TYPE_PATH: u8 = 0x21;
const TYPE_READ: u8 = 0x28;
const TYPE_STATE: u8 = 0x29;
const TYPE_SUBSCRIBE: u8 = 0x30;
const TYPE_SUBSCRIBED: u8 = 0x31;
const TYPE_UNSUBSCRIBE: u8 = 0x32;
const TYPE_UPDATE: u8 = 0x38;
const TYPE_LATEST: u8 = 0x39;
const TYPE_SUBSCRIBE_LATEST: u8 = 0x3a;
const TYPE_CLOSE: u8 = 0x7e;

/// What is said of a type that nobody knows, or that this client's version of the contract does not have.
const UNKNOWN_TYPE: Fault = Fault("a frame of an unknown type");

/// A protocol error: the text that goes into CLOSE and the connection's close reason. Its status is `Malformed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) &'static str);

/// What a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    Hello,
    Move,
    Release,
    Route,
    Read,
    Subscribe,
    SubscribeLatest,
    Unsubscribe,
    Close,
}

impl FrameKind {
    fn of(number: u8) -> Result<FrameKind, Fault> {
        match number {
            TYPE_HELLO => Ok(FrameKind::Hello),
            TYPE_MOVE => Ok(FrameKind::Move),
            TYPE_RELEASE => Ok(FrameKind::Release),
            TYPE_ROUTE => Ok(FrameKind::Route),
            TYPE_READ => Ok(FrameKind::Read),
            TYPE_SUBSCRIBE => Ok(FrameKind::Subscribe),
            TYPE_SUBSCRIBE_LATEST => Ok(FrameKind::SubscribeLatest),
            TYPE_UNSUBSCRIBE => Ok(FrameKind::Unsubscribe),
            TYPE_CLOSE => Ok(FrameKind::Close),
            TYPE_WELCOME | TYPE_ACK | TYPE_REJECT | TYPE_PATH | TYPE_STATE => {
                Err(Fault("a frame of a type that only the server sends"))
            }
            _ => Err(UNKNOWN_TYPE),
        }
    }

    /// Whether a body of this many bytes is allowed.
    fn allows(self, length: u16) -> bool {
        let digest = DIGEST_BYTES as u16;
        match self {
            FrameKind::Hello | FrameKind::Close => (4..=4 + TEXT_BYTES_MAX).contains(&length),
            FrameKind::Move => (digest + PACKET_BYTES_MIN..=digest + PACKET_BYTES_MAX).contains(&length),
            FrameKind::Release | FrameKind::Route | FrameKind::Read => length == 8,
            FrameKind::Subscribe | FrameKind::SubscribeLatest => {
                length > 0 && length <= NODES_BYTES_MAX && length.is_multiple_of(4)
            }
            FrameKind::Unsubscribe => length <= NODES_BYTES_MAX && length.is_multiple_of(4),
        }
    }
}

/// A frame's header as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: FrameKind,
    pub(crate) ack_each: bool,
    pub(crate) length: u16,
    pub(crate) session: u32,
    pub(crate) counter: u64,
}

impl Header {
    /// Reads a header and judges what it can be judged by alone: type, length, flags.
    pub(crate) fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Header, Fault> {
        let kind = FrameKind::of(bytes[0])?;
        let length = u16_at(bytes, 2);
        if !kind.allows(length) {
            return Err(Fault("a frame whose length is out of range for its type"));
        }
        if bytes[1] & !FLAG_ACK_EACH != 0 {
            return Err(Fault("a frame with a flag that must be 0"));
        }
        let (session, counter) = (u32_at(bytes, 4), u64_at(bytes, 8));
        Ok(Header { kind, ack_each: bytes[1] & FLAG_ACK_EACH != 0, length, session, counter })
    }

    /// The version of the contract from which on a client may send it.
    fn version(self) -> u16 {
        match self.kind {
            FrameKind::Subscribe | FrameKind::Unsubscribe => PROTOCOL_VERSION_FANOUT,
            FrameKind::SubscribeLatest => PROTOCOL_VERSION_LATEST,
            _ => PROTOCOL_VERSION,
        }
    }

    /// Bytes of the whole frame.
    pub(crate) fn frame_bytes(self) -> usize {
        HEADER_BYTES + usize::from(self.length)
    }

    /// Bytes that are needed before the frame is handed out. CLOSE ends the reading, so its text need not be there.
    fn bytes_needed(self) -> usize {
        match self.kind {
            FrameKind::Close => CLOSE_HEAD_BYTES,
            _ => self.frame_bytes(),
        }
    }
}

/// What the next header on a stream of a welcomed session must say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) session: u32,
    pub(crate) counter: u64,
    /// The client's version of the contract.
    pub(crate) version: u16,
}

fn judge(bytes: &[u8], expected: Expected) -> Result<Header, Fault> {
    let head = Header::parse(&array_at(bytes, 0))?;
    if expected.version < head.version() {
        return Err(UNKNOWN_TYPE);
    }
    if head.kind == FrameKind::Hello {
        return Err(Fault("a second HELLO"));
    }
    if head.session != expected.session {
        return Err(Fault("a frame with another session's number"));
    }
    if head.counter != expected.counter {
        return Err(Fault("a frame whose counter is out of order"));
    }
    Ok(head)
}

/// One frame, its bytes in the received chunk or in the decoder's buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'bytes> {
    pub(crate) head: Header,
    bytes: &'bytes [u8],
}

impl<'bytes> Frame<'bytes> {
    /// A datagram's only frame.
    ///
    /// # Errors
    /// A datagram that is not exactly one whole frame of a type allowed there, or that names another session.
    pub(crate) fn of_datagram(bytes: &'bytes [u8], session: u32) -> Result<Frame<'bytes>, Fault> {
        if bytes.len() < HEADER_BYTES {
            return Err(Fault("a datagram shorter than a frame's header"));
        }
        let head = Header::parse(&array_at(bytes, 0))?;
        if !matches!(head.kind, FrameKind::Move | FrameKind::Release | FrameKind::Read) {
            return Err(Fault("a datagram with a frame of a type that is not allowed there"));
        }
        if head.frame_bytes() != bytes.len() {
            return Err(Fault("a datagram that is not exactly one whole frame"));
        }
        if head.session != session {
            return Err(Fault("a datagram with another session's number"));
        }
        Ok(Frame { head, bytes })
    }

    /// Bytes of the whole frame.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// MOVE: the packet. The frames of subscriptions: the nodes. Other kinds: empty.
    pub(crate) fn packet(&self) -> &'bytes [u8] {
        match self.head.kind {
            FrameKind::Move => &self.bytes[HEADER_BYTES + DIGEST_BYTES..],
            FrameKind::Subscribe | FrameKind::SubscribeLatest | FrameKind::Unsubscribe => &self.bytes[HEADER_BYTES..],
            _ => &[],
        }
    }

    /// MOVE: whether the digest is the SHA-256 over header and packet. Other kinds: true.
    pub(crate) fn digest_matches(&self) -> bool {
        if self.head.kind != FrameKind::Move {
            return true;
        }
        let computed = Sha256::new().chain_update(&self.bytes[..HEADER_BYTES]).chain_update(self.packet()).finalize();
        computed[..] == self.bytes[HEADER_BYTES..HEADER_BYTES + DIGEST_BYTES]
    }

    /// The node that a REJECT names: the source of MOVE and ROUTE, the node of RELEASE and READ; 0 of a list of nodes.
    pub(crate) fn node(&self) -> u32 {
        match self.head.kind {
            FrameKind::Move => u32_at(self.bytes, HEADER_BYTES + DIGEST_BYTES),
            // UNSUBSCRIBE may name none.
            FrameKind::Subscribe | FrameKind::SubscribeLatest | FrameKind::Unsubscribe => 0,
            _ => u32_at(self.bytes, HEADER_BYTES),
        }
    }

    /// The second word of RELEASE and READ (reserved) and of ROUTE (target).
    pub(crate) fn argument(&self) -> u32 {
        u32_at(self.bytes, HEADER_BYTES + 4)
    }

    /// CLOSE: the status.
    pub(crate) fn close_status(&self) -> u16 {
        u16_at(self.bytes, HEADER_BYTES)
    }
}

/// Cuts the frames out of one stream. Holds at most one unfinished frame, in a buffer that never grows.
pub(crate) struct FrameDecoder {
    carry: [u8; FRAME_BYTES_MAX],
    filled: usize,
    head: Option<Header>,
    /// The frame handed out last lies here.
    gathered: bool,
}

impl FrameDecoder {
    pub(crate) fn new() -> FrameDecoder {
        FrameDecoder { carry: [0; FRAME_BYTES_MAX], filled: 0, head: None, gathered: false }
    }

    /// Takes back the frame that was handed out last, so that it comes again; `before`: the chunk as it was then.
    pub(crate) fn put_back<'chunk>(&mut self, head: Header, chunk: &mut &'chunk [u8], before: &'chunk [u8]) {
        if self.gathered {
            self.filled = head.bytes_needed();
            self.head = Some(head);
        } else {
            *chunk = before;
        }
    }

    /// The next frame; `chunk` is moved past what was used. `None`: the chunk is used up.
    ///
    /// # Errors
    /// The header is a protocol error; it is found as soon as 16 bytes are there. The decoder is of no use afterwards.
    pub(crate) fn next<'frame, 'chunk: 'frame>(
        &'frame mut self,
        chunk: &mut &'chunk [u8],
        expected: Expected,
    ) -> Result<Option<Frame<'frame>>, Fault> {
        if self.filled == 0 && chunk.len() >= HEADER_BYTES {
            let head = judge(chunk, expected)?;
            if chunk.len() >= head.bytes_needed() {
                let (bytes, rest) = chunk.split_at(head.bytes_needed());
                *chunk = rest;
                self.gathered = false;
                return Ok(Some(Frame { head, bytes }));
            }
            self.head = Some(head);
        }
        self.gather(chunk, expected)
    }

    fn gather<'frame, 'chunk: 'frame>(
        &'frame mut self,
        chunk: &mut &'chunk [u8],
        expected: Expected,
    ) -> Result<Option<Frame<'frame>>, Fault> {
        let head = match self.head {
            Some(head) => head,
            None => {
                if !self.fill(chunk, HEADER_BYTES) {
                    return Ok(None);
                }
                let head = judge(&self.carry, expected)?;
                self.head = Some(head);
                head
            }
        };
        if !self.fill(chunk, head.bytes_needed()) {
            return Ok(None);
        }
        self.filled = 0;
        self.head = None;
        self.gathered = true;
        Ok(Some(Frame { head, bytes: &self.carry[..head.bytes_needed()] }))
    }

    /// Takes bytes from the chunk until `wanted` are in the buffer; says whether they are.
    fn fill(&mut self, chunk: &mut &[u8], wanted: usize) -> bool {
        let taken = chunk.len().min(wanted - self.filled);
        let (bytes, rest) = chunk.split_at(taken);
        self.carry[self.filled..self.filled + taken].copy_from_slice(bytes);
        self.filled += taken;
        *chunk = rest;
        self.filled == wanted
    }
}

/// Appends the header of a frame that the server sends.
fn put_header(out: &mut Vec<u8>, kind: u8, length: usize, session: u32, counter: u64) {
    debug_assert!(u16::try_from(length).is_ok(), "every frame sent here is bounded far below 64 KiB");
    out.extend_from_slice(&[kind, 0]);
    out.extend_from_slice(&(length as u16).to_le_bytes());
    out.extend_from_slice(&session.to_le_bytes());
    out.extend_from_slice(&counter.to_le_bytes());
}

/// Appends an ACK.
pub(crate) fn put_ack(out: &mut Vec<u8>, session: u32, counter: u64, revision: u64) {
    put_header(out, TYPE_ACK, 8, session, counter);
    out.extend_from_slice(&revision.to_le_bytes());
}

/// Appends a REJECT.
pub(crate) fn put_reject(out: &mut Vec<u8>, session: u32, counter: u64, status: Status, node: u32) {
    put_header(out, TYPE_REJECT, 8, session, counter);
    out.extend_from_slice(&status.code().to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&node.to_le_bytes());
}

/// Appends a STATE.
pub(crate) fn put_state(out: &mut Vec<u8>, session: u32, counter: u64, revision: u64, slot: &[u8; 256]) {
    put_header(out, TYPE_STATE, 8 + slot.len(), session, counter);
    out.extend_from_slice(&revision.to_le_bytes());
    out.extend_from_slice(slot);
}

/// Appends a SUBSCRIBED.
pub(crate) fn put_subscribed(out: &mut Vec<u8>, session: u32, counter: u64, revision: u64, subscriptions: u32) {
    put_header(out, TYPE_SUBSCRIBED, SUBSCRIBED_FRAME_BYTES - HEADER_BYTES, session, counter);
    out.extend_from_slice(&revision.to_le_bytes());
    out.extend_from_slice(&subscriptions.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
}

/// What an UPDATE or a LATEST tells.
pub(crate) struct Update<'state> {
    pub(crate) session: u32,
    /// Updates sent the same way before.
    pub(crate) counter: u64,
    pub(crate) node: u32,
    pub(crate) state: &'state NodeState,
    /// Orders the states of a node; 0 for clients that do not know of it.
    pub(crate) order: u32,
}

/// Appends an UPDATE: of the slot only what is in use.
pub(crate) fn put_update(out: &mut Vec<u8>, update: &Update<'_>) {
    put_node_state(out, TYPE_UPDATE, update);
}

/// Appends a LATEST, which is an UPDATE that goes as a datagram; returns its bytes.
pub(crate) fn put_latest(out: &mut Vec<u8>, update: &Update<'_>) -> usize {
    let before = out.len();
    put_node_state(out, TYPE_LATEST, update);
    out.len() - before
}

fn put_node_state(out: &mut Vec<u8>, kind: u8, update: &Update<'_>) {
    let slot = &update.state.slot;
    let is_active = slot[13] != 0;
    let payload_bytes = usize::from(u16_at(slot, 14));
    let used = if is_active { (usize::from(PACKET_BYTES_MIN) + payload_bytes).min(slot.len()) } else { 0 };
    put_header(out, kind, UPDATE_HEAD_BYTES + used, update.session, update.counter);
    for word in [update.state.revision, update.state.rollbacks, update.state.version] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&update.node.to_le_bytes());
    out.extend_from_slice(&update.order.to_le_bytes());
    out.extend_from_slice(&slot[..used]);
}

/// Appends a PATH with at most the first 8,192 nodes.
pub(crate) fn put_path(out: &mut Vec<u8>, session: u32, counter: u64, path: &PathAnswer<'_>) {
    let listed = &path.nodes[..path.nodes.len().min(PATH_NODES_MAX)];
    put_header(out, TYPE_PATH, 24 + 4 * listed.len(), session, counter);
    out.extend_from_slice(&path.revision.to_le_bytes());
    out.extend_from_slice(&path.distance.to_le_bytes());
    out.extend_from_slice(&path.nodes_total.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    for node in listed {
        out.extend_from_slice(&node.to_le_bytes());
    }
}

/// What WELCOME tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Welcome {
    pub(crate) version: u16,
    /// 0 when it refuses.
    pub(crate) session: u32,
    pub(crate) status: Status,
    pub(crate) streams_max: u32,
    pub(crate) revision: u64,
    pub(crate) nodes_max: u32,
}

/// Appends a WELCOME.
pub(crate) fn put_welcome(out: &mut Vec<u8>, welcome: Welcome) {
    put_header(out, TYPE_WELCOME, 24, welcome.session, 0);
    out.extend_from_slice(&welcome.version.to_le_bytes());
    out.extend_from_slice(&welcome.status.code().to_le_bytes());
    out.extend_from_slice(&welcome.streams_max.to_le_bytes());
    out.extend_from_slice(&welcome.revision.to_le_bytes());
    out.extend_from_slice(&welcome.nodes_max.to_le_bytes());
    out.extend_from_slice(&PACKET_BYTES_MAX.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
}

/// Appends a CLOSE; the text is cut at 1,024 bytes, at a character's edge.
pub(crate) fn put_close(out: &mut Vec<u8>, session: u32, status: Status, text: &str) {
    let text = &text[..text.floor_char_boundary(usize::from(TEXT_BYTES_MAX))];
    put_header(out, TYPE_CLOSE, 4 + text.len(), session, 0);
    out.extend_from_slice(&status.code().to_le_bytes());
    out.extend_from_slice(&(text.len() as u16).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// The `N` bytes at `at`. The caller has checked that they are there.
pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
