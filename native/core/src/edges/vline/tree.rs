//! How a node's blocks grow, shrink, part and come together.
//!
//! A leaf that is full at the largest class becomes a node: 64 heads, one for each value of the next six bits of the
//! hash, of leaves that are sized to their edges. A node that has few edges left below it becomes one leaf again. The
//! hash has 32 bits and no two targets share one, so a leaf four levels down has at most 256 edges and never parts.

use lodestone_memory::huge::HugeSlice;

use super::head::{
    CHILD_BITS, CHILDREN, CLASS_CELLS, CLASS_MAX, Head, MERGE_EDGES, NODE_BLOCK_CLASS, class_for, edges_max_of,
};
use super::{LeafPlace, VLine, leaf};

/// Levels of nodes above a leaf at most.
const DEPTH_MAX: usize = 4;

impl LeafPlace {
    /// The place one level below this one, where the head of a node was found.
    #[inline(always)]
    pub(super) fn below(self, node: Head) -> LeafPlace {
        LeafPlace {
            head: node.block() + (self.hash >> (32 - CHILD_BITS)) as usize,
            depth: self.depth + 1,
            hash: self.hash << CHILD_BITS,
        }
    }
}

impl Head {
    /// Whether the leaf takes one edge more as it is.
    #[inline(always)]
    pub(super) fn has_room(self) -> bool {
        self.edges() < edges_max_of(self.class())
    }
}

impl VLine {
    /// Most cells of a leaf.
    pub(crate) const LEAF_CELLS_MAX: usize = CLASS_CELLS[CLASS_MAX] as usize;

    /// Most lines that one change moves. Parting a leaf moves its 896 edges, 112 lines, and the last block of its
    /// class, 128 lines, into the hole; targets chosen for a known salt can all go to one child, at each of four
    /// levels, else once does. The child may need the next class: four lines. Removing moves less: a leaf made smaller
    /// and its hole 171, the leaves of a node that come together 179, and up to three levels above, which then have
    /// one leaf each, 115.
    pub const LINES_MOVED_MAX: u64 = 4 * (112 + 128) + 4;

    /// Puts in an edge that is not there and for which the leaf has no room as it is.
    #[cold]
    pub(super) fn insert_with_room(&mut self, source: u32, hash: u32, cell: u64) {
        debug_assert!(self.count < self.edges_max);
        loop {
            let place = self.leaf_of(source, hash);
            let head = Head(self.words[place.head]);
            if head.has_room() {
                return leaf::insert(&mut self.words[head.cells()], cell, place.hash);
            }
            if head.class() == CLASS_MAX {
                self.part(place);
            } else {
                self.rebuild(place, class_for(head.edges() + 1));
            }
        }
    }

    /// Takes out the edge in this cell of the leaf.
    pub(super) fn remove(&mut self, source: u32, hash: u32, place: LeafPlace, cell: usize) {
        let (salt, shift) = (self.salt, place.depth * CHILD_BITS);
        let cells = Head(self.words[place.head]).cells();
        leaf::remove(&mut self.words[cells], cell, |target| salt.hash(target) << shift);
        self.count_one_less(source, hash);
        let head = Head(self.words[place.head]);
        if head.edges() * 3 < CLASS_CELLS[head.class()] {
            self.rebuild(place, class_for(head.edges()));
        }
        // From the lowest up: what lies below a node that comes together are leaves then.
        for depth in (0..place.depth).rev() {
            let node = Head(self.words[self.place_at(source, hash, depth).head]);
            if node.edges() <= MERGE_EDGES {
                self.come_together(source, hash, depth);
            }
        }
    }

    pub(super) fn count_one_more(&mut self, source: u32, hash: u32) {
        self.count += 1;
        self.update_heads(source, hash, Head::with_one_more);
    }

    fn count_one_less(&mut self, source: u32, hash: u32) {
        self.count -= 1;
        self.update_heads(source, hash, Head::with_one_less);
    }

    #[inline(always)]
    fn update_heads(&mut self, source: u32, hash: u32, update: impl Fn(Head) -> Head) {
        let mut place = LeafPlace { head: source as usize, depth: 0, hash };
        loop {
            let head = update(Head(self.words[place.head]));
            self.words[place.head] = head.0;
            if !head.is_node() {
                return;
            }
            place = place.below(head);
        }
    }

    /// The place at this depth on the way to the hash.
    fn place_at(&self, source: u32, hash: u32, depth: u32) -> LeafPlace {
        let root = LeafPlace { head: source as usize, depth: 0, hash };
        (0..depth).fold(root, |place, _| place.below(Head(self.words[place.head])))
    }

    /// Gives the leaf a block of another class; class 0 means none, for a leaf without edges.
    fn rebuild(&mut self, place: LeafPlace, class: usize) {
        let old = Head(self.words[place.head]);
        debug_assert!(class != old.class());
        let new = if class == 0 { Head::NONE } else { self.take_leaf(place.head, old.edges(), class) };
        let (salt, shift) = (self.salt, place.depth * CHILD_BITS);
        let Ok([from, to]) = self.words.get_disjoint_mut([old.cells(), new.cells()]) else {
            unreachable!("a block just taken lies apart from those in use");
        };
        let kept = from.iter().copied().filter(|cell| *cell != 0);
        leaf::fill(to, kept, |target| salt.hash(target) << shift);
        self.words[place.head] = new.0;
        self.words_moved += u64::from(old.edges());
        if old.class() != 0 {
            self.give(old);
        }
    }

    /// Makes a node of a full leaf.
    fn part(&mut self, place: LeafPlace) {
        let old = Head(self.words[place.head]);
        let block = self.blocks.take(&mut self.words, NODE_BLOCK_CLASS, place.head as u32);
        let (salt, shift) = (self.salt, place.depth * CHILD_BITS);
        let below = |cell: u64, head: Head| {
            let hash = salt.hash(leaf::target_of(cell)) << shift;
            LeafPlace { head: place.head, depth: place.depth, hash }.below(head)
        };
        let node = Head::node(block, old.edges());
        let mut counts = [0; CHILDREN];
        self.words[old.cells()].iter().filter(|cell| **cell != 0).for_each(|cell| {
            counts[below(*cell, node).head - node.block()] += 1;
        });
        for (child, edges) in node.children().zip(counts).filter(|(_, edges)| *edges != 0) {
            self.words[child] = self.take_leaf(child, edges, class_for(edges)).0;
        }
        for index in old.cells() {
            let cell = self.words[index];
            if cell != 0 {
                let child = below(cell, node);
                let cells = Head(self.words[child.head]).cells();
                leaf::insert(&mut self.words[cells], cell, child.hash);
            }
        }
        self.words[place.head] = node.0;
        self.words_moved += u64::from(old.edges());
        self.give(old);
    }

    /// Makes a leaf of a node, below which are only leaves and few edges.
    ///
    /// Giving a block back can move any other of its class, the node and those above it among them: so its place is
    /// looked up again after each.
    fn come_together(&mut self, source: u32, hash: u32, depth: u32) {
        let node = Head(self.words[self.place_at(source, hash, depth).head]);
        let mut cells = [0; MERGE_EDGES as usize];
        let leaves = self.words[node.children()].iter().map(|child| Head(*child));
        let kept = leaves.flat_map(|leaf| &self.words[leaf.cells()]).filter(|cell| **cell != 0);
        let kept = cells.iter_mut().zip(kept).map(|(to, cell)| *to = *cell).count();
        debug_assert!(kept == node.edges() as usize);
        for child in 0..CHILDREN {
            let place = self.node_at(source, hash, depth).block() + child;
            let leaf = Head(std::mem::replace(&mut self.words[place], Head::NONE.0));
            if leaf != Head::NONE {
                self.give(leaf);
            }
        }
        let place = self.place_at(source, hash, depth);
        let node = Head(std::mem::replace(&mut self.words[place.head], Head::NONE.0));
        self.give(node);
        let place = self.place_at(source, hash, depth);
        let new = self.take_leaf(place.head, node.edges(), class_for(node.edges()));
        let (salt, shift) = (self.salt, depth * CHILD_BITS);
        let cells = cells[..kept].iter().copied();
        leaf::fill(&mut self.words[new.cells()], cells, |target| salt.hash(target) << shift);
        self.words[place.head] = new.0;
        self.words_moved += kept as u64;
    }

    fn node_at(&self, source: u32, hash: u32, depth: u32) -> Head {
        Head(self.words[self.place_at(source, hash, depth).head])
    }

    fn take_leaf(&mut self, owner: usize, edges: u32, class: usize) -> Head {
        Head::leaf(self.blocks.take(&mut self.words, class, owner as u32), edges, class)
    }

    fn give(&mut self, head: Head) {
        let moved = self.blocks.give(&mut self.words, head.block_class(), head.block() as u32);
        self.words_moved += u64::from(moved);
    }

    /// The leaves of a node, each as its cells; a cell of 0 is free.
    #[inline]
    pub(crate) fn leaves(&self, source: u32) -> Leaves<'_> {
        assert!(source < self.nodes_max);
        let first = source as usize..source as usize + 1;
        Leaves { words: &self.words, waiting: [first, 0..0, 0..0, 0..0, 0..0], depth: 0 }
    }
}

/// What [`VLine::leaves`] gives.
pub(crate) struct Leaves<'a> {
    words: &'a HugeSlice<u64>,
    /// By level: places of heads not looked at yet.
    waiting: [std::ops::Range<usize>; DEPTH_MAX + 1],
    depth: usize,
}

impl<'a> Iterator for Leaves<'a> {
    type Item = &'a [u64];

    #[inline]
    fn next(&mut self) -> Option<&'a [u64]> {
        loop {
            match self.waiting[self.depth].next() {
                None if self.depth == 0 => return None,
                None => self.depth -= 1,
                Some(place) => {
                    let head = Head(self.words[place]);
                    if !head.is_node() {
                        return Some(&self.words[head.cells()]);
                    }
                    self.depth += 1;
                    self.waiting[self.depth] = head.children();
                }
            }
        }
    }
}
