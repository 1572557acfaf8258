//! A queue of vertices by label, each in it at most once, so that its room is bounded by the number of vertices.

use super::super::{PathfinderError, filled, reserved};

/// Children of an entry: with four, a sift down reads one or two cache lines a level and there are half as many levels.
const CHILDREN: usize = 4;

/// The place of a vertex that is not in the queue.
const ABSENT: u32 = 0;
/// The place of a vertex that is not in the queue and was marked. No entry has it: there are at most 2^27.
const MARKED: u32 = u32::MAX;

/// Ordered by label, then by vertex: so what comes out first depends neither on the order of coming nor on that in which
/// edges lie, and neither does how far a repair gets with its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    label: u64,
    vertex: u32,
}

/// The queue, a heap that knows where each vertex stands in it. A vertex outside may be marked instead.
#[derive(Debug)]
pub(super) struct Heap {
    entries: Vec<Entry>,
    /// By vertex: [`ABSENT`], [`MARKED`], or one more than the index of its entry.
    places: Vec<u32>,
}

impl Heap {
    pub(super) fn new(nodes_max: u32, touch: bool) -> Result<Self, PathfinderError> {
        let mut entries = reserved(nodes_max as usize, "queue of repairs")?;
        if touch {
            entries.resize(nodes_max as usize, Entry { label: 0, vertex: 0 });
            entries.clear();
        }
        Ok(Self { entries, places: filled(nodes_max as usize, ABSENT, "queue of repairs")? })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the vertex is neither in the queue nor marked.
    pub(super) fn is_absent(&self, vertex: u32) -> bool {
        self.places[vertex as usize] == ABSENT
    }

    pub(super) fn is_marked(&self, vertex: u32) -> bool {
        self.places[vertex as usize] == MARKED
    }

    /// Marks a vertex that is not in the queue.
    pub(super) fn mark(&mut self, vertex: u32) {
        debug_assert!(self.is_absent(vertex));
        self.places[vertex as usize] = MARKED;
    }

    /// Takes the mark off again.
    pub(super) fn unmark(&mut self, vertex: u32) {
        debug_assert!(self.is_marked(vertex));
        self.places[vertex as usize] = ABSENT;
    }

    /// Puts an unmarked vertex in with this label, or gives it this label where it is in already.
    pub(super) fn set(&mut self, vertex: u32, label: u64) {
        let entry = Entry { label, vertex };
        let place = self.places[vertex as usize];
        debug_assert_ne!(place, MARKED);
        if place == ABSENT {
            self.entries.push(entry);
            self.sift_up(self.entries.len() - 1, entry);
        } else {
            self.settle_into(place as usize - 1, entry);
        }
    }

    /// Takes out the vertex with the smallest label, of several the lowest.
    pub(super) fn pop(&mut self) -> Option<(u64, u32)> {
        let first = *self.entries.first()?;
        self.remove(first.vertex);
        Some((first.label, first.vertex))
    }

    /// Takes the vertex out if it is in.
    pub(super) fn remove(&mut self, vertex: u32) {
        let place = self.places[vertex as usize];
        if place == ABSENT || place == MARKED {
            return;
        }
        self.places[vertex as usize] = ABSENT;
        let hole = place as usize - 1;
        let Some(last) = self.entries.pop() else { return };
        if hole < self.entries.len() {
            self.settle_into(hole, last);
        }
    }

    pub(super) fn clear(&mut self) {
        for entry in self.entries.drain(..) {
            self.places[entry.vertex as usize] = ABSENT;
        }
    }

    /// Writes an entry at this index or where it belongs from there.
    fn settle_into(&mut self, index: usize, entry: Entry) {
        if index > 0 && entry < self.entries[(index - 1) / CHILDREN] {
            self.sift_up(index, entry);
        } else {
            self.sift_down(index, entry);
        }
    }

    fn sift_up(&mut self, mut index: usize, entry: Entry) {
        while index > 0 {
            let parent = (index - 1) / CHILDREN;
            if self.entries[parent] <= entry {
                break;
            }
            self.write(index, self.entries[parent]);
            index = parent;
        }
        self.write(index, entry);
    }

    fn sift_down(&mut self, mut index: usize, entry: Entry) {
        loop {
            let first = index * CHILDREN + 1;
            let children = self.entries.iter().enumerate().skip(first).take(CHILDREN);
            let Some((least, child)) = children.min_by_key(|(_, child)| **child) else { break };
            if *child >= entry {
                break;
            }
            self.write(index, *child);
            index = least;
        }
        self.write(index, entry);
    }

    fn write(&mut self, index: usize, entry: Entry) {
        self.entries[index] = entry;
        self.places[entry.vertex as usize] = index as u32 + 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_gives_what_a_sorted_map_gives() {
        for seed in 0..200_u64 {
            let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut below = |bound: u64| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (random >> 33) % bound
            };
            let vertices = 1 + below(60);
            let mut heap = Heap::new(vertices as u32, seed % 2 == 0).unwrap();
            let mut model = BTreeMap::new();
            for step in 0..600 {
                let vertex = below(vertices) as u32;
                match below(5) {
                    0 => {
                        let least = model.iter().map(|(vertex, label)| (*label, *vertex)).min();
                        assert_eq!(heap.pop(), least, "seed {seed}, step {step}");
                        least.map(|(_, vertex)| model.remove(&vertex));
                    }
                    1 => {
                        heap.remove(vertex);
                        model.remove(&vertex);
                    }
                    _ => {
                        let label = below(40);
                        heap.set(vertex, label);
                        model.insert(vertex, label);
                    }
                }
                assert_eq!(heap.is_empty(), model.is_empty(), "seed {seed}, step {step}");
                assert_eq!(heap.is_absent(vertex), !model.contains_key(&vertex), "seed {seed}, step {step}");
            }
            heap.clear();
            assert!(heap.is_empty() && (0..vertices as u32).all(|vertex| heap.is_absent(vertex)), "seed {seed}");
            heap.mark(0);
            assert!(heap.is_marked(0) && !heap.is_absent(0));
            heap.unmark(0);
            assert!(heap.is_absent(0));
        }
    }
}
