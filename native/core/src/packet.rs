//! The packet of a MOVE: how it lies on the wire, and the slot image it becomes.

use lodestone_memory::slots::{PAYLOAD_BYTES_MAX, SLOT_HEAD_BYTES, SLOT_WORDS, SlotImage};

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
pub(crate) struct Move {
    pub(crate) source: u32,
    pub(crate) target: u32,
    pub(crate) mask: u32,
    pub(crate) expected_version: u64,
    image: SlotImage,
}

/// The source as received, for answers; 0 when the packet is too short to have one.
pub(crate) fn source_of(packet: &[u8]) -> u32 {
    packet.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

impl Move {
    /// Reads a packet; `None` is `OUT_OF_BOUNDS`: a length, node or reserved byte is wrong.
    pub(crate) fn parse(packet: &[u8], nodes_max: u32) -> Option<Move> {
        if packet.len() < SLOT_HEAD_BYTES || packet.len() > SLOT_HEAD_BYTES + PAYLOAD_BYTES_MAX {
            return None;
        }
        let mut image = [0; SLOT_WORDS];
        for (word, chunk) in image.iter_mut().zip(packet.chunks(8)) {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_le_bytes(bytes);
        }
        let (source, target) = (image[0] as u32, (image[0] >> 32) as u32);
        let (mask, reserved, payload_bytes) = (image[1] as u32, image[1] >> 32 & 0xffff, image[1] >> 48);
        let in_bounds = source < nodes_max && target < nodes_max && source != target;
        let whole = reserved == 0 && payload_bytes == (packet.len() - SLOT_HEAD_BYTES) as u64;
        (in_bounds && whole).then_some(Move { source, target, mask, expected_version: image[2], image })
    }

    /// The slot that this move leaves behind, with the node's new version.
    pub(crate) fn into_image(self, version: u64) -> SlotImage {
        let mut image = self.image;
        image[1] |= u64::from(weight_of(self.mask)) << 32 | SLOT_ACTIVE << 40;
        image[2] = version;
        image
    }
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
        let parsed = Move::parse(&packet(b"hello"), 10).unwrap();
        assert_eq!((parsed.source, parsed.target, parsed.mask, parsed.expected_version), (7, 9, 0xabcd_1234, 5));
        let bytes: Vec<u8> = parsed.into_image(6).iter().flat_map(|word| word.to_le_bytes()).collect();
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
