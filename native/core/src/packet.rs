//! The packet of a MOVE: how it lies on the wire, and the slot image it becomes.

use lodestone_memory::slots::{PAYLOAD_BYTES_MAX, SLOT_HEAD_BYTES, SLOT_HEAD_WORDS, SLOT_WORDS, SlotImage};

/// State byte of a slot that holds a node.
const SLOT_ACTIVE: u64 = 1;

/// The weight that an edge mask stands for, 0 to 255.
pub const fn weight_of(mask: u32) -> u32 {
    (mask & 0xff) ^ (mask >> 8 & 0xff)
}

/// Source and target as received; `None` when the packet is too short to have them.
pub(crate) fn ends_of(packet: &[u8]) -> Option<(u32, u32)> {
    let bytes = u64::from_le_bytes(*packet.first_chunk::<8>()?);
    Some((bytes as u32, (bytes >> 32) as u32))
}

/// A MOVE whose packet keeps all rules that need no state.
pub(crate) struct Move<'packet> {
    pub(crate) source: u32,
    pub(crate) target: u32,
    pub(crate) mask: u32,
    pub(crate) expected_version: u64,
    packet: &'packet [u8],
}

/// The source as received, for answers; 0 when the packet is too short to have one.
pub(crate) fn source_of(packet: &[u8]) -> u32 {
    packet.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

impl Move<'_> {
    /// Reads a packet; `None` is `OUT_OF_BOUNDS`: a length, node or reserved byte is wrong.
    #[inline]
    pub(crate) fn parse(packet: &[u8], nodes_max: u32) -> Option<Move<'_>> {
        let head = packet.first_chunk::<SLOT_HEAD_BYTES>()?;
        let [ends, about, expected_version] = words_of(head);
        let (source, target) = (ends as u32, (ends >> 32) as u32);
        let (mask, reserved, payload_bytes) = (about as u32, about >> 32 & 0xffff, about >> 48);
        let in_bounds = source < nodes_max && target < nodes_max && source != target;
        let payload_max = PAYLOAD_BYTES_MAX as u64;
        let whole = payload_bytes == (packet.len() - SLOT_HEAD_BYTES) as u64 && payload_bytes <= payload_max;
        (in_bounds && whole && reserved == 0).then_some(Move { source, target, mask, expected_version, packet })
    }

    /// The slot that this move leaves behind, with the node's new version, and how many words of it are in use.
    #[inline]
    pub(crate) fn image(&self, version: u64) -> (SlotImage, usize) {
        let mut image = [0; SLOT_WORDS];
        for (word, chunk) in image.iter_mut().zip(self.packet.chunks(8)) {
            *word = match chunk.first_chunk::<8>() {
                Some(bytes) => u64::from_le_bytes(*bytes),
                None => chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
            };
        }
        image[1] |= u64::from(weight_of(self.mask)) << 32 | SLOT_ACTIVE << 40;
        image[2] = version;
        (image, self.packet.len().div_ceil(8))
    }
}

/// The three words of a packet's head.
fn words_of(head: &[u8; SLOT_HEAD_BYTES]) -> [u64; SLOT_HEAD_WORDS] {
    let mut words = [0; SLOT_HEAD_WORDS];
    for (word, bytes) in words.iter_mut().zip(head.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![];
        bytes.extend_from_slice(&7_u32.to_le_bytes());
        bytes.extend_from_slice(&9_u32.to_le_bytes());
        bytes.extend_from_slice(&0xabcd_1234_u32.to_le_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&(payload.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&5_u64.to_le_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn a_good_packet_becomes_the_slot_of_the_contract() {
        let packet = packet(b"hello");
        let parsed = Move::parse(&packet, 10).unwrap();
        assert_eq!((parsed.source, parsed.target, parsed.mask, parsed.expected_version), (7, 9, 0xabcd_1234, 5));
        let bytes: Vec<u8> = parsed.image(6).0.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(bytes[12], 0x12 ^ 0x34);
        assert_eq!(bytes[13], 1);
        assert_eq!(bytes[14..16], [5, 0]);
        assert_eq!(bytes[16..24], 6_u64.to_le_bytes());
        assert_eq!(&bytes[24..29], b"hello");
        assert!(bytes[29..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn every_rule_of_bounds_is_kept() {
        assert!(Move::parse(&packet(&[1; 232]), 10).is_some());
        assert!(Move::parse(&packet(b"x"), 9).is_none(), "target is nodes_max");
        assert!(Move::parse(&packet(b"x")[..23], 10).is_none());
        assert!(Move::parse(&packet(&[1; 233]), 10).is_none());
        for (offset, value) in [(12, 1), (13, 1), (14, 2), (4, 7)] {
            let mut bytes = packet(b"x");
            bytes[offset] = value;
            assert!(Move::parse(&bytes, 10).is_none(), "byte {offset}");
        }
    }
}
