//! Labels, and the vertices of one direction that wait to be settled, in the order of their labels.
//!
//! A label is `distance << 28 | edges`, so lengths add by adding labels and every edge, even one of weight 0, makes a
//! path longer.

use super::graph::Adjacency;
use super::{NONE, PathfinderError, filled};

/// Bits of the edge count in a label. With at most 2^27 nodes the sum of two counts fits, and above it the sum of two
/// distances of at most 255 * 2^27.
pub(super) const EDGES_BITS: u32 = 28;
pub(super) const EDGES_MASK: u64 = (1 << EDGES_BITS) - 1;

/// No label yet. Larger than any sum of two labels.
pub(super) const UNREACHED: u64 = u64::MAX;

/// Distances of queued vertices span the largest weight, 255, and the distance being settled.
const BUCKETS: usize = 256;

/// The largest weight of an edge.
pub(super) const WEIGHT_MAX: u64 = 255;

/// How many vertices ahead of the one being settled the edges are asked for.
const LOOK_AHEAD: usize = 5;

pub(super) fn label(distance: u64, edges: u64) -> u64 {
    distance << EDGES_BITS | edges
}

pub(super) fn cost(weight: u64) -> u64 {
    label(weight, 1)
}

/// What one direction knows of its vertices. Arrays apart, because neighbours in a road network often have close ids
/// and the two searches meet late: a query then touches few lines of cache, nearly all for one direction.
#[derive(Debug)]
pub(super) struct Vertices {
    pub(super) labels: Vec<u64>,
    links: Vec<Links>,
}

/// Neighbours in the bucket that a vertex waits in, or (`next` only) among the late arrivals.
#[derive(Clone, Copy, Debug)]
struct Links {
    next: u32,
    previous: u32,
}

impl Vertices {
    pub(super) fn new(nodes_max: u32) -> Result<Self, PathfinderError> {
        let unlinked = Links { next: NONE, previous: NONE };
        Ok(Self {
            labels: filled(nodes_max as usize, UNREACHED, "labels")?,
            links: filled(nodes_max as usize, unlinked, "queues")?,
        })
    }
}

/// Vertices of one direction that have a label and are not settled.
#[derive(Debug)]
pub(super) struct Queue {
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
    pub(super) waiting: u64,
}

impl Queue {
    pub(super) fn new(nodes_max: u32) -> Result<Self, PathfinderError> {
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
    pub(super) fn start(&mut self, vertex: u32) {
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
    pub(super) fn put(&mut self, vertices: &mut Vertices, vertex: u32, before: u64, after: u64) {
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
    pub(super) fn top(&mut self, vertices: &Vertices) -> u64 {
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

    /// Asks for the edges of vertices that are settled soon: one further on of this distance or, when it begins, its
    /// first ones and the first ones of the next distance.
    pub(super) fn prefetch_next(&self, adjacency: &Adjacency) {
        let begins = self.current_taken <= 1;
        let next = self.current_taken + if begins { 0 } else { LOOK_AHEAD - 1 };
        let ahead = &self.current[next.min(self.current.len())..];
        ahead.iter().take(if begins { LOOK_AHEAD } else { 1 }).for_each(|entry| adjacency.prefetch_arcs(*entry as u32));
        if begins && let Some(step) = self.next_bucket() {
            let bucket = (self.distance + step) as usize % BUCKETS;
            adjacency.prefetch_arcs(self.heads[bucket]);
        }
    }

    /// How far beyond the distance being settled the farthest vertex waits; 0 if none waits beyond it.
    pub(super) fn farthest(&self) -> u64 {
        // Seen from the last bucket that can be occupied, which is the present one less one round, the first is nearest.
        let last = self.distance as usize % BUCKETS;
        let words = self.occupied.len();
        let mut mask = u64::MAX >> (63 - last % 64);
        for step in 0..=words {
            let word = (last / 64 + words - step % words) % words;
            let found = self.occupied[word] & mask;
            if found != 0 {
                let bucket = word * 64 + 63 - found.leading_zeros() as usize;
                return ((bucket + BUCKETS - last) % BUCKETS) as u64;
            }
            mask = u64::MAX;
        }
        0
    }

    /// Takes out one vertex of exactly this label, which must be the smallest in the queue.
    pub(super) fn take(&mut self, vertices: &Vertices, top: u64) -> Option<u32> {
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
