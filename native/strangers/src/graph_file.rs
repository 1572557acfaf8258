//! Graph files: whatever is accepted is written again byte for byte.

use lodestone_map::{ARC_BYTES, arc_from_bytes, arc_to_bytes, decode, encode};

/// Bytes of the checksum at the end of a road graph.
const CHECKSUM_BYTES: usize = 8;

pub(crate) fn run(input: &[u8]) {
    accept(input);
    // Chance never meets a checksum, so that what lies behind it would never be reached.
    let mut summed = input.to_vec();
    summed.extend(checksum(input));
    assert_eq!(summed.len(), input.len() + CHECKSUM_BYTES);
    accept(&summed);
    let (arcs, _) = input.as_chunks::<ARC_BYTES>();
    for bytes in arcs {
        assert_eq!(arc_to_bytes(arc_from_bytes(bytes)), *bytes);
    }
}

fn accept(bytes: &[u8]) {
    let Ok(map) = decode(bytes) else { return };
    assert_eq!(encode(&map), bytes, "what is accepted is written again byte for byte");
    assert!(map.edges().count() <= map.arcs(), "parallel arcs are one edge");
    let of_nodes: usize = (0..map.nodes() as u32).map(|node| map.arcs_of(node).count()).sum();
    assert_eq!(of_nodes, map.arcs());
    let inside = |node: u32| (node as usize) < map.nodes();
    assert!(map.edges().all(|edge| edge.source != edge.target && inside(edge.source) && inside(edge.target)));
}

/// FNV-1a-64, as the page of the map crate says.
pub(crate) fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let sum = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, sum).to_le_bytes()
}
