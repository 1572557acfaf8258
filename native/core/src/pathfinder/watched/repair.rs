//! Repair of the labels of one source after some edges changed.
//!
//! In the manner of Ramalingam and Reps, for many changes at once. Every label is the length of a real path, and every
//! edge makes a path longer, so a vertex keeps its label while it has *support*: an edge from a vertex that keeps its
//! label, along which its own is reached or undercut. Support always comes from a smaller label, so
//!
//! 1. the ends of edges that became longer or went away are looked at in the order of their labels; those without
//!    support are *affected*, and so perhaps are those whom they supported. Each vertex is looked at once;
//! 2. each affected vertex gets the best label that an unaffected one offers; shorter and new edges offer theirs; and
//!    from all labels that fell, the search goes on as Dijkstra's.
//!
//! # In a sweep
//! While a source is being filled, some vertices have a label and wait in the *frontier* to pass it on. It holds: a label
//! is the length of a real path; whoever does not wait has passed its label on along all of its edges; whoever waits has
//! the label of the *horizon* or a larger one. Hence every label up to the horizon is exact. (Take a vertex that has a
//! smaller distance than its label, the nearest to the source of all: its predecessor on the shortest path has the
//! right label and did not pass it on, so it waits, and lies at the horizon or beyond.) A repair restores all three: what
//! falls below the horizon is settled at once, what lies beyond it waits.

use lodestone_memory::watched::WatchLabels;

use super::super::graph::Graph;
use super::heap::Heap;
use super::{UNREACHED, cost};

/// The weight that says: no edge. Larger than any weight, so that its coming is a fall and its going a rise.
pub(super) const NO_EDGE: u32 = u32::MAX;

/// What became of the weight of one edge since the last repair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) source: u32,
    pub(super) target: u32,
    pub(super) before: u32,
    pub(super) after: u32,
    /// When it came: of several changes of one edge the first knows what was before, the last what is now.
    pub(super) order: u32,
}

/// Brings changes into the order of their edges, one for each edge, and drops those that came to nothing.
pub(super) fn consolidate(changes: &mut Vec<Change>) {
    let ends = |change: &Change| u64::from(change.source) << 32 | u64::from(change.target);
    changes.sort_unstable_by_key(|change| (ends(change), change.order));
    changes.dedup_by(|later, first| {
        let same = ends(later) == ends(first);
        if same {
            first.after = later.after;
        }
        same
    });
    changes.retain(|change| change.before != change.after);
}

/// Vertices that a sweep has still to pass on, and how far it has come.
#[derive(Debug)]
pub(super) struct Frontier {
    pub(super) waiting: Heap,
    /// The label passed on last.
    pub(super) horizon: u64,
}

/// How a repair ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The labels are right again.
    Done,
    /// More vertices than allowed lost their label or could have. Nothing was changed, and the labels are those of the
    /// graph before.
    TooManyAffected,
    /// More vertices than allowed. Those that wait in the queue have still to pass their label on, of which the smallest is not
    /// smaller than this horizon.
    Unfinished {
        /// The label passed on last.
        horizon: u64,
    },
}

/// One repair under way.
pub(super) struct Repair<'work> {
    pub(super) graph: &'work Graph,
    pub(super) labels: WatchLabels,
    /// Empty before and after, but for [`Ending::Unfinished`].
    pub(super) queue: &'work mut Heap,
    pub(super) affected: &'work mut Vec<u32>,
    /// At least every label that there is; it only rises.
    pub(super) ceiling: &'work mut u64,
    /// Where the source is being swept: what waits there.
    pub(super) frontier: Option<&'work mut Frontier>,
    /// Vertices that may still be looked at or passed on.
    pub(super) budget_left: u64,
    pub(super) labels_written: u64,
}

impl Repair<'_> {
    /// Repairs the labels; `changes` are consolidated and in the graph already.
    pub(super) fn run(&mut self, changes: &[Change]) -> Ending {
        if !self.find_affected(changes) {
            self.queue.clear();
            self.affected.drain(..).for_each(|vertex| self.queue.unmark(vertex));
            return Ending::TooManyAffected;
        }
        self.label_affected();
        for change in changes.iter().filter(|change| change.after < change.before) {
            let from = self.labels.label(change.source);
            if from != UNREACHED {
                self.offer(change.target, from + cost(u64::from(change.after)));
            }
        }
        self.pass_on()
    }

    /// Whether one more vertex may be touched.
    fn touch(&mut self) -> bool {
        let left = self.budget_left > 0;
        self.budget_left = self.budget_left.saturating_sub(1);
        left
    }

    /// Marks and lists every vertex that lost its support; `false` if there are too many to look at.
    fn find_affected(&mut self, changes: &[Change]) -> bool {
        for change in changes.iter().filter(|change| change.before < change.after) {
            let (from, to) = (self.labels.label(change.source), self.labels.label(change.target));
            if from < to && to != UNREACHED && from + cost(u64::from(change.before)) <= to {
                self.queue.set(change.target, to);
            }
        }
        while let Some((label, vertex)) = self.queue.pop() {
            if !self.touch() {
                return false;
            }
            if self.has_support(vertex, label) {
                continue;
            }
            self.queue.mark(vertex);
            self.affected.push(vertex);
            let (ceiling, queue) = (*self.ceiling, &mut *self.queue);
            for (other, weight) in self.graph.forward().arcs(vertex) {
                let offered = label + cost(weight);
                // No label is above the ceiling, so those of far ends need not be fetched.
                if offered <= ceiling {
                    let there = self.labels.label(other);
                    if offered <= there && there != UNREACHED && queue.is_absent(other) {
                        queue.set(other, there);
                    }
                }
            }
        }
        true
    }

    fn has_support(&self, vertex: u32, label: u64) -> bool {
        self.graph.reverse().arcs(vertex).any(|(other, weight)| {
            // An edge longer than the whole path gives no support; most are ruled out before their label is fetched.
            cost(weight) <= label && {
                let from = self.labels.label(other);
                from <= label - cost(weight) && !self.queue.is_marked(other)
            }
        })
    }

    /// Gives each affected vertex the best label that an unaffected one offers.
    fn label_affected(&mut self) {
        for index in 0..self.affected.len() {
            let vertex = self.affected[index];
            let mut best = UNREACHED;
            for (other, weight) in self.graph.reverse().arcs(vertex) {
                // Above the best so far no label needs to be fetched.
                if cost(weight) < best && !self.queue.is_marked(other) {
                    best = best.min(self.labels.label(other).saturating_add(cost(weight)));
                }
            }
            self.write(vertex, best);
        }
        while let Some(vertex) = self.affected.pop() {
            self.queue.unmark(vertex);
            self.enqueue(vertex, self.labels.label(vertex));
        }
    }

    fn offer(&mut self, vertex: u32, offered: u64) {
        if offered < self.labels.label(vertex) {
            self.write(vertex, offered);
            self.enqueue(vertex, offered);
        }
    }

    fn write(&mut self, vertex: u32, label: u64) {
        self.labels.set(vertex, label);
        self.labels_written += 1;
        if label != UNREACHED {
            *self.ceiling = label.max(*self.ceiling);
        }
    }

    /// Sees to it that the vertex passes its new label on: now, or in a later slice of the sweep.
    fn enqueue(&mut self, vertex: u32, label: u64) {
        if let Some(frontier) = &mut self.frontier {
            if label > frontier.horizon && label != UNREACHED {
                return frontier.waiting.set(vertex, label);
            }
            frontier.waiting.remove(vertex);
        }
        if label != UNREACHED {
            self.queue.set(vertex, label);
        }
    }

    fn pass_on(&mut self) -> Ending {
        let mut horizon = 0;
        while !self.queue.is_empty() {
            if !self.touch() {
                return Ending::Unfinished { horizon };
            }
            let Some((label, vertex)) = self.queue.pop() else { break };
            horizon = label;
            let graph = self.graph;
            for (other, weight) in graph.forward().arcs(vertex) {
                self.offer(other, label + cost(weight));
            }
        }
        Ending::Done
    }
}
