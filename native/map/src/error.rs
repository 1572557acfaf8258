//! What can be wrong with a graph file.

use std::fmt;

/// Why bytes are not a graph file of this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapError {
    /// Shorter than the smallest possible file.
    TooShort {
        /// Bytes found.
        bytes: usize,
    },
    /// The first eight bytes are not [`crate::MAGIC`].
    NotAMap,
    /// A version that this build does not read.
    Version {
        /// Version found.
        found: u32,
    },
    /// The checksum at the end does not fit the bytes before it.
    Checksum,
    /// The counts promise more than the file can hold.
    Counts {
        /// Nodes promised.
        nodes: u32,
        /// Arcs promised.
        arcs: u32,
        /// Bytes left for them.
        bytes: usize,
    },
    /// The attribution is not UTF-8.
    Attribution,
    /// The file ends inside a value.
    CutOff {
        /// Offset in bytes where the value begins.
        offset: usize,
    },
    /// A varint longer than 5 bytes or not in its shortest form.
    Varint {
        /// Offset in bytes where it begins.
        offset: usize,
    },
    /// A coordinate outside of the Earth.
    Coordinate {
        /// The node.
        node: usize,
    },
    /// The degrees do not add up to the number of arcs.
    Degrees {
        /// First node at which the sum is too high, or the number of nodes where it stays too low.
        node: usize,
    },
    /// An arc to a node that does not exist.
    Target {
        /// The arc's index.
        arc: usize,
    },
    /// Bytes between the last arc and the checksum.
    Trailing {
        /// How many.
        bytes: usize,
    },
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { bytes } => write!(f, "{bytes} bytes are too few for a graph file"),
            Self::NotAMap => write!(f, "not a graph file: it does not begin with LSGRAPH1"),
            Self::Version { found } => {
                write!(f, "graph file of version {found}; this build reads version {}", crate::VERSION)
            }
            Self::Checksum => write!(f, "the checksum is wrong: the graph file is damaged or cut off"),
            Self::Counts { nodes, arcs, bytes } => {
                write!(f, "{nodes} nodes and {arcs} arcs cannot fit the {bytes} bytes that are left")
            }
            Self::Attribution => write!(f, "the attribution is not UTF-8"),
            Self::CutOff { offset } => write!(f, "the file ends inside the value at byte {offset}"),
            Self::Varint { offset } => write!(f, "the number at byte {offset} is too long or not in its shortest form"),
            Self::Coordinate { node } => write!(f, "node {node} lies outside of the Earth"),
            Self::Degrees { node } => write!(f, "the degrees up to node {node} do not fit the number of arcs"),
            Self::Target { arc } => write!(f, "arc {arc} leads to a node that does not exist"),
            Self::Trailing { bytes } => write!(f, "{bytes} bytes too many behind the last arc"),
        }
    }
}

impl std::error::Error for MapError {}
