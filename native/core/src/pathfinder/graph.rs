//! The pathfinder's edges: a fixed pool, linked into one list per node and direction.
//!
//! Linked lists, because they make a change O(1) in a pool that cannot run out before `edges_max` edges, whatever the
//! order of changes was. No answer depends on the order within a list.

use super::index::{EdgeIndex, NONE};
use super::{PathfinderConfig, PathfinderError, filled, reserved};

/// One edge as one of its ends sees it; 16 bytes, so that a search reads one quarter of a cache line per edge.
#[derive(Clone, Copy, Debug)]
struct Half {
    /// The other end.
    node: u32,
    /// Neighbours in the list of this end; [`NONE`] at its ends. In a free edge `next` chains the free ones.
    next: u32,
    previous: u32,
    weight: u32,
}

const FREE: Half = Half { node: NONE, next: NONE, previous: NONE, weight: 0 };

/// All edges of one direction, by the node they leave (in that direction).
#[derive(Debug)]
pub(super) struct Adjacency {
    first: Vec<u32>,
    halves: Vec<Half>,
}

impl Adjacency {
    fn new(config: &PathfinderConfig) -> Result<Self, PathfinderError> {
        let mut halves = reserved(config.edges_max as usize, "edges")?;
        if config.preallocate {
            halves.resize(config.edges_max as usize, FREE);
            halves.clear();
        }
        Ok(Self { first: filled(config.nodes_max as usize, NONE, "nodes")?, halves })
    }

    /// The edges of a node as (other end, weight), in no order that may matter.
    pub(super) fn arcs(&self, node: u32) -> impl Iterator<Item = (u32, u64)> {
        let mut edge = self.first[node as usize];
        std::iter::from_fn(move || {
            let half = self.halves.get(edge as usize)?;
            edge = half.next;
            Some((half.node, u64::from(half.weight)))
        })
    }

    fn link(&mut self, edge: u32, owner: u32, node: u32, weight: u32) {
        let next = std::mem::replace(&mut self.first[owner as usize], edge);
        if next != NONE {
            self.halves[next as usize].previous = edge;
        }
        self.halves[edge as usize] = Half { node, next, previous: NONE, weight };
    }

    fn unlink(&mut self, edge: u32, owner: u32) {
        let Half { next, previous, .. } = self.halves[edge as usize];
        if previous == NONE {
            self.first[owner as usize] = next;
        } else {
            self.halves[previous as usize].next = next;
        }
        if next != NONE {
            self.halves[next as usize].previous = previous;
        }
    }
}

/// The directed graph with a weight per edge, at most one edge for each ordered pair of nodes.
#[derive(Debug)]
pub(super) struct Graph {
    forward: Adjacency,
    reverse: Adjacency,
    index: EdgeIndex,
    /// Head of the chain of edges that were removed; those above the pool's length were never used.
    free: u32,
    edges: u32,
    edges_max: u32,
}

impl Graph {
    pub(super) fn new(config: &PathfinderConfig) -> Result<Self, PathfinderError> {
        Ok(Self {
            forward: Adjacency::new(config)?,
            reverse: Adjacency::new(config)?,
            index: EdgeIndex::new(config.edges_max, config.index_salt)?,
            free: NONE,
            edges: 0,
            edges_max: config.edges_max,
        })
    }

    pub(super) fn edges(&self) -> u32 {
        self.edges
    }

    pub(super) fn nodes_max(&self) -> u32 {
        self.forward.first.len() as u32
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
        let found = self.find(source, target);
        if found != NONE {
            self.reverse.halves[found as usize].weight = weight;
            return Some(std::mem::replace(&mut self.forward.halves[found as usize].weight, weight));
        }
        assert!(self.edges < self.edges_max, "more edges than the {} that the core lets through", self.edges_max);
        let edge = self.take_free();
        self.forward.link(edge, source, target, weight);
        self.reverse.link(edge, target, source, weight);
        self.index.insert((source, target), edge);
        self.edges += 1;
        None
    }

    /// Removes the edge if it is there; the weight from before.
    pub(super) fn remove(&mut self, source: u32, target: u32) -> Option<u32> {
        let edge = self.find(source, target);
        if edge == NONE {
            return None;
        }
        let (forward, reverse) = (&self.forward.halves, &self.reverse.halves);
        self.index.remove((source, target), edge, |other| ends(forward, reverse, other));
        self.forward.unlink(edge, source);
        self.reverse.unlink(edge, target);
        let removed = Half { next: self.free, ..FREE };
        let removed = std::mem::replace(&mut self.forward.halves[edge as usize], removed);
        self.free = edge;
        self.edges -= 1;
        Some(removed.weight)
    }

    fn find(&self, source: u32, target: u32) -> u32 {
        self.index.find((source, target), |edge| ends(&self.forward.halves, &self.reverse.halves, edge))
    }

    /// A removed edge if there is one, else the next unused; the room for all was taken at the start.
    fn take_free(&mut self) -> u32 {
        if self.free == NONE {
            let edge = self.forward.halves.len() as u32;
            self.forward.halves.push(FREE);
            self.reverse.halves.push(FREE);
            return edge;
        }
        let edge = self.free;
        self.free = self.forward.halves[edge as usize].next;
        edge
    }
}

/// Source and target of an edge: each half knows the other end.
fn ends(forward: &[Half], reverse: &[Half], edge: u32) -> (u32, u32) {
    (reverse[edge as usize].node, forward[edge as usize].node)
}
