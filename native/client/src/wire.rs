//! The frames a client sends, as bytes. Streams and datagrams use the same ones.
//!
//! Useful on its own for whoever wants to send exactly these bytes, or bytes that are wrong on purpose.

use sha2::{Digest, Sha256};

use crate::error::ClientError;

/// The application protocol of the TLS handshake.
pub const ALPN: &[u8] = b"lodestone/1";
/// The protocol version of HELLO and WELCOME.
pub const VERSION: u16 = 1;
/// The version from which on there are updates.
pub const VERSION_UPDATES: u16 = 2;
/// The version from which on there are updates by datagram, and the states of a node have an order.
pub const VERSION_LATEST: u16 = 3;
/// Bytes of a frame header.
pub const HEADER_BYTES: usize = 16;
/// Bytes of the digest in a MOVE.
pub const DIGEST_BYTES: usize = 32;
/// Bytes of a packet without payload.
pub const PACKET_HEAD_BYTES: usize = 24;
/// Longest payload of a MOVE, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 232;
/// Bytes of a slot.
pub const SLOT_BYTES: usize = 256;
/// Longest token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 1024;
/// Longest text of a CLOSE, in bytes.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Most nodes that one PATH lists.
pub const PATH_NODES_MAX: usize = 8192;
/// Most nodes that one SUBSCRIBE or UNSUBSCRIBE lists.
pub const SUBSCRIBE_NODES_MAX: usize = 64;
/// Bytes of an UPDATE's body before the slot.
pub const UPDATE_HEAD_BYTES: usize = 32;
/// Longest frame that a client sends, in bytes.
pub const CLIENT_FRAME_BYTES_MAX: usize = HEADER_BYTES + 4 + TOKEN_BYTES_MAX;
/// Longest frame that a server sends, in bytes (PATH).
pub const SERVER_FRAME_BYTES_MAX: usize = HEADER_BYTES + 24 + 4 * PATH_NODES_MAX;
/// Flag of MOVE and RELEASE: one answer for exactly this frame.
pub const FLAG_ACK_EACH: u8 = 1;

/// Frame types.
pub mod frame_type {
    /// First frame of a client.
    pub const HELLO: u8 = 0x01;
    /// The server's answer to HELLO.
    pub const WELCOME: u8 = 0x02;
    /// Moves a node along an edge.
    pub const MOVE: u8 = 0x10;
    /// Everything up to a counter is decided.
    pub const ACK: u8 = 0x11;
    /// One frame is refused.
    pub const REJECT: u8 = 0x12;
    /// Gives a slot back.
    pub const RELEASE: u8 = 0x18;
    /// Asks for a shortest path.
    pub const ROUTE: u8 = 0x20;
    /// The answer to ROUTE.
    pub const PATH: u8 = 0x21;
    /// Asks for a slot.
    pub const READ: u8 = 0x28;
    /// The answer to READ.
    pub const STATE: u8 = 0x29;
    /// Asks to be told of nodes.
    pub const SUBSCRIBE: u8 = 0x30;
    /// The answer to SUBSCRIBE and UNSUBSCRIBE.
    pub const SUBSCRIBED: u8 = 0x31;
    /// Asks to be told of nodes no more.
    pub const UNSUBSCRIBE: u8 = 0x32;
    /// What a node is now.
    pub const UPDATE: u8 = 0x38;
    /// What a node is now, in a datagram.
    pub const LATEST: u8 = 0x39;
    /// Asks to be told of nodes by datagram.
    pub const SUBSCRIBE_LATEST: u8 = 0x3a;
    /// The session ends.
    pub const CLOSE: u8 = 0x7e;
}

/// The first 16 bytes of every frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// One of [`frame_type`].
    pub frame_type: u8,
    /// [`FLAG_ACK_EACH`] or 0.
    pub flags: u8,
    /// Bytes of body behind the header.
    pub length: u16,
    /// The session's number; 0 in HELLO.
    pub session: u32,
    /// Position of the frame on its stream, or the datagram's counter.
    pub counter: u64,
}

impl Header {
    /// The header as bytes.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = self.frame_type;
        bytes[1] = self.flags;
        bytes[2..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.session.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.counter.to_le_bytes());
        bytes
    }

    /// The header of these bytes. Any 16 bytes are a header; whether it is a sensible one is for the caller to judge.
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Header {
        Header {
            frame_type: bytes[0],
            flags: bytes[1],
            length: u16::from_le_bytes(field(bytes, 2)),
            session: u32::from_le_bytes(field(bytes, 4)),
            counter: u64::from_le_bytes(field(bytes, 8)),
        }
    }
}

/// A move of one node along one edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Move<'a> {
    /// The node that moves.
    pub source: u32,
    /// The node it moves to; never the source.
    pub target: u32,
    /// Weight and flags of the edge; its weight is `(mask & 0xff) ^ ((mask >> 8) & 0xff)`; 0 removes the edge.
    pub edge_mask: u32,
    /// The node's version must be this one, else CONFLICT; 0 accepts any.
    pub version: u64,
    /// The application's bytes, at most [`PAYLOAD_BYTES_MAX`].
    pub payload: &'a [u8],
    /// Asks for an ACK of exactly this frame instead of one for many.
    pub ack_each: bool,
}

/// Appends HELLO: counter 0 of the first stream.
///
/// # Errors
/// [`ClientError::TooLong`] for a token above [`TOKEN_BYTES_MAX`]; `out` is unchanged.
pub fn put_hello(out: &mut Vec<u8>, version: u16, token: &[u8]) -> Result<(), ClientError> {
    let length = checked_length("token", token.len(), TOKEN_BYTES_MAX)?;
    let header = Header { frame_type: frame_type::HELLO, flags: 0, length: 4 + length, session: 0, counter: 0 };
    out.extend_from_slice(&header.encode());
    out.extend_from_slice(&version.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(token);
    Ok(())
}

/// Appends MOVE with its digest.
///
/// # Errors
/// [`ClientError::TooLong`] for a payload above [`PAYLOAD_BYTES_MAX`]; `out` is unchanged.
pub fn put_move(out: &mut Vec<u8>, session: u32, counter: u64, step: &Move<'_>) -> Result<(), ClientError> {
    let payload_bytes = checked_length("payload", step.payload.len(), PAYLOAD_BYTES_MAX)?;
    let header = Header {
        frame_type: frame_type::MOVE,
        flags: if step.ack_each { FLAG_ACK_EACH } else { 0 },
        length: (DIGEST_BYTES + PACKET_HEAD_BYTES) as u16 + payload_bytes,
        session,
        counter,
    }
    .encode();
    let mut head = [0; PACKET_HEAD_BYTES];
    head[0..4].copy_from_slice(&step.source.to_le_bytes());
    head[4..8].copy_from_slice(&step.target.to_le_bytes());
    head[8..12].copy_from_slice(&step.edge_mask.to_le_bytes());
    head[14..16].copy_from_slice(&payload_bytes.to_le_bytes());
    head[16..24].copy_from_slice(&step.version.to_le_bytes());
    let digest = Sha256::new().chain_update(header).chain_update(head).chain_update(step.payload).finalize();
    out.extend_from_slice(&header);
    out.extend_from_slice(&digest);
    out.extend_from_slice(&head);
    out.extend_from_slice(step.payload);
    Ok(())
}

/// Appends RELEASE of a node.
pub fn put_release(out: &mut Vec<u8>, session: u32, counter: u64, node: u32, ack_each: bool) {
    put_pair(out, frame_type::RELEASE, if ack_each { FLAG_ACK_EACH } else { 0 }, session, counter, [node, 0]);
}

/// Appends READ of a node's slot.
pub fn put_read(out: &mut Vec<u8>, session: u32, counter: u64, node: u32) {
    put_pair(out, frame_type::READ, 0, session, counter, [node, 0]);
}

/// Appends ROUTE, the question for a shortest path.
pub fn put_route(out: &mut Vec<u8>, session: u32, counter: u64, source: u32, target: u32) {
    put_pair(out, frame_type::ROUTE, 0, session, counter, [source, target]);
}

/// Appends SUBSCRIBE to nodes, at least one.
///
/// # Errors
/// [`ClientError::TooLong`] for more than [`SUBSCRIBE_NODES_MAX`]; `out` is unchanged.
pub fn put_subscribe(out: &mut Vec<u8>, session: u32, counter: u64, nodes: &[u32]) -> Result<(), ClientError> {
    put_nodes(out, frame_type::SUBSCRIBE, session, counter, nodes)
}

/// Appends SUBSCRIBE_LATEST to nodes, at least one.
///
/// # Errors
/// [`ClientError::TooLong`] for more than [`SUBSCRIBE_NODES_MAX`]; `out` is unchanged.
pub fn put_subscribe_latest(out: &mut Vec<u8>, session: u32, counter: u64, nodes: &[u32]) -> Result<(), ClientError> {
    put_nodes(out, frame_type::SUBSCRIBE_LATEST, session, counter, nodes)
}

/// Appends UNSUBSCRIBE from nodes; from all where none is named.
///
/// # Errors
/// [`ClientError::TooLong`] for more than [`SUBSCRIBE_NODES_MAX`]; `out` is unchanged.
pub fn put_unsubscribe(out: &mut Vec<u8>, session: u32, counter: u64, nodes: &[u32]) -> Result<(), ClientError> {
    put_nodes(out, frame_type::UNSUBSCRIBE, session, counter, nodes)
}

fn put_nodes(out: &mut Vec<u8>, frame_type: u8, session: u32, counter: u64, nodes: &[u32]) -> Result<(), ClientError> {
    let length = checked_length("list of nodes", 4 * nodes.len(), 4 * SUBSCRIBE_NODES_MAX)?;
    out.extend_from_slice(&Header { frame_type, flags: 0, length, session, counter }.encode());
    nodes.iter().for_each(|node| out.extend_from_slice(&node.to_le_bytes()));
    Ok(())
}

/// Appends CLOSE.
///
/// # Errors
/// [`ClientError::TooLong`] for a text above [`TEXT_BYTES_MAX`]; `out` is unchanged.
pub fn put_close(
    out: &mut Vec<u8>,
    session: u32,
    counter: u64,
    status: crate::Status,
    text: &str,
) -> Result<(), ClientError> {
    let length = checked_length("text", text.len(), TEXT_BYTES_MAX)?;
    let header = Header { frame_type: frame_type::CLOSE, flags: 0, length: 4 + length, session, counter };
    out.extend_from_slice(&header.encode());
    out.extend_from_slice(&status.code().to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn put_pair(out: &mut Vec<u8>, frame_type: u8, flags: u8, session: u32, counter: u64, values: [u32; 2]) {
    out.extend_from_slice(&Header { frame_type, flags, length: 8, session, counter }.encode());
    out.extend_from_slice(&values[0].to_le_bytes());
    out.extend_from_slice(&values[1].to_le_bytes());
}

fn checked_length(what: &'static str, bytes: usize, bytes_max: usize) -> Result<u16, ClientError> {
    u16::try_from(bytes).ok().filter(|_| bytes <= bytes_max).ok_or(ClientError::TooLong { what, bytes, bytes_max })
}

/// The `N` bytes at an offset that the caller has checked to be inside.
pub(crate) fn field<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[offset..offset + N]);
    out
}
