//! The head of a block: one word that tells where it lies, how large it is and how many edges it holds.

/// Cells of each class of leaf blocks; class 0 is no block. Steps of a quarter from 32 on: an edge then takes 9 to 12
/// bytes, where doubling takes up to 18.
pub(super) const CLASS_CELLS: [u32; 28] = [
    0, 1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896,
    1_024,
];

/// Number of classes, that of no block among them.
pub(super) const CLASSES: usize = CLASS_CELLS.len();

/// The largest class of leaves. A leaf that outgrows it becomes a node, so that no change ever moves more than this.
pub(super) const CLASS_MAX: usize = CLASSES - 1;

/// Children of a node, told apart by this many bits of the hash.
pub(super) const CHILD_BITS: u32 = 6;
pub(super) const CHILDREN: usize = 1 << CHILD_BITS;

/// The class of blocks that nodes lie in.
pub(super) const NODE_BLOCK_CLASS: usize = 11;
const _: () = assert!(CLASS_CELLS[NODE_BLOCK_CLASS] as usize == CHILDREN);

/// A node with this many edges below it, or fewer, becomes a leaf again.
pub(super) const MERGE_EDGES: u32 = 341;

/// What the class field of a node's head says.
const NODE: usize = 31;

const CLASS_BITS: u32 = 5;
const COUNT_BITS: u32 = 27;

/// Most edges that a leaf of the class holds: all cells of one line, seven of eight in larger ones, so that searches
/// end soon.
pub(super) const fn edges_max_of(class: usize) -> u32 {
    let cells = CLASS_CELLS[class];
    if cells <= 8 { cells } else { cells / 8 * 7 }
}

/// Class of a leaf made for this many edges: at most four fifths of its cells in use, where there is such a class,
/// so that a changed degree has to go on changing before the next new block.
pub(super) fn class_for(edges: u32) -> usize {
    debug_assert!(edges <= edges_max_of(CLASS_MAX));
    let fits = |cells: u32| if cells <= 8 { edges <= cells } else { edges * 5 <= cells * 4 };
    CLASS_CELLS.iter().position(|cells| fits(*cells)).unwrap_or(CLASS_MAX)
}

/// A head: `block << 32 | edges << 5 | class`. All zero: nothing. The block is the place of its first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head(pub(super) u64);

impl Head {
    pub(super) const NONE: Head = Head(0);

    pub(super) fn leaf(block: u32, edges: u32, class: usize) -> Head {
        debug_assert!(edges < 1 << COUNT_BITS && class < CLASSES);
        Head(u64::from(block) << 32 | u64::from(edges) << CLASS_BITS | class as u64)
    }

    pub(super) fn node(block: u32, edges: u32) -> Head {
        Head(Head::leaf(block, edges, 0).0 | NODE as u64)
    }

    #[inline(always)]
    pub(super) fn is_node(self) -> bool {
        self.0 & ((1 << CLASS_BITS) - 1) == NODE as u64
    }

    /// Class of a leaf.
    #[inline(always)]
    pub(super) fn class(self) -> usize {
        debug_assert!(!self.is_node());
        (self.0 & ((1 << CLASS_BITS) - 1)) as usize
    }

    /// Class that the block was taken as.
    pub(super) fn block_class(self) -> usize {
        if self.is_node() { NODE_BLOCK_CLASS } else { self.class() }
    }

    #[inline(always)]
    pub(super) fn block(self) -> usize {
        (self.0 >> 32) as usize
    }

    #[inline(always)]
    pub(super) fn edges(self) -> u32 {
        self.0 as u32 >> CLASS_BITS
    }

    /// The head with its block elsewhere.
    pub(super) fn moved_to(self, block: u32) -> Head {
        Head(u64::from(block) << 32 | self.0 & 0xffff_ffff)
    }

    /// The head with one edge more.
    #[inline(always)]
    pub(super) fn with_one_more(self) -> Head {
        Head(self.0 + (1 << CLASS_BITS))
    }

    /// The head with one edge less.
    #[inline(always)]
    pub(super) fn with_one_less(self) -> Head {
        debug_assert!(self.edges() > 0);
        Head(self.0 - (1 << CLASS_BITS))
    }

    /// Words of a leaf.
    #[inline(always)]
    pub(super) fn cells(self) -> std::ops::Range<usize> {
        self.block()..self.block() + CLASS_CELLS[self.class()] as usize
    }

    /// Words of a node.
    #[inline(always)]
    pub(super) fn children(self) -> std::ops::Range<usize> {
        self.block()..self.block() + CHILDREN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_never_takes_more_than_three_cells_an_edge_and_has_room_to_change() {
        for edges in 1..=edges_max_of(CLASS_MAX) {
            let class = class_for(edges);
            let cells = CLASS_CELLS[class];
            assert!(edges <= edges_max_of(class) && cells <= 2 * edges, "{edges} edges in {cells} cells");
            assert!(cells <= 8 || edges * 8 >= cells * 3, "{edges} edges in {cells} cells would shrink at once");
        }
        assert_eq!(class_for(0), 0);
        for class in 1..CLASS_MAX {
            assert!(class_for(edges_max_of(class) + 1) > class, "class {class} grows");
        }
        assert!(edges_max_of(class_for(MERGE_EDGES)) > MERGE_EDGES);
    }

    #[test]
    fn a_head_tells_what_was_put_in() {
        let head = Head::leaf(u32::MAX, (1 << 27) - 1, CLASS_MAX);
        assert_eq!((head.block(), head.edges(), head.class()), (u32::MAX as usize, (1 << 27) - 1, CLASS_MAX));
        assert_eq!(head.with_one_less().with_one_more().moved_to(7), Head::leaf(7, (1 << 27) - 1, CLASS_MAX));
        let node = Head::node(640, 900);
        assert!(node.is_node() && !head.is_node() && !Head::NONE.is_node());
        assert_eq!((node.edges(), node.block_class(), node.children()), (900, NODE_BLOCK_CLASS, 640..704));
    }
}
