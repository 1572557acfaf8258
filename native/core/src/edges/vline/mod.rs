//! Edges by their source, in hashed lines of cache: one edge is found as fast as all edges of a node are listed.
//!
//! A node has a head of one word and a block of cells, one word each, sized to its degree ([`leaf`]). A block never has
//! more than 1,024 cells: a node with more edges has a tree of blocks, told apart by six bits of the hash at each level
//! ([`tree`]), so that no change moves much, however large the hub. The blocks lie packed, without holes ([`blocks`]).
//!
//! # Why the room suffices
//! A leaf with `n` edges has at most `3 n` cells: it is made with at most `2 n` and made anew when it has more than
//! `3 n`. A tree's inner node takes 64 words and has more than 341 edges below it, and an edge has at most four of them
//! above it, so they take at most `0.75` words an edge. Together that is at most `3.75` words an edge, and pages that
//! hold as many always suffice, since blocks leave no holes. The addresses are taken for that many, the memory for
//! 1.5 words an edge: more is taken, once, by a graph where most blocks are about to shrink.
//!
//! # Why choosing targets does not help
//! The hash is a one-to-one map of targets, made secret by the salt. Whoever knows the salt can choose targets that
//! share a line, and then searches read the whole leaf, 128 lines at most: a larger set of targets always parts in the
//! tree, because no two have the same hash.

mod blocks;
mod head;
mod leaf;
mod tree;

#[cfg(test)]
mod tests;

use lodestone_memory::huge::{HugeSlice, prefetch};

use self::blocks::{Blocks, pages_for};
use self::head::Head;
use self::leaf::{LINE_CELLS, Place};
use super::{Before, EdgeChange, EdgeSizes, EdgeStore};

/// Words of a page of blocks. Large ones waste less at their end; a small store has small ones, since each class may
/// have a page that is hardly used.
const PAGE_WORDS: u32 = 1 << 15;
const PAGE_WORDS_SMALL: u32 = 1 << 12;
const SMALL_EDGES_MAX: u32 = 1 << 21;

/// Nodes and edges that a place of 32 bits still reaches.
const NODES_MAX: u32 = 1 << 27;

/// Edges of each node in a hash of its own. See the module.
pub struct VLine {
    /// The heads of all nodes, then the pages of blocks.
    words: HugeSlice<u64>,
    blocks: Blocks,
    salt: Salt,
    nodes_max: u32,
    edges_max: u32,
    count: u32,
    /// Words that changes moved to another place so far; what one change moves has a bound: [`VLine::LINES_MOVED_MAX`].
    words_moved: u64,
}

/// How the words are laid out.
struct Room {
    /// Behind the heads of nodes, where the pages begin.
    first_word: u64,
    page_words: u32,
    pages: u64,
}

impl Room {
    fn new(sizes: EdgeSizes) -> Room {
        let page_words = if sizes.edges_max < SMALL_EDGES_MAX { PAGE_WORDS_SMALL } else { PAGE_WORDS };
        let pages = pages_for(u64::from(sizes.edges_max) * 15 / 4 + 1, page_words);
        Room { first_word: u64::from(sizes.nodes_max).next_multiple_of(u64::from(page_words)), page_words, pages }
    }

    fn words(&self) -> u64 {
        self.first_word + self.pages * u64::from(self.page_words)
    }
}

/// The secret of the hash.
#[derive(Clone, Copy, Debug)]
struct Salt {
    add: u32,
    multiply: u32,
}

impl Salt {
    fn new(salt: u64) -> Salt {
        let mixed = (salt ^ salt >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        Salt { add: mixed as u32, multiply: (mixed >> 32) as u32 | 1 }
    }

    /// A one-to-one map. Neighbours are parted first; the product with a secret odd number then gives two targets,
    /// chosen without knowing it, the same high bits with a chance of at most two in their number; the last round
    /// brings the high bits down, for the levels of a tree.
    #[inline(always)]
    fn hash(self, target: u32) -> u32 {
        let mut hash = (target ^ target >> 16).wrapping_mul(0x7feb_352d);
        hash = (hash ^ hash >> 15 ^ self.add).wrapping_mul(self.multiply);
        (hash ^ hash >> 16).wrapping_mul(0x846c_a68b)
    }
}

/// Where a leaf's head lies, how deep in the tree, and what the tree left of the hash.
#[derive(Clone, Copy)]
struct LeafPlace {
    head: usize,
    depth: u32,
    hash: u32,
}

impl std::fmt::Debug for VLine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("VLine").field("edges", &self.count).finish_non_exhaustive()
    }
}

/// An edge, and the hash of its target.
#[derive(Clone, Copy, Debug, Default)]
pub struct EdgeKey {
    source: u32,
    target: u32,
    hash: u32,
}

impl EdgeStore for VLine {
    type Place = EdgeKey;

    /// `None` also for more than 2^27 nodes, or so many edges (above 7 · 10^8) that places would not fit 32 bits.
    fn new(sizes: EdgeSizes, salt: u64) -> Option<VLine> {
        VLine::with_memory(sizes, salt, true)
    }

    fn count(&self) -> u32 {
        self.count
    }

    fn edges_max(&self) -> u32 {
        self.edges_max
    }

    #[inline]
    fn place(&self, source: u32, target: u32) -> EdgeKey {
        EdgeKey { source, target, hash: self.salt.hash(target) }
    }

    #[inline]
    fn prefetch(&self, key: EdgeKey) {
        self.prefetch_head(key.source);
    }

    #[inline]
    fn prefetch_behind(&self, key: EdgeKey) {
        let place = self.leaf_of(key.source, key.hash);
        let head = Head(self.words[place.head]);
        let cells = &self.words[head.cells()];
        if !head.has_room() {
            // A new edge would move them all, and give the block back.
            if head != Head::NONE {
                self.blocks.prefetch_owner(&self.words, head.class(), head.block() as u32);
            }
            return cells.iter().step_by(LINE_CELLS).for_each(prefetch);
        }
        // One search in five goes on to the second line; to wait for it then would cost as much as all the rest.
        let home = leaf::home_line(place.hash, cells.len()) * LINE_CELLS;
        cells[home.min(cells.len())..].iter().step_by(LINE_CELLS).take(2).for_each(prefetch);
    }

    fn mask_at(&self, key: EdgeKey) -> u32 {
        let place = self.leaf_of(key.source, key.hash);
        let cells = &self.words[Head(self.words[place.head]).cells()];
        match leaf::find(cells, key.target, place.hash) {
            Place::Found(cell) => leaf::mask_of(cells[cell]),
            Place::Free(_) | Place::Full => 0,
        }
    }

    fn set_at(&mut self, EdgeKey { source, target, hash }: EdgeKey, mask: u32) -> Before {
        let mask_before = self.change(source, target, hash, mask);
        Before { mask: mask_before, step: 0 }
    }

    fn edges(&self) -> impl Iterator<Item = EdgeChange> + '_ {
        let of_node = |source| self.arcs(source).map(move |(target, mask)| EdgeChange { source, target, mask });
        (0..self.nodes_max).flat_map(of_node)
    }

    fn bytes_used(&self) -> u64 {
        (u64::from(self.nodes_max) + self.blocks.words_used()) * 8
    }
}

impl VLine {
    /// As [`EdgeStore::new`]; memory that is not touched now is taken from the system at its first use.
    pub(crate) fn with_memory(sizes: EdgeSizes, salt: u64, touch: bool) -> Option<VLine> {
        let EdgeSizes { nodes_max, edges_max } = sizes;
        let Room { first_word, page_words, pages } = Room::new(sizes);
        let words = u32::try_from(Room::new(sizes).words()).ok().filter(|_| nodes_max <= NODES_MAX)?;
        let usual = if touch { first_word as usize + edges_max as usize / 2 * 3 } else { 0 };
        Some(VLine {
            words: HugeSlice::reserve(words as usize, usual.min(words as usize))?,
            blocks: Blocks::new(first_word as u32, pages as u32, page_words)?,
            salt: Salt::new(salt),
            nodes_max,
            edges_max,
            count: 0,
            words_moved: 0,
        })
    }

    /// Sets the edge to the mask and returns the mask from before.
    fn change(&mut self, source: u32, target: u32, hash: u32, mask: u32) -> u32 {
        let place = self.leaf_of(source, hash);
        let head = Head(self.words[place.head]);
        let cells = &mut self.words[head.cells()];
        match leaf::find(cells, target, place.hash) {
            Place::Found(cell) => {
                let before = leaf::mask_of(cells[cell]);
                if mask == 0 {
                    self.remove(source, hash, place, cell);
                } else {
                    cells[cell] = leaf::cell_of(target, mask);
                }
                before
            }
            Place::Free(_) | Place::Full if mask == 0 => 0,
            Place::Free(cell) if head.has_room() => {
                cells[cell] = leaf::cell_of(target, mask);
                self.count_one_more(source, hash);
                0
            }
            Place::Free(_) | Place::Full => {
                self.insert_with_room(source, hash, leaf::cell_of(target, mask));
                self.count_one_more(source, hash);
                0
            }
        }
    }

    /// Bytes of addresses that a store of these sizes takes.
    pub(crate) fn bytes_reserved(sizes: EdgeSizes) -> u64 {
        Room::new(sizes).words() * 8
    }

    /// Nodes there are: ids are below this.
    pub(crate) fn nodes_max(&self) -> u32 {
        self.nodes_max
    }

    /// The edges of a node as (target, mask), in an order that means nothing.
    #[inline]
    pub fn arcs(&self, source: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let cells = self.leaves(source).flatten().filter(|cell| **cell != 0);
        cells.map(|cell| (leaf::target_of(*cell), leaf::mask_of(*cell)))
    }

    /// Whether the node has an edge.
    pub(crate) fn has_edges(&self, source: u32) -> bool {
        self.words[source as usize] != Head::NONE.0
    }

    /// Asks for the head of a node.
    pub(crate) fn prefetch_head(&self, source: u32) {
        prefetch(&self.words[source as usize]);
    }

    /// Asks for all cells of a node, where they are one leaf, or for the heads of its children.
    pub(crate) fn prefetch_leaf(&self, source: u32) {
        let head = Head(self.words[source as usize]);
        let words = if head.is_node() { head.children() } else { head.cells() };
        self.words[words].iter().step_by(LINE_CELLS).for_each(prefetch);
    }

    /// Where the leaf is that the target lies in or would go to.
    #[inline(always)]
    fn leaf_of(&self, source: u32, hash: u32) -> LeafPlace {
        assert!(source < self.nodes_max);
        let mut place = LeafPlace { head: source as usize, depth: 0, hash };
        loop {
            let head = Head(self.words[place.head]);
            if !head.is_node() {
                return place;
            }
            place = place.below(head);
        }
    }
}
