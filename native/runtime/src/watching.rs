//! Watched sources beside the copy of the graph: repairs after the changes of each revision, fills in between.
//!
//! Among the changes on their way to the pathfinder stand *marks*: behind the last change of a revision one that names it.
//! So it is always known which revision the copy is at, also where a batch changed no edge, and labels are published as
//! those of exactly that revision. Repairs are put off while a route waits for changes to be applied, but for no more
//! than [`REPAIR_CHANGES`] changes.

use std::thread;
use std::time::{Duration, Instant};

use lodestone_core::EdgeChange;
use lodestone_core::pathfinder::{Pathfinder, WATCH_CHANGES_MAX, WatchId, WatchTotals};
use lodestone_memory::log::LogLimit;
use lodestone_memory::{CounterId, Counters, Status};

use crate::clock::now_unix_ms;
use crate::control::{Control, Reply};
use crate::engine::{CONTROL_TIMEOUT, Engine};
use crate::error::EngineError;

/// From so many changes on they are repaired before more are applied. The batch that passes it must still fit into one
/// repair, else labels would be hidden meanwhile.
const REPAIR_CHANGES: usize = 1_024;
const _: () = assert!(REPAIR_CHANGES + lodestone_core::PUT_ARCS_MAX <= WATCH_CHANGES_MAX);

/// Vertices that a slice of a fill passes on: some 0.2 ms on a graph of 200 edges a node, which a route may have to wait.
const FILL_VERTICES: u32 = 256;

/// How long the end of a watch sleeps while too many routes wait: one is answered or given up meanwhile.
const ROOM_LOOK: Duration = Duration::from_millis(1);

/// Sources that are marks and no edges: nodes are below 2^27.
const COMMITTED: u32 = u32::MAX;
const ROLLED_BACK: u32 = u32::MAX - 1;

/// The mark behind the last change of a revision that was committed.
pub(crate) fn committed(revision: u64) -> EdgeChange {
    mark(COMMITTED, revision)
}

/// The mark behind the last change of a rollback to this revision.
pub(crate) fn rolled_back(revision: u64) -> EdgeChange {
    mark(ROLLED_BACK, revision)
}

fn mark(kind: u32, revision: u64) -> EdgeChange {
    EdgeChange { source: kind, target: revision as u32, mask: (revision >> 32) as u32 }
}

fn is_mark(change: &EdgeChange) -> bool {
    change.source >= ROLLED_BACK
}

/// What a thread asks about watches.
pub(crate) enum WatchRequest {
    Add { source: u32, reply: Reply<Result<u64, EngineError>> },
    Remove { id: u64, reply: Reply<Result<bool, EngineError>> },
}

impl WatchRequest {
    /// Answers with a refusal. That the caller's time is up is no concern.
    pub(crate) fn refuse(self, status: Status) {
        let error = EngineError::Refused(status);
        match self {
            WatchRequest::Add { reply, .. } => _ = reply.try_send(Err(error)),
            WatchRequest::Remove { reply, .. } => _ = reply.try_send(Err(error)),
        }
    }
}

/// What the owner of the copy knows of revisions.
pub(crate) struct Watching {
    watches_max: u32,
    nodes_max: u32,
    revision: u64,
    branch: u64,
    /// Whether the copy is at that revision, with no change of a later one.
    whole: bool,
    /// Whether labels were repaired up to it.
    repaired: bool,
    /// Changes since the last repair.
    pending: usize,
    counters: Counters,
    told: WatchTotals,
    stale: LogLimit,
}

impl Watching {
    pub(crate) fn new(watches_max: u32, nodes_max: u32, counters: Counters) -> Watching {
        let told = WatchTotals::default();
        let (revision, branch, pending, stale) = (0, 0, 0, LogLimit::default());
        let (whole, repaired) = (true, true);
        Watching { watches_max, nodes_max, revision, branch, whole, repaired, pending, counters, told, stale }
    }

    /// Applies changes and takes note of the marks among them.
    pub(crate) fn apply(&mut self, pathfinder: &mut Pathfinder, changes: &[EdgeChange]) {
        let mut rest = changes;
        while let Some(place) = rest.iter().position(is_mark) {
            self.apply_edges(pathfinder, &rest[..place]);
            self.pass(&rest[place]);
            if self.pending >= REPAIR_CHANGES {
                self.repair(pathfinder);
            }
            rest = &rest[place + 1..];
        }
        self.apply_edges(pathfinder, rest);
    }

    fn apply_edges(&mut self, pathfinder: &mut Pathfinder, edges: &[EdgeChange]) {
        if !edges.is_empty() {
            pathfinder.apply_batch(edges);
            self.pending += edges.len();
            self.whole = false;
        }
    }

    fn pass(&mut self, mark: &EdgeChange) {
        self.revision = u64::from(mark.mask) << 32 | u64::from(mark.target);
        self.branch += u64::from(mark.source == ROLLED_BACK);
        (self.whole, self.repaired) = (true, false);
    }

    /// Repairs and publishes what was applied, if that is a whole revision.
    pub(crate) fn repair(&mut self, pathfinder: &mut Pathfinder) {
        if self.whole && !self.repaired {
            pathfinder.repair_watched(self.revision, self.branch);
            self.repaired = true;
            self.pending = 0;
            self.tell(pathfinder);
        }
    }

    /// Repairs, then fills for a while; whether there is more to fill.
    pub(crate) fn work(&mut self, pathfinder: &mut Pathfinder) -> bool {
        self.repair(pathfinder);
        let more = pathfinder.fill_watched(FILL_VERTICES);
        self.tell(pathfinder);
        more
    }

    /// Begins or ends a watch.
    pub(crate) fn serve(&mut self, pathfinder: &mut Pathfinder, request: &WatchRequest) {
        self.repair(pathfinder);
        match request {
            WatchRequest::Add { source, reply } => {
                let added = self.add(pathfinder, *source);
                let id = added.as_ref().ok().map(|id| WatchId::from_number(*id));
                // The caller's time is up: nobody would ever end a watch that nobody knows of.
                if let (Err(_), Some(id)) = (reply.try_send(added), id) {
                    pathfinder.unwatch(id);
                }
            }
            WatchRequest::Remove { id, reply } => {
                let removed = pathfinder.unwatch(WatchId::from_number(*id));
                let _ = reply.try_send(Ok(removed));
            }
        }
    }

    fn add(&self, pathfinder: &mut Pathfinder, source: u32) -> Result<u64, EngineError> {
        if source >= self.nodes_max {
            return Err(EngineError::Refused(Status::OutOfBounds));
        }
        let full = || {
            EngineError::WatchesFull(format!(
                "all {} watches are in use; close one, or raise graph.watches_max",
                self.watches_max
            ))
        };
        pathfinder.watch(source).map(WatchId::number).ok_or_else(full)
    }

    /// Tells the counters, whose cache line the engine's thread writes as well, what is new.
    fn tell(&mut self, pathfinder: &Pathfinder) {
        let totals = pathfinder.watch_totals();
        if totals != self.told {
            if totals.stale > self.told.stale
                && let Some(held_back) = self.stale.pass(now_unix_ms())
            {
                let stale = totals.stale;
                tracing::info!(
                    stale,
                    held_back,
                    "a repair went over graph.watch_budget; its distances are computed anew"
                );
            }
            self.told = totals;
            self.counters.set(CounterId::WatchRepairs, totals.repairs);
            self.counters.set(CounterId::WatchLabelsWritten, totals.labels_written);
            self.counters.set(CounterId::WatchesStale, totals.stale);
            self.counters.set(CounterId::WatchFills, totals.fills);
        }
    }
}

impl Engine {
    /// Begins to keep the distances from this node to all others in the shared region; the id of the watch, whose low half
    /// is its place there. Its head tells when the labels hold.
    ///
    /// # Errors
    /// [`EngineError::Refused`] with [`Status::OutOfBounds`] or [`Status::Overloaded`]; [`EngineError::WatchesFull`].
    pub fn watch(&self, source: u32) -> Result<u64, EngineError> {
        self.call(|reply| Control::Watch(WatchRequest::Add { source, reply }))?
    }

    /// Ends a watch; while too many routes wait, waits for room among them.
    ///
    /// # Errors
    /// [`EngineError::InvalidArgument`] when there is none of this id; [`EngineError::Refused`] with
    /// [`Status::Overloaded`] when there was no room for 60 s, and the watch goes on.
    pub fn unwatch(&self, id: u64) -> Result<(), EngineError> {
        let start = Instant::now();
        let removed = loop {
            match self.call(|reply| Control::Watch(WatchRequest::Remove { id, reply }))? {
                // Refused, the watch would be in use until the engine closes: who gives back does not ask twice.
                Err(EngineError::Refused(Status::Overloaded)) if start.elapsed() < CONTROL_TIMEOUT => {
                    thread::sleep(ROOM_LOOK);
                }
                answer => break answer?,
            }
        };
        let text = || EngineError::InvalidArgument(format!("there is no watch {id}; it may have ended already"));
        if removed { Ok(()) } else { Err(text()) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use lodestone_core::pathfinder::{PathfinderConfig, WatchConfig};
    use lodestone_memory::watched::WatchTable;

    use super::*;

    #[test]
    fn a_watch_that_its_caller_did_not_wait_for_is_given_back() {
        let config = PathfinderConfig { nodes_max: 4, edges_max: 4, budget: 4, index_salt: 1, preallocate: false };
        let mut pathfinder = Pathfinder::new(&config).unwrap();
        let table = WatchTable::detached(1, 4, false).unwrap();
        pathfinder.keep_watched(table, &WatchConfig { budget: 4, preallocate: false }).unwrap();
        let mut watching = Watching::new(1, 4, Counters::detached());
        for _ in 0..3 {
            let (reply, _) = sync_channel(1);
            watching.serve(&mut pathfinder, &WatchRequest::Add { source: 2, reply });
        }
        let (reply, answer) = sync_channel(1);
        watching.serve(&mut pathfinder, &WatchRequest::Add { source: 3, reply });
        assert!(answer.recv().unwrap().is_ok(), "the only watch is free");
    }

    #[test]
    fn marks_are_no_edges_and_carry_every_revision() {
        for revision in [0, 1, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            let mut watching = Watching::new(1, 2, Counters::detached());
            watching.pass(&committed(revision));
            assert_eq!((watching.revision, watching.branch), (revision, 0));
            watching.pass(&rolled_back(revision));
            assert_eq!((watching.revision, watching.branch), (revision, 1));
            assert!(is_mark(&committed(revision)) && is_mark(&rolled_back(revision)));
        }
        let last = lodestone_core::pathfinder::NODES_MAX - 1;
        assert!(!is_mark(&EdgeChange { source: last, target: last, mask: u32::MAX }));
    }
}
