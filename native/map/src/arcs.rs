//! The plain list of arcs.

use crate::Edge;

/// Bytes of one arc in a plain list of arcs (`.arcs`): source, target, edge mask (not 0), each u32 little-endian. The file
/// is arcs back to back and nothing else, so that any program can write one. An arc that stands twice counts as it stands
/// last.
pub const ARC_BYTES: usize = 12;

/// The arc that these bytes stand for. Any bytes are an arc; whether its nodes exist is the reader's to check.
pub fn arc_from_bytes(bytes: &[u8; ARC_BYTES]) -> Edge {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *bytes;
    Edge {
        source: u32::from_le_bytes([a, b, c, d]),
        target: u32::from_le_bytes([e, f, g, h]),
        mask: u32::from_le_bytes([i, j, k, l]),
    }
}

/// The bytes of an arc.
pub fn arc_to_bytes(arc: Edge) -> [u8; ARC_BYTES] {
    let mut bytes = [0; ARC_BYTES];
    for (place, number) in bytes.chunks_exact_mut(4).zip([arc.source, arc.target, arc.mask]) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arc_is_three_numbers_in_little_endian() {
        let arc = Edge { source: 0x0403_0201, target: 0x0807_0605, mask: 0x0c0b_0a09 };
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        assert_eq!((arc_from_bytes(&bytes), arc_to_bytes(arc)), (arc, bytes));
    }
}
