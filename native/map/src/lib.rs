//! The files that a graph comes in. The plain list of arcs (`.arcs`) is told at [`ARC_BYTES`]; the rest is about the
//! road-graph file (`.lsg`): nodes with coordinates, arcs with an 8-bit length.
//!
//! All integers little-endian. `varint` is LEB128 in its shortest form, at most 5 bytes; `signed` is a zigzag varint.
//!
//! | part | bytes | meaning |
//! |---|---|---|
//! | magic | 8 | `LSGRAPH1` |
//! | version | u32 | 1 |
//! | nodes, arcs | u32, u32 | how many follow |
//! | unit | u32 | millimetres that one unit of weight stands for |
//! | attribution | u16 + UTF-8 | who made the data, under which licence |
//! | coordinates | 2 × signed per node | latitude and longitude in 1e-7 degree, each less that of the node before |
//! | degrees | varint per node | arcs that leave the node |
//! | arcs | signed + u8 per arc | target less source, weight; ordered by source |
//! | checksum | u64 | FNV-1a-64 of all bytes before |
//!
//! [`decode`] is total: any bytes give a [`Map`] or a [`MapError`]. What it accepts, [`encode`] writes again byte for
//! byte.
//!
//! ```
//! use lodestone_map::{Map, decode, encode};
//! let map = Map {
//!     nodes_latitude_e7: vec![390_000_000, 390_010_000],
//!     nodes_longitude_e7: vec![-750_000_000, -750_000_000],
//!     first_arc: vec![0, 1, 2],
//!     targets: vec![1, 0],
//!     weights: vec![15, 15],
//!     unit_mm: 7_200,
//!     attribution: "me".to_owned(),
//! };
//! assert_eq!(decode(&encode(&map)), Ok(map));
//! ```
#![forbid(unsafe_code)]

mod arcs;
mod bytes;
mod decode;
mod encode;
mod error;

pub use arcs::{ARC_BYTES, arc_from_bytes, arc_to_bytes};
pub use decode::decode;
pub use encode::encode;
pub use error::MapError;

/// First eight bytes of every file.
pub const MAGIC: [u8; 8] = *b"LSGRAPH1";
/// The format version that this crate reads and writes.
pub const VERSION: u32 = 1;
/// Flag in the upper half of an edge mask: this edge is a road of the map.
pub const ROAD_FLAG: u32 = 0x1_0000;

/// A road graph. Nodes are numbered from 0; arcs are grouped by their source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map {
    /// Latitude of each node in 1e-7 degree, -900,000,000 ..= 900,000,000.
    pub nodes_latitude_e7: Vec<i32>,
    /// Longitude of each node in 1e-7 degree, -1,800,000,000 ..= 1,800,000,000.
    pub nodes_longitude_e7: Vec<i32>,
    /// Index of the first arc of each node, and at the end the number of arcs: nodes + 1 entries, never falling.
    pub first_arc: Vec<u32>,
    /// Target node of each arc.
    pub targets: Vec<u32>,
    /// Length of each arc in units of `unit_mm`.
    pub weights: Vec<u8>,
    /// Millimetres that one unit of weight stands for.
    pub unit_mm: u32,
    /// Source and licence of the data, to be shown where the data is shown.
    pub attribution: String,
}

/// One directed edge as the engine holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Node that the edge leaves.
    pub source: u32,
    /// Node that the edge enters, never the source.
    pub target: u32,
    /// Mask of a MOVE or an edge of the graph: see [`edge_mask`].
    pub mask: u32,
}

impl Map {
    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.nodes_latitude_e7.len()
    }

    /// Number of arcs in the file. Several arcs may join the same two nodes; [`Map::edges`] counts them once.
    pub fn arcs(&self) -> usize {
        self.targets.len()
    }

    /// Target and weight of each arc that leaves `node`, in file order; none for a node that does not exist.
    pub fn arcs_of(&self, node: u32) -> impl Iterator<Item = (u32, u8)> + '_ {
        let node = usize::try_from(node).unwrap_or(usize::MAX);
        let first = self.arc_index(node);
        let end = self.arc_index(node.saturating_add(1));
        let targets = self.targets.get(first..end).unwrap_or_default();
        let weights = self.weights.get(first..end).unwrap_or_default();
        targets.iter().copied().zip(weights.iter().copied())
    }

    fn arc_index(&self, node: usize) -> usize {
        self.first_arc.get(node).map_or(usize::MAX, |arc| usize::try_from(*arc).unwrap_or(usize::MAX))
    }

    /// The edges of a graph that holds each ordered pair of nodes once: parallel arcs become the shortest of them,
    /// arcs from a node to itself are left out. Ordered by source, then target.
    pub fn edges(&self) -> impl Iterator<Item = Edge> + '_ {
        (0u32..).zip(self.nodes_latitude_e7.iter()).flat_map(move |(source, _)| self.edges_of(source))
    }

    /// Those of [`Map::edges`] that leave `source`; none for a node that does not exist.
    pub fn edges_of(&self, source: u32) -> impl Iterator<Item = Edge> + use<> {
        let mut arcs: Vec<(u32, u8)> = self.arcs_of(source).filter(|(target, _)| *target != source).collect();
        arcs.sort_unstable();
        arcs.dedup_by_key(|(target, _)| *target);
        arcs.into_iter().map(move |(target, weight)| Edge { source, target, mask: edge_mask(weight) })
    }
}

/// The edge mask of a road of this weight: the weight in the low byte, nothing in the second (so that
/// `(mask & 0xff) ^ ((mask >> 8) & 0xff)` is the weight), and [`ROAD_FLAG`], which keeps the mask from being 0, the
/// mark of a removed edge, when the road is shorter than half a unit.
pub fn edge_mask(weight: u8) -> u32 {
    ROAD_FLAG | u32::from(weight)
}
