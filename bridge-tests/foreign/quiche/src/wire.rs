//! Frames as bytes.

use sha2::{Digest, Sha256};

/// Bytes of a frame header.
pub const HEADER_BYTES: usize = 16;
/// Flag of MOVE and RELEASE.
pub const ACK_EACH: u8 = 1;

/// Types of frames.
pub mod kind {
    pub const HELLO: u8 = 0x01;
    pub const WELCOME: u8 = 0x02;
    pub const MOVE: u8 = 0x10;
    pub const ACK: u8 = 0x11;
    pub const REJECT: u8 = 0x12;
    pub const RELEASE: u8 = 0x18;
    pub const ROUTE: u8 = 0x20;
    pub const PATH: u8 = 0x21;
    pub const READ: u8 = 0x28;
    pub const STATE: u8 = 0x29;
    pub const SUBSCRIBE: u8 = 0x30;
    pub const SUBSCRIBED: u8 = 0x31;
    pub const UNSUBSCRIBE: u8 = 0x32;
    pub const UPDATE: u8 = 0x38;
    pub const CLOSE: u8 = 0x7e;
}

/// Status numbers that the tests meet.
pub mod status {
    pub const MALFORMED: u16 = 1;
    pub const BAD_DIGEST: u16 = 2;
    pub const OUT_OF_BOUNDS: u16 = 3;
    pub const REPLAYED: u16 = 11;
    pub const SHUTTING_DOWN: u16 = 13;
    pub const NO_SLOT: u16 = 14;
}

/// A frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub session: u32,
    pub counter: u64,
    pub body: Vec<u8>,
}

impl Frame {
    /// The frame as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.kind, self.flags];
        bytes.extend_from_slice(&(self.body.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&self.session.to_le_bytes());
        bytes.extend_from_slice(&self.counter.to_le_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The first frame of the bytes, which it takes away; `None` while it is not whole.
    pub fn take(bytes: &mut Vec<u8>) -> Option<Frame> {
        let end = HEADER_BYTES + usize::from(u16::from_le_bytes([*bytes.get(2)?, *bytes.get(3)?]));
        if bytes.len() < end {
            return None;
        }
        let whole: Vec<u8> = bytes.drain(..end).collect();
        Some(Frame {
            kind: whole[0],
            flags: whole[1],
            session: number(&whole, 4, 4) as u32,
            counter: number(&whole, 8, 8),
            body: whole[HEADER_BYTES..].to_vec(),
        })
    }

    /// A little-endian number in the body.
    pub fn field(&self, offset: usize, bytes: usize) -> u64 {
        number(&self.body, offset, bytes)
    }
}

/// A little-endian number of 1 to 8 bytes.
///
/// # Panics
/// When the bytes end before it does.
pub fn number(bytes: &[u8], offset: usize, count: usize) -> u64 {
    bytes[offset..offset + count].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// The body of MOVE; the digest is over the header that the frame will have.
pub fn move_frame(flags: u8, session: u32, counter: u64, from: u32, to: u32, edge_mask: u32, payload: &[u8]) -> Frame {
    let mut packet = Vec::new();
    for value in [from, to, edge_mask] {
        packet.extend_from_slice(&value.to_le_bytes());
    }
    packet.extend_from_slice(&[0, 0]);
    packet.extend_from_slice(&(payload.len() as u16).to_le_bytes());
    packet.extend_from_slice(&[0; 8]);
    packet.extend_from_slice(payload);
    let mut frame = Frame { kind: kind::MOVE, flags, session, counter, body: vec![0; 32] };
    frame.body.extend_from_slice(&packet);
    let header = frame.encode()[..HEADER_BYTES].to_vec();
    let digest = Sha256::new().chain_update(header).chain_update(&packet).finalize();
    frame.body[..32].copy_from_slice(&digest);
    frame
}

/// Numbers of four bytes, one behind the other: the body of most questions.
pub fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
