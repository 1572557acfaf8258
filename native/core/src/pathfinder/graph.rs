//! The pathfinder's edges, by the node they leave and by the node they enter.

use lodestone_memory::simd::keep_up_to;

use super::{PathfinderConfig, PathfinderError};
use crate::edges::{EdgeChange, EdgeSizes, EdgeStore, VLine};
use crate::packet::weight_of;

/// Changes that are asked for ahead together. From some dozens on the memory is kept busy; more than the caches of one
/// core hold would be fetched twice.
const BATCH_CHANGES: usize = 128;

/// Stands in each edge's mask beside its weight, which may be 0 where a mask may not.
pub(super) const PRESENT: u32 = 1 << 8;

/// Room for the edges of one leaf.
#[derive(Debug)]
pub(super) struct Kept(Box<[u64; VLine::LEAF_CELLS_MAX]>);

impl Kept {
    pub(super) fn new() -> Self {
        Self(Box::new([0; VLine::LEAF_CELLS_MAX]))
    }
}

/// All edges of one direction, by the node they leave (in that direction).
#[derive(Debug)]
pub(super) struct Adjacency(VLine);

impl Adjacency {
    fn new(config: &PathfinderConfig, salt: u64) -> Result<Self, PathfinderError> {
        let sizes = EdgeSizes { nodes_max: config.nodes_max, edges_max: config.edges_max };
        let bytes = VLine::bytes_reserved(sizes);
        let store = VLine::with_memory(sizes, salt, config.preallocate);
        store.map(Self).ok_or(PathfinderError::Memory { purpose: "edges", bytes })
    }

    /// The edges of a node as (other end, weight), in no order that may matter.
    #[inline]
    pub(super) fn arcs(&self, node: u32) -> impl Iterator<Item = (u32, u64)> {
        self.0.arcs(node).map(|(other, mask)| (other, u64::from(mask & 0xff)))
    }

    /// Tells the edges of a node whose weight is at most `weight_max`, at most 255, in no order that may matter.
    #[inline(always)]
    pub(super) fn arcs_up_to(&self, node: u32, weight_max: u64, kept: &mut Kept, mut visit: impl FnMut(u32, u64)) {
        // A free cell is 0 and wraps round to more than any edge.
        let most = weight_max << 32 | u64::from(u32::MAX);
        for cells in self.0.leaves(node) {
            let count = keep_up_to(cells, u64::from(PRESENT) << 32, most, &mut kept.0[..]);
            kept.0[..count].iter().for_each(|arc| visit(*arc as u32, arc >> 32));
        }
    }

    /// Whether the node has an edge.
    pub(super) fn has_arcs(&self, node: u32) -> bool {
        self.0.has_edges(node)
    }

    /// Number of nodes that have an edge. Looks at all of them.
    pub(super) fn nodes_with_arcs(&self) -> u32 {
        (0..self.0.nodes_max()).map(|node| u32::from(self.has_arcs(node))).sum()
    }

    /// Asks for the word that tells where the edges of a node lie.
    pub(super) fn prefetch_head(&self, node: u32) {
        self.0.prefetch_head(node);
    }

    /// Asks for the edges of a node, as far as one word tells where they lie.
    pub(super) fn prefetch_arcs(&self, node: u32) {
        self.0.prefetch_leaf(node);
    }

    fn prefetch(&self, node: u32, other: u32) {
        self.0.prefetch(self.0.place(node, other));
    }

    fn prefetch_behind(&self, node: u32, other: u32) {
        self.0.prefetch_behind(self.0.place(node, other));
    }

    /// Sets the weight or, with `None`, removes the edge; the weight from before.
    fn set(&mut self, node: u32, other: u32, weight: Option<u32>) -> Option<u32> {
        let before = self.0.set(node, other, weight.map_or(0, |weight| PRESENT | weight));
        (before != 0).then_some(before & 0xff)
    }
}

/// The directed graph with a weight per edge, at most one edge for each ordered pair of nodes.
#[derive(Debug)]
pub(super) struct Graph {
    forward: Adjacency,
    reverse: Adjacency,
}

impl Graph {
    pub(super) fn new(config: &PathfinderConfig) -> Result<Self, PathfinderError> {
        let salt = config.index_salt;
        Ok(Self { forward: Adjacency::new(config, salt)?, reverse: Adjacency::new(config, !salt)? })
    }

    pub(super) fn edges(&self) -> u32 {
        self.forward.0.count()
    }

    pub(super) fn nodes_max(&self) -> u32 {
        self.forward.0.nodes_max()
    }

    /// Edges by the node where they start.
    pub(super) fn forward(&self) -> &Adjacency {
        &self.forward
    }

    /// Edges by the node where they end.
    pub(super) fn reverse(&self) -> &Adjacency {
        &self.reverse
    }

    /// Adds the edge, or changes its weight; the weight from before.
    pub(super) fn put(&mut self, source: u32, target: u32, weight: u32) -> Option<u32> {
        self.set(source, target, Some(weight))
    }

    /// Removes the edge if it is there; the weight from before.
    pub(super) fn remove(&mut self, source: u32, target: u32) -> Option<u32> {
        self.set(source, target, None)
    }

    fn set(&mut self, source: u32, target: u32, weight: Option<u32>) -> Option<u32> {
        assert!(
            source < self.nodes_max() && target < self.nodes_max(),
            "edge {source} to {target} is not in the graph"
        );
        let before = self.forward.set(source, target, weight);
        let edges_max = self.forward.0.edges_max();
        assert!(self.edges() <= edges_max, "more edges than the {edges_max} that the core lets through");
        self.reverse.set(target, source, weight);
        before
    }

    /// Sets all these edges, in order, asking for their memory ahead. Each change is told together with the weight from
    /// before.
    pub(super) fn set_all(&mut self, changes: &[EdgeChange], mut changed: impl FnMut(&EdgeChange, Option<u32>)) {
        for batch in changes.chunks(BATCH_CHANGES) {
            for change in batch {
                self.forward.prefetch(change.source, change.target);
                self.reverse.prefetch(change.target, change.source);
            }
            for change in batch {
                self.forward.prefetch_behind(change.source, change.target);
                self.reverse.prefetch_behind(change.target, change.source);
            }
            for change in batch {
                let weight = (change.mask != 0).then(|| weight_of(change.mask));
                changed(change, self.set(change.source, change.target, weight));
            }
        }
    }

    /// Bytes of memory that hold edges now.
    pub(super) fn bytes_used(&self) -> u64 {
        self.forward.0.bytes_used() + self.reverse.0.bytes_used()
    }
}
