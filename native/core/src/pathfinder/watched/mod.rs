//! Watched sources: the distances from a few nodes to all others, kept up to date with every change of an edge.
//!
//! A label is that of a search, `distance << 28 | edges`, so of equal distances the path with the fewest edges counts.
//! Labels are a function of the edges alone. They stand in a [`WatchTable`], where others read them.
//!
//! [`Pathfinder::apply`] and [`Pathfinder::apply_batch`] note what they changed; [`Pathfinder::repair_watched`] repairs the labels of every source for all of
//! it at once and publishes them as those of a revision. A source that was just added is *filled* by
//! [`Pathfinder::fill_watched`], in slices of as many vertices as the caller likes, one source at a time, in turn.
//!
//! # The budget, and why a fill ends
//! A repair of a live source may touch [`WatchConfig::budget`] vertices: look whether one still has support, or pass its
//! label on. The count depends on labels, edges and changes alone, and how far it gets does not depend on the salt. Above it the source is *stale* until it was filled
//! again, from where the repair stopped if nothing else is being filled, else from the start.
//!
//! A source that is being filled is repaired as well, as far as its labels are exact, and without a budget. So no change
//! ever takes back what a fill achieved: its horizon only rises, each slice raises it or passes on as many vertices as it
//! may, and labels are bounded. However fast edges change, a fill comes to its end. The price is that one repair during a
//! fill may take as long as one search over the whole graph.

mod heap;
mod repair;

use lodestone_memory::watched::{LABEL_EDGES_BITS, LABEL_UNREACHED, WatchHead, WatchState, WatchTable};

use super::{Pathfinder, PathfinderError, reserved};
use crate::pathfinder::graph::Graph;
use heap::Heap;
use repair::{Change, Ending, Frontier, NO_EDGE, Repair, consolidate};

const UNREACHED: u64 = LABEL_UNREACHED;

/// Changes that one repair takes in. Sorted together they cost some 50 ns each, and 4,096 stay in the first cache.
/// Full: what is there is repaired before the revision is complete, and the labels are stale until it is.
pub const WATCH_CHANGES_MAX: usize = 4_096;

/// Labels that count as one vertex when a fill clears them: about the cost of one with 64 edges.
const CLEARED_A_VERTEX: u32 = 256;

fn cost(weight: u64) -> u64 {
    weight << LABEL_EDGES_BITS | 1
}

/// How watched sources are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchConfig {
    /// Vertices that the repair of one source may touch.
    pub budget: u64,
    /// Touch the pages of the queues now instead of at their first use.
    pub preallocate: bool,
}

/// Names one use of one watch: the place in the table, and above it a number that no other use of it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchId(u64);

impl WatchId {
    /// The id with this number, which may be of no watch.
    #[must_use]
    pub fn from_number(number: u64) -> WatchId {
        WatchId(number)
    }

    /// The number that stands in the head of the watch; never 0.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }

    /// The place in the table.
    #[must_use]
    pub fn watch(self) -> u32 {
        self.0 as u32
    }
}

/// What was done for watched sources since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchTotals {
    /// Repairs, one for each source and revision that changed a weight.
    pub repairs: u64,
    /// Labels that repairs wrote.
    pub labels_written: u64,
    /// Times that a source became stale for its budget.
    pub stale: u64,
    /// Fills that came to their end, the first ones included.
    pub fills: u64,
}

/// Where a watch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Free,
    /// To be filled when its turn comes.
    Waiting,
    /// Being filled: labels from this node on are to be cleared.
    Clearing(u32),
    /// Being filled: its vertices wait in the frontier.
    Sweeping,
    /// Right at every revision.
    Live,
}

#[derive(Clone, Copy, Debug)]
struct Watch {
    id: u64,
    source: u32,
    stage: Stage,
    /// At least every label that there is, while they are kept right.
    ceiling: u64,
    /// What the head says.
    shown: WatchState,
}

const FREE: Watch = Watch { id: 0, source: 0, stage: Stage::Free, ceiling: 0, shown: WatchState::Free };

/// The watched sources of a pathfinder, with the room for their repairs, which all of them share.
pub(super) struct Watched {
    table: WatchTable,
    watches: Vec<Watch>,
    budget: u64,
    changes: Vec<Change>,
    queue: Heap,
    affected: Vec<u32>,
    frontier: Frontier,
    /// The one being filled.
    filled: Option<u32>,
    /// Where the look for the next one to fill begins.
    turn: u32,
    /// Whether edges are those of `revision`: nothing came since.
    at_revision: bool,
    revision: u64,
    branch: u64,
    ids: u32,
    totals: WatchTotals,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Watched").field("watches", &self.watches).finish_non_exhaustive()
    }
}

impl Pathfinder {
    /// Takes the table in which watched sources are to be kept, and all memory that this needs.
    ///
    /// # Errors
    /// [`PathfinderError::Memory`].
    ///
    /// # Panics
    /// If the table is of another number of nodes, or there are edges or a table already.
    pub fn keep_watched(&mut self, table: WatchTable, config: &WatchConfig) -> Result<(), PathfinderError> {
        let nodes_max = self.graph.nodes_max();
        assert_eq!(table.nodes_max(), nodes_max, "a label for each node");
        assert!(self.watched.is_none() && self.graph.edges() == 0, "watches come before edges, once");
        if table.watches_max() > 0 {
            self.watched = Some(Watched::new(table, config, nodes_max)?);
        }
        Ok(())
    }

    /// Begins to watch the distances from a node. They are there once [`Pathfinder::fill_watched`] has done its work;
    /// the head of the watch tells. `None` if every watch is in use.
    ///
    /// # Panics
    /// If the source is not below `nodes_max`: whoever takes the call in checks that.
    pub fn watch(&mut self, source: u32) -> Option<WatchId> {
        assert!(source < self.graph.nodes_max(), "node {source} is not in the graph");
        self.watched.as_mut()?.add(source)
    }

    /// Ends a watch; `false` if there is none of this id.
    pub fn unwatch(&mut self, id: WatchId) -> bool {
        self.watched.as_mut().is_some_and(|watched| watched.remove(id))
    }

    /// Repairs the labels for all changes since the last call, and publishes them as those of this revision.
    pub fn repair_watched(&mut self, revision: u64, branch: u64) {
        if let Some(watched) = &mut self.watched {
            watched.repair(&self.graph);
            watched.publish(revision, branch);
        }
    }

    /// Goes on filling, by about this many vertices; whether there is more to do. Does nothing between the first change
    /// of a revision and its [`Pathfinder::repair_watched`].
    pub fn fill_watched(&mut self, vertices_max: u32) -> bool {
        self.watched.as_mut().is_some_and(|watched| watched.fill(&self.graph, vertices_max))
    }

    /// What was done for watched sources since the start.
    #[must_use]
    pub fn watch_totals(&self) -> WatchTotals {
        self.watched.as_ref().map(|watched| watched.totals).unwrap_or_default()
    }
}

impl Watched {
    fn new(table: WatchTable, config: &WatchConfig, nodes_max: u32) -> Result<Self, PathfinderError> {
        let touch = config.preallocate;
        let mut watches = reserved(table.watches_max() as usize, "watches")?;
        watches.resize(table.watches_max() as usize, FREE);
        let mut affected = reserved(nodes_max as usize, "queue of repairs")?;
        if touch {
            affected.resize(nodes_max as usize, 0);
            affected.clear();
        }
        Ok(Self {
            table,
            watches,
            budget: config.budget,
            changes: reserved(WATCH_CHANGES_MAX, "changes to repair")?,
            queue: Heap::new(nodes_max, touch)?,
            affected,
            frontier: Frontier { waiting: Heap::new(nodes_max, touch)?, horizon: 0 },
            filled: None,
            turn: 0,
            at_revision: true,
            revision: 0,
            branch: 0,
            ids: 0,
            totals: WatchTotals::default(),
        })
    }

    fn add(&mut self, source: u32) -> Option<WatchId> {
        let watch = self.watches.iter().position(|watch| watch.stage == Stage::Free)? as u32;
        self.ids = self.ids.wrapping_add(1).max(1);
        let id = WatchId(u64::from(self.ids) << 32 | u64::from(watch));
        self.watches[watch as usize] = Watch { id: id.0, source, stage: Stage::Waiting, ..FREE };
        self.show(watch, WatchState::Filling);
        Some(id)
    }

    fn remove(&mut self, id: WatchId) -> bool {
        let watch = id.watch();
        if self.watches.get(watch as usize).is_none_or(|known| known.id != id.0 || id.0 == 0) {
            return false;
        }
        if self.filled == Some(watch) {
            self.filled = None;
            self.frontier.waiting.clear();
        }
        self.watches[watch as usize] = FREE;
        self.table.publish(watch, &WatchHead::default());
        true
    }

    /// Publishes the head with this state.
    fn show(&mut self, watch: u32, state: WatchState) {
        let Watch { id, source, shown, .. } = &mut self.watches[watch as usize];
        *shown = state;
        let (revision, branch) = (self.revision, self.branch);
        self.table.publish(watch, &WatchHead { id: *id, source: *source, state, revision, branch });
    }

    /// Changes that can be noted before room must be made; never 0.
    pub(super) fn room(&self) -> usize {
        WATCH_CHANGES_MAX - self.changes.len()
    }

    /// Notes a change that is in the graph now; `None` for no edge.
    pub(super) fn note(&mut self, ends: (u32, u32), before: Option<u32>, after: Option<u32>) {
        self.at_revision = false;
        if before == after || !self.watches.iter().any(Watch::follows) {
            return;
        }
        let (before, after) = (before.unwrap_or(NO_EDGE), after.unwrap_or(NO_EDGE));
        let (source, target) = ends;
        self.changes.push(Change { source, target, before, after, order: self.changes.len() as u32 });
    }

    /// Repairs at once where no more changes can be noted; the graph is as the last of them left it.
    pub(super) fn make_room(&mut self, graph: &Graph) {
        if self.changes.len() == WATCH_CHANGES_MAX {
            self.hide();
            self.repair(graph);
        }
    }

    /// Labels are about to be those of no revision.
    fn hide(&mut self) {
        for watch in 0..self.watches.len() as u32 {
            if self.watches[watch as usize].shown == WatchState::Live {
                self.show(watch, WatchState::Stale);
            }
        }
    }

    fn repair(&mut self, graph: &Graph) {
        consolidate(&mut self.changes);
        if !self.changes.is_empty() {
            (0..self.watches.len() as u32).for_each(|watch| self.repair_one(graph, watch));
            self.changes.clear();
        }
    }

    fn repair_one(&mut self, graph: &Graph, watch: u32) {
        let Watch { stage, shown, ceiling, .. } = &mut self.watches[watch as usize];
        let frontier = match stage {
            Stage::Sweeping => Some(&mut self.frontier),
            Stage::Live => None,
            _ => return,
        };
        let budget_left = if *stage == Stage::Live { self.budget } else { u64::MAX };
        let labels = self.table.labels(watch, *shown == WatchState::Live);
        let (queue, affected) = (&mut self.queue, &mut self.affected);
        let mut repair = Repair { graph, labels, queue, affected, ceiling, frontier, budget_left, labels_written: 0 };
        let ending = repair.run(&self.changes);
        self.totals.repairs += 1;
        self.totals.labels_written += repair.labels_written;
        if ending != Ending::Done {
            self.totals.stale += 1;
            self.interrupted(watch, ending);
        }
    }

    /// What a repair over its budget leaves behind: a sweep half done, or a source to be filled from the start.
    fn interrupted(&mut self, watch: u32, ending: Ending) {
        self.watches[watch as usize].stage = match ending {
            Ending::Unfinished { horizon } if self.filled.is_none() => {
                std::mem::swap(&mut self.queue, &mut self.frontier.waiting);
                self.frontier.horizon = horizon;
                self.filled = Some(watch);
                Stage::Sweeping
            }
            _ => {
                self.queue.clear();
                Stage::Waiting
            }
        };
        self.show(watch, WatchState::Stale);
    }

    /// Edges and labels are those of this revision.
    fn publish(&mut self, revision: u64, branch: u64) {
        let same_branch = self.branch == branch;
        (self.at_revision, self.revision, self.branch) = (true, revision, branch);
        for watch in 0..self.watches.len() as u32 {
            let Watch { stage, shown, .. } = self.watches[watch as usize];
            if stage != Stage::Live {
                continue;
            }
            if shown == WatchState::Live && same_branch && !self.table.is_changing(watch) {
                self.table.advance(watch, revision);
            } else {
                self.show(watch, WatchState::Live);
            }
        }
    }

    fn fill(&mut self, graph: &Graph, vertices_max: u32) -> bool {
        if !self.at_revision {
            return false;
        }
        let Some(watch) = self.filled.or_else(|| self.next_to_fill()) else { return false };
        match self.watches[watch as usize].stage {
            Stage::Clearing(first) => self.clear_some(watch, first, vertices_max.saturating_mul(CLEARED_A_VERTEX)),
            Stage::Sweeping => self.sweep_some(graph, watch, vertices_max),
            _ => {}
        }
        self.filled.is_some() || self.watches.iter().any(|watch| watch.stage == Stage::Waiting)
    }

    /// The next source whose turn it is, made ready.
    fn next_to_fill(&mut self) -> Option<u32> {
        let count = self.watches.len() as u32;
        let mut turns = (0..count).map(|step| (self.turn + step) % count);
        let watch = turns.find(|watch| self.watches[*watch as usize].stage == Stage::Waiting)?;
        self.turn = (watch + 1) % count;
        self.watches[watch as usize].stage = Stage::Clearing(0);
        self.filled = Some(watch);
        Some(watch)
    }

    fn clear_some(&mut self, watch: u32, first: u32, count: u32) {
        let mut labels = self.table.labels(watch, false);
        labels.clear(first, count);
        let next = first.saturating_add(count);
        let Watch { source, stage, ceiling, .. } = &mut self.watches[watch as usize];
        *stage = Stage::Clearing(next);
        *ceiling = 0;
        if next >= self.table.nodes_max() {
            labels.set(*source, 0);
            self.frontier.waiting.set(*source, 0);
            self.frontier.horizon = 0;
            *stage = Stage::Sweeping;
        }
    }

    fn sweep_some(&mut self, graph: &Graph, watch: u32, vertices_max: u32) {
        let mut labels = self.table.labels(watch, false);
        let ceiling = &mut self.watches[watch as usize].ceiling;
        let Frontier { waiting, horizon } = &mut self.frontier;
        for _ in 0..vertices_max.max(1) {
            let Some((label, vertex)) = waiting.pop() else { break };
            *horizon = label;
            for (other, weight) in graph.forward().arcs(vertex) {
                let offered = label + cost(weight);
                if offered < labels.label(other) {
                    labels.set(other, offered);
                    *ceiling = offered.max(*ceiling);
                    waiting.set(other, offered);
                }
            }
        }
        if waiting.is_empty() {
            self.filled = None;
            self.watches[watch as usize].stage = Stage::Live;
            self.totals.fills += 1;
            self.show(watch, WatchState::Live);
        }
    }
}

impl Watch {
    /// Whether its labels are kept right when edges change.
    fn follows(&self) -> bool {
        matches!(self.stage, Stage::Sweeping | Stage::Live)
    }
}
