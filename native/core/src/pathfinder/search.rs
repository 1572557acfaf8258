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

use super::graph::Graph;
use super::{NONE, PathfinderError, RouteStatus, filled};

/// Bits of the edge count in a label. With at most 2^27 nodes the sum of two counts fits, and above it the sum of two
/// distances of at most 255 * 2^27.
const EDGES_BITS: u32 = 28;
const EDGES_MASK: u64 = (1 << EDGES_BITS) - 1;

/// No label yet. Larger than any sum of two labels.
const UNREACHED: u64 = u64::MAX;

/// Distances of queued vertices span the largest weight, 255, and the distance being settled.
const BUCKETS: usize = 256;

/// Vertices settled between two looks at whether anybody still waits: a few hundred microseconds, and a look costs
/// nothing beside them.
pub(super) const LOOK_VERTICES: u64 = 4_096;

/// Largest number of a query; two bits of a stamp tell the directions.
const QUERY_MAX: u32 = u32::MAX >> 2;

const FORWARD: usize = 0;
const BACKWARD: usize = 1;

fn label(distance: u64, edges: u64) -> u64 {
    distance << EDGES_BITS | edges
}

fn cost(weight: u64) -> u64 {
    label(weight, 1)
}

/// What one direction knows of its vertices. Arrays apart, because neighbours in a road network often have close ids
/// and the two searches meet late: a query then touches few lines of cache, nearly all for one direction.
#[derive(Debug)]
struct Vertices {
    labels: Vec<u64>,
    links: Vec<Links>,
}

/// Neighbours in the bucket that a vertex waits in, or (`next` only) among the late arrivals.
#[derive(Clone, Copy, Debug)]
struct Links {
    next: u32,
    previous: u32,
}

impl Vertices {
    fn new(nodes_max: u32) -> Result<Self, PathfinderError> {
        let unlinked = Links { next: NONE, previous: NONE };
        Ok(Self {
            labels: filled(nodes_max as usize, UNREACHED, "labels")?,
            links: filled(nodes_max as usize, unlinked, "queues")?,
        })
    }
}

/// Vertices of one direction that have a label and are not settled.
#[derive(Debug)]
struct Queue {
    /// Vertices by distance modulo [`BUCKETS`], beyond the distance being settled.
    heads: [u32; BUCKETS],
    occupied: [u64; BUCKETS / 64],
    /// The distance being settled.
    distance: u64,
    /// Those that had this distance when its turn came, as `edges << 32 | vertex`, ascending. An entry whose vertex has
    /// another label by now is void.
    current: Vec<u64>,
    current_taken: usize,
    /// Those that came to this distance over an edge of weight 0, in the order of coming, which is that of their labels.
    late_first: u32,
    late_last: u32,
    waiting: u64,
}

impl Queue {
    fn new(nodes_max: u32) -> Result<Self, PathfinderError> {
        let mut current = filled(nodes_max as usize, 0, "queues")?;
        current.clear();
        Ok(Self {
            heads: [NONE; BUCKETS],
            occupied: [0; BUCKETS / 64],
            distance: 0,
            current,
            current_taken: 0,
            late_first: NONE,
            late_last: NONE,
            waiting: 0,
        })
    }

    /// Empties the queue and puts the first vertex in, at label 0.
    fn start(&mut self, vertex: u32) {
        self.heads = [NONE; BUCKETS];
        self.occupied = [0; BUCKETS / 64];
        self.distance = 0;
        self.current.clear();
        self.current.push(u64::from(vertex));
        self.current_taken = 0;
        self.late_first = NONE;
        self.late_last = NONE;
        self.waiting = 1;
    }

    /// Puts a vertex where its new label belongs, out of where the label it had before had put it.
    fn put(&mut self, vertices: &mut Vertices, vertex: u32, before: u64, after: u64) {
        if before == UNREACHED {
            self.waiting += 1;
        } else if before >> EDGES_BITS > self.distance {
            self.unlink(vertices, vertex, before >> EDGES_BITS);
        }
        if after >> EDGES_BITS > self.distance {
            self.link(vertices, vertex, after >> EDGES_BITS);
        } else {
            self.put_late(vertices, vertex);
        }
    }

    fn link(&mut self, vertices: &mut Vertices, vertex: u32, distance: u64) {
        let bucket = distance as usize % BUCKETS;
        let next = std::mem::replace(&mut self.heads[bucket], vertex);
        if next != NONE {
            vertices.links[next as usize].previous = vertex;
        }
        vertices.links[vertex as usize].next = next;
        vertices.links[vertex as usize].previous = NONE;
        self.occupied[bucket / 64] |= 1 << (bucket % 64);
    }

    fn unlink(&mut self, vertices: &mut Vertices, vertex: u32, distance: u64) {
        let (next, previous) = (vertices.links[vertex as usize].next, vertices.links[vertex as usize].previous);
        if next != NONE {
            vertices.links[next as usize].previous = previous;
        }
        if previous != NONE {
            vertices.links[previous as usize].next = next;
            return;
        }
        let bucket = distance as usize % BUCKETS;
        self.heads[bucket] = next;
        if next == NONE {
            self.occupied[bucket / 64] &= !(1 << (bucket % 64));
        }
    }

    fn put_late(&mut self, vertices: &mut Vertices, vertex: u32) {
        vertices.links[vertex as usize].next = NONE;
        if self.late_first == NONE {
            self.late_first = vertex;
        } else {
            vertices.links[self.late_last as usize].next = vertex;
        }
        self.late_last = vertex;
    }

    /// The smallest label in the queue, [`UNREACHED`] if it is empty.
    fn top(&mut self, vertices: &Vertices) -> u64 {
        loop {
            let on_time = self.next_on_time(vertices);
            let late = match self.late_first {
                NONE => UNREACHED,
                vertex => vertices.labels[vertex as usize],
            };
            if on_time.min(late) != UNREACHED {
                return on_time.min(late);
            }
            if !self.advance(vertices) {
                return UNREACHED;
            }
        }
    }

    /// The label of the next valid entry of `current`; void ones before it are passed over.
    fn next_on_time(&mut self, vertices: &Vertices) -> u64 {
        while let Some(&entry) = self.current.get(self.current_taken) {
            let expected = label(self.distance, entry >> 32);
            if vertices.labels[entry as u32 as usize] == expected {
                return expected;
            }
            self.current_taken += 1;
        }
        UNREACHED
    }

    /// Goes on to the next distance that has vertices; false if there is none.
    fn advance(&mut self, vertices: &Vertices) -> bool {
        let Some(step) = self.next_bucket() else { return false };
        self.distance += step;
        let bucket = self.distance as usize % BUCKETS;
        self.occupied[bucket / 64] &= !(1 << (bucket % 64));
        self.current.clear();
        self.current_taken = 0;
        let mut vertex = std::mem::replace(&mut self.heads[bucket], NONE);
        while vertex != NONE {
            let edges = vertices.labels[vertex as usize] & EDGES_MASK;
            self.current.push(edges << 32 | u64::from(vertex));
            vertex = vertices.links[vertex as usize].next;
        }
        self.current.sort_unstable();
        true
    }

    /// Steps from the present distance to the nearest occupied bucket, going round the end.
    fn next_bucket(&self) -> Option<u64> {
        let start = (self.distance as usize + 1) % BUCKETS;
        let words = self.occupied.len();
        let mut mask = u64::MAX << (start % 64);
        for step in 0..=words {
            let word = (start / 64 + step) % words;
            let found = self.occupied[word] & mask;
            if found != 0 {
                let bucket = word * 64 + found.trailing_zeros() as usize;
                return Some(((bucket + BUCKETS - start) % BUCKETS) as u64 + 1);
            }
            mask = u64::MAX;
        }
        None
    }

    /// Takes out one vertex of exactly this label, which must be the smallest in the queue.
    fn take(&mut self, vertices: &Vertices, top: u64) -> Option<u32> {
        let vertex = if self.next_on_time(vertices) == top {
            self.current_taken += 1;
            self.current[self.current_taken - 1] as u32
        } else if self.late_first != NONE && vertices.labels[self.late_first as usize] == top {
            let vertex = self.late_first;
            self.late_first = vertices.links[vertex as usize].next;
            vertex
        } else {
            return None;
        };
        self.waiting -= 1;
        Some(vertex)
    }
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
    pub(super) fn run(&mut self, graph: &Graph, source: u32, target: u32, limits: &Limits<'_>) -> RouteStatus {
        self.start(source, target);
        let mut tops = [0_u64; 2];
        while tops[FORWARD].saturating_add(tops[BACKWARD]) < self.best {
            let side = usize::from(self.queues[BACKWARD].waiting < self.queues[FORWARD].waiting);
            if let Err(ending) = self.settle_level(graph, side, tops[side], limits) {
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

    /// Settles all vertices of the label; an error, which is the answer, where a limit ends it.
    fn settle_level(&mut self, graph: &Graph, side: usize, top: u64, limits: &Limits<'_>) -> Result<(), RouteStatus> {
        let adjacency = if side == FORWARD { graph.forward() } else { graph.reverse() };
        while let Some(vertex) = self.queues[side].take(&self.sides[side], top) {
            self.settled += 1;
            if self.settled > limits.budget {
                return Err(RouteStatus::Budget);
            }
            if self.settled.is_multiple_of(LOOK_VERTICES) && !(limits.keep_going)() {
                return Err(RouteStatus::Cancelled);
            }
            for (other, weight) in adjacency.arcs(vertex) {
                self.offer(side, other, top + cost(weight));
            }
        }
        Ok(())
    }

    /// Lowers the label of a vertex to the offered one if that is smaller.
    fn offer(&mut self, side: usize, vertex: u32, offered: u64) {
        let before = self.label(side, vertex);
        if offered >= before {
            return;
        }
        self.set_label(side, vertex, offered);
        self.queues[side].put(&mut self.sides[side], vertex, before, offered);
        let sum = offered.saturating_add(self.label(1 - side, vertex));
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
