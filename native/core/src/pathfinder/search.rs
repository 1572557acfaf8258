//! Bidirectional search over labels that order paths by distance, then by number of edges.
//!
//! A label is `distance << 28 | edges`, so lengths add by adding labels and every edge, even one of weight 0, makes a
//! path longer. Each direction settles whole *levels*: all vertices of its smallest label at once. Which levels get
//! settled is decided by labels and level sizes alone, therefore the settled set is the same for the same graph.
//!
//! # When to stop
//! Let `top` be the smallest unsettled label of a direction and `best` the smallest sum of both labels of a vertex seen
//! so far. Search ends when `top[forward] + top[backward] >= best`: on a shorter path, let `w` be the first vertex that
//! lies at `top[forward]` or beyond. Its predecessor is settled forward, and `w` is nearer than `top[backward]` to the
//! target, so settled backward; whichever came second saw the other's label, and `best` would not be larger.
//!
//! # Why the path is the canonical one
//! The same `w` on any *shortest* path has both labels exact at the end (its neighbours towards both ends are settled),
//! with the sum `best`; so `w` is in `meetings`, the list of all vertices with that sum. Behind `w` a shortest path
//! follows edges along which the backward label falls by the edge's cost, and every such edge from a vertex on a
//! shortest path leads to one. [`Search::write_path`] first follows them from all meetings, giving every vertex its exact
//! forward label `best - backward`. Then all vertices of all shortest paths have exact forward labels, and since a
//! forward label is always the length of a real path, a predecessor whose label fits is truly tight. The walk back from
//! the target picks the lowest of those.

use super::graph::{Adjacency, Graph, Kept};
use super::queue::{EDGES_BITS, EDGES_MASK, Queue, UNREACHED, Vertices, WEIGHT_MAX, cost};
use super::{NONE, PathfinderError, RouteStatus, filled};

/// Vertices settled between two looks at whether anybody still waits: a few hundred microseconds, and a look costs
/// nothing beside them.
pub(super) const LOOK_VERTICES: u64 = 4_096;

/// Largest number of a query; two bits of a stamp tell the directions.
const QUERY_MAX: u32 = u32::MAX >> 2;

const FORWARD: usize = 0;
const BACKWARD: usize = 1;

/// What a label must keep to be of use while one level is settled.
#[derive(Clone, Copy)]
struct Bounds {
    /// Smallest unsettled label of the other direction.
    other_top: u64,
    /// Smallest sum of two labels so far.
    sum_max: u64,
}

/// What ends a search before it is done.
pub(super) struct Limits<'query> {
    /// Vertices that may be settled.
    pub(super) budget: u64,
    /// Asked once for every [`LOOK_VERTICES`]; `false` gives the search up.
    pub(super) keep_going: &'query dyn Fn() -> bool,
}

/// The room of the search, and after it what was found.
#[derive(Debug)]
pub(super) struct Search {
    /// Which directions reached a vertex in which query: `query << 2 | directions`. A label counts only if its
    /// direction stands here, so no query clears anything.
    stamps: Vec<u32>,
    query: u32,
    sides: [Vertices; 2],
    queues: [Queue; 2],
    /// Smallest sum of both labels of a vertex.
    best: u64,
    /// Every vertex whose labels have the sum `best`; each once, as a label only ever falls.
    meetings: Vec<u32>,
    settled: u64,
}

impl Search {
    pub(super) fn new(nodes_max: u32) -> Result<Self, PathfinderError> {
        let mut meetings = filled(nodes_max as usize, 0, "meetings")?;
        meetings.clear();
        Ok(Self {
            stamps: filled(nodes_max as usize, 0, "labels")?,
            query: 0,
            sides: [Vertices::new(nodes_max)?, Vertices::new(nodes_max)?],
            queues: [Queue::new(nodes_max)?, Queue::new(nodes_max)?],
            best: UNREACHED,
            meetings,
            settled: 0,
        })
    }

    /// Queue and labels of the forward direction. Whatever is written there, the next query finds its own only.
    pub(super) fn forward_side(&mut self) -> (&mut Queue, &mut Vertices) {
        (&mut self.queues[FORWARD], &mut self.sides[FORWARD])
    }

    /// Vertices that the last query settled.
    pub(super) fn settled(&self) -> u64 {
        self.settled
    }

    /// Distance that the last query found.
    pub(super) fn distance(&self) -> u64 {
        self.best >> EDGES_BITS
    }

    /// Edges on the path that the last query found.
    pub(super) fn edges_on_path(&self) -> u32 {
        (self.best & EDGES_MASK) as u32
    }

    /// Finds the smallest label of a path between two different nodes.
    pub(super) fn run(&mut self, graph: &Graph, kept: &mut Kept, ends: (u32, u32), limits: &Limits<'_>) -> RouteStatus {
        self.start(ends.0, ends.1);
        let mut tops = [0_u64; 2];
        while tops[FORWARD].saturating_add(tops[BACKWARD]) < self.best {
            let side = usize::from(self.queues[BACKWARD].waiting < self.queues[FORWARD].waiting);
            if let Err(ending) = self.settle_level(graph, kept, side, tops, limits) {
                return ending;
            }
            tops[side] = self.queues[side].top(&self.sides[side]);
        }
        if self.best == UNREACHED { RouteStatus::Unreachable } else { RouteStatus::Found }
    }

    fn start(&mut self, source: u32, target: u32) {
        self.query += 1;
        if self.query > QUERY_MAX {
            // Numbers start again: no stamp of an earlier round may be taken for one of this round.
            self.stamps.fill(0);
            self.query = 1;
        }
        self.best = UNREACHED;
        self.settled = 0;
        self.meetings.clear();
        for (side, vertex) in [source, target].into_iter().enumerate() {
            self.queues[side].start(vertex);
            self.set_label(side, vertex, 0);
        }
    }

    fn label(&self, side: usize, vertex: u32) -> u64 {
        let reached = self.stamps[vertex as usize] ^ self.query << 2;
        if reached < 4 && reached >> side & 1 == 1 { self.sides[side].labels[vertex as usize] } else { UNREACHED }
    }

    fn set_label(&mut self, side: usize, vertex: u32, label: u64) {
        let stamp = &mut self.stamps[vertex as usize];
        let reached = if *stamp >> 2 == self.query { *stamp } else { self.query << 2 };
        *stamp = reached | 1 << side;
        self.sides[side].labels[vertex as usize] = label;
    }

    /// Settles all vertices of the smallest label of a side; an error, which is the answer, where a limit ends it.
    fn settle_level(
        &mut self,
        graph: &Graph,
        kept: &mut Kept,
        side: usize,
        tops: [u64; 2],
        limits: &Limits<'_>,
    ) -> Result<(), RouteStatus> {
        let adjacency = if side == FORWARD { graph.forward() } else { graph.reverse() };
        // As they are now, for the whole level: what is left out must not depend on the order within it.
        let bounds = Bounds { other_top: tops[1 - side], sum_max: self.best };
        let top = tops[side];
        let weight_max = ((bounds.sum_max - top - 1) >> EDGES_BITS).min(WEIGHT_MAX);
        while let Some(vertex) = self.queues[side].take(&self.sides[side], top) {
            self.settled += 1;
            if self.settled > limits.budget {
                return Err(RouteStatus::Budget);
            }
            if self.settled.is_multiple_of(LOOK_VERTICES) && !(limits.keep_going)() {
                return Err(RouteStatus::Cancelled);
            }
            self.queues[side].prefetch_next(adjacency);
            adjacency.arcs_up_to(vertex, weight_max, kept, |other, weight| {
                self.offer(adjacency, side, other, top + cost(weight), bounds);
            });
        }
        Ok(())
    }

    /// Lowers the label of a vertex to the offered one if that is smaller and can be a part of a shortest path.
    #[inline(always)]
    fn offer(&mut self, adjacency: &Adjacency, side: usize, vertex: u32, offered: u64, bounds: Bounds) {
        let beyond = self.label(1 - side, vertex);
        if offered + beyond.min(bounds.other_top) > bounds.sum_max {
            return;
        }
        let before = self.label(side, vertex);
        if offered >= before {
            return;
        }
        adjacency.prefetch_head(vertex);
        self.set_label(side, vertex, offered);
        self.queues[side].put(&mut self.sides[side], vertex, before, offered);
        let sum = offered.saturating_add(beyond);
        if sum < self.best {
            self.best = sum;
            self.meetings.clear();
        }
        if sum == self.best && sum != UNREACHED {
            self.meetings.push(vertex);
        }
    }

    /// Writes the first nodes of the path that [`Search::run`] found, as many as `nodes` is long.
    pub(super) fn write_path(&mut self, graph: &Graph, source: u32, target: u32, nodes: &mut [u32]) {
        self.complete_forward_labels(graph);
        let mut vertex = target;
        let mut position = self.edges_on_path() as usize;
        loop {
            if let Some(node) = nodes.get_mut(position) {
                *node = vertex;
            }
            if vertex == source {
                break;
            }
            vertex = self.lowest_predecessor(graph, vertex);
            position -= 1;
        }
        assert_eq!(position, 0, "the path has as many edges as its label says");
    }

    /// Gives every vertex of every shortest path its exact forward label; see the head of this file.
    fn complete_forward_labels(&mut self, graph: &Graph) {
        let mut done = 0;
        while let Some(&vertex) = self.meetings.get(done) {
            done += 1;
            let here = self.label(BACKWARD, vertex);
            for (other, weight) in graph.forward().arcs(vertex) {
                let there = self.label(BACKWARD, other);
                let tight = there.checked_add(cost(weight)) == Some(here);
                if tight && self.label(FORWARD, other) != self.best - there {
                    self.set_label(FORWARD, other, self.best - there);
                    self.meetings.push(other);
                }
            }
        }
    }

    fn lowest_predecessor(&self, graph: &Graph, vertex: u32) -> u32 {
        let reached = self.label(FORWARD, vertex);
        let tight = graph
            .reverse()
            .arcs(vertex)
            .filter(|&(other, weight)| self.label(FORWARD, other).checked_add(cost(weight)) == Some(reached));
        let lowest = tight.map(|(other, _)| other).min();
        assert!(lowest.is_some(), "a vertex of a shortest path has a tight predecessor");
        lowest.unwrap_or(NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Pathfinder, PathfinderConfig, Route, RouteStatus};

    #[test]
    fn stamps_of_an_earlier_round_of_query_numbers_do_not_count() {
        let config =
            PathfinderConfig { nodes_max: 6, edges_max: 6, budget: u64::MAX, index_salt: 0, preallocate: false };
        let mut pathfinder = Pathfinder::new(&config).unwrap();
        (0..4).for_each(|node| pathfinder.apply(node, node + 1, 1));
        let mut route = Route::with_capacity(6).unwrap();
        assert_eq!(pathfinder.route(0, 4, &mut route), RouteStatus::Found); // stamps with 1, the number after the wrap
        pathfinder.search.query = super::QUERY_MAX - 1;
        for _ in 0..4 {
            assert_eq!(pathfinder.route(4, 0, &mut route), RouteStatus::Unreachable);
            assert_eq!(pathfinder.route(1, 4, &mut route), RouteStatus::Found);
            assert_eq!(route.nodes, [1, 2, 3, 4]);
        }
        assert!(pathfinder.search.query < 10, "the numbers went round");
    }
}
