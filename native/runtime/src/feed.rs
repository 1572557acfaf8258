//! What the engine thread tells the pathfinder: every committed change, and routes to find.
//!
//! With a thread of its own (`graph.pathfinder: thread`) changes go through a single-producer ring, a slice at a time. A
//! route names how many changes lie before it, so it is answered against exactly the revision at which the engine took
//! it. The pathfinder is woken for routes, and when many changes wait; else it looks by itself every
//! [`PATHFINDER_LOOK_MS`]. Without one (`inline`) the engine thread applies the changes and finds the routes here.

use std::sync::PoisonError;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread::{self, Thread};

use lodestone_core::EdgeChange;
use lodestone_memory::log::LogLimit;
use lodestone_memory::{CounterId, Counters};
use rtrb::{Consumer, Producer, RingBuffer};

use crate::clock::now_unix_ms;
use crate::finder::{AfterRollback, Finder};
use crate::routes::{RouteRequest, Standing};
use crate::watching;

/// Changes that the ring holds at least (12 bytes each): more than one second of 200,000 changes while a long route is
/// searched.
const FEED_CHANGES_MIN: usize = 1 << 18;

/// Bytes of the rollback window for each change of an edge that it can hold: a third of it is for records of 16 bytes. So
/// many changes come back at once in a rollback over the whole window at most, and the ring holds them all.
const WINDOW_BYTES_A_CHANGE: usize = 48;

/// Changes of a rollback that are sent together.
const STAGED_CHANGES_MAX: usize = 1_024;

/// From so many waiting changes on the pathfinder is woken to apply them.
const WAKE_CHANGES: usize = 1 << 16;

/// Longest time in which the pathfinder does not look for changes.
pub(crate) const PATHFINDER_LOOK_MS: u64 = 20;

/// The pathfinder thread is gone.
#[derive(Debug)]
pub(crate) struct PathfinderGone;

/// The engine's end.
pub(crate) struct Feed {
    way: Way,
    /// Changes of a rollback that are not sent yet.
    staged: Vec<EdgeChange>,
    sent: u64,
    rollbacks: u64,
    after_rollback: AfterRollback,
    counters: Counters,
    waits: LogLimit,
}

/// Who has the second copy of the graph.
pub(crate) enum Way {
    /// A thread of its own.
    Thread {
        /// The ring; when it is full the engine waits, and the counter `pathfinder_waits` says so.
        changes: Producer<EdgeChange>,
        routes: SyncSender<RouteRequest>,
        pathfinder: Thread,
    },
    /// The engine thread.
    Inline(Box<Finder>),
}

/// The ring's two ends, made for a window of this size; `None` where the system has not the memory. `touch`: every page
/// of it is written to now.
pub(crate) fn ring(window_bytes: usize, touch: bool) -> Option<(Producer<EdgeChange>, Consumer<EdgeChange>)> {
    let capacity = ring_changes(window_bytes);
    // The ring takes its memory in a way that cannot be refused; this asks first.
    Vec::<EdgeChange>::new().try_reserve_exact(capacity).ok()?;
    let (mut changes, mut intake) = RingBuffer::new(capacity);
    if touch {
        let nothing = [EdgeChange { source: 0, target: 0, mask: 0 }; STAGED_CHANGES_MAX];
        while !changes.push_partial_slice(&nothing).0.is_empty() {}
        intake.read_chunk(capacity).ok()?.commit_all();
    }
    Some((changes, intake))
}

/// Changes that the ring holds for a window of this size.
pub(crate) fn ring_changes(window_bytes: usize) -> usize {
    FEED_CHANGES_MIN.max(window_bytes / WINDOW_BYTES_A_CHANGE)
}

impl Feed {
    pub(crate) fn new(way: Way, after_rollback: AfterRollback, counters: Counters) -> Feed {
        let staged = Vec::with_capacity(STAGED_CHANGES_MAX);
        Feed { way, staged, sent: 0, rollbacks: 0, after_rollback, counters, waits: LogLimit::default() }
    }

    /// What a route asked at this revision, the current one, is answered against.
    pub(crate) fn standing(&self, revision: u64) -> Standing {
        Standing { revision, changes_before: self.sent, rollbacks: self.rollbacks }
    }

    /// Tells a revision with all of its changes.
    ///
    /// # Errors
    /// [`PathfinderGone`].
    pub(crate) fn commit(&mut self, revision: u64, changes: &[EdgeChange]) -> Result<(), PathfinderGone> {
        self.send(changes)?;
        self.send(&[watching::committed(revision)])?;
        self.flush()
    }

    /// After a rollback, its changes flushed: routes still under way are to be found at this revision.
    ///
    /// # Errors
    /// [`PathfinderGone`].
    pub(crate) fn rolled_back(&mut self, revision: u64) -> Result<(), PathfinderGone> {
        self.send(&[watching::rolled_back(revision)])?;
        self.rollbacks += 1;
        *self.after_rollback.lock().unwrap_or_else(PoisonError::into_inner) = self.standing(revision);
        Ok(())
    }

    /// Tells committed changes; waits while the ring is full.
    ///
    /// # Errors
    /// [`PathfinderGone`]: nobody will make room.
    fn send(&mut self, changes: &[EdgeChange]) -> Result<(), PathfinderGone> {
        self.sent += changes.len() as u64;
        match &mut self.way {
            Way::Inline(finder) => finder.apply(changes),
            Way::Thread { changes: ring, pathfinder, .. } => {
                if push_all(ring, changes, pathfinder, self.counters)?
                    && let Some(held_back) = self.waits.pass(now_unix_ms())
                {
                    tracing::warn!(held_back, "moves waited until the pathfinder had taken earlier changes");
                }
            }
        }
        Ok(())
    }

    /// Tells one change of a rollback, at the latest with [`Feed::flush`].
    ///
    /// # Errors
    /// [`PathfinderGone`].
    pub(crate) fn stage(&mut self, change: EdgeChange) -> Result<(), PathfinderGone> {
        self.staged.push(change);
        if self.staged.len() == STAGED_CHANGES_MAX { self.send_staged() } else { Ok(()) }
    }

    fn send_staged(&mut self) -> Result<(), PathfinderGone> {
        let mut staged = std::mem::take(&mut self.staged);
        let sent = self.send(&staged);
        staged.clear();
        self.staged = staged;
        sent
    }

    /// After a batch or a rollback: sends what is staged, and wakes the pathfinder when it is far behind.
    ///
    /// # Errors
    /// [`PathfinderGone`].
    pub(crate) fn flush(&mut self) -> Result<(), PathfinderGone> {
        self.send_staged()?;
        let Way::Thread { changes, pathfinder, .. } = &self.way else { return Ok(()) };
        if changes.is_abandoned() {
            return Err(PathfinderGone);
        }
        let waiting = changes.buffer().capacity() - changes.slots();
        self.counters.set(CounterId::PathfinderLag, waiting as u64);
        if waiting > WAKE_CHANGES {
            pathfinder.unpark();
        }
        Ok(())
    }

    /// Keeps watched sources where the engine thread has the copy; whether there is more to do. A thread of its own does
    /// that by itself.
    pub(crate) fn watch_some(&mut self) -> bool {
        match &mut self.way {
            Way::Inline(finder) => finder.watch_some(),
            Way::Thread { .. } => false,
        }
    }

    /// Has a route found: on the pathfinder's thread, later, or here and now. Full: the request comes back.
    ///
    /// # Errors
    /// [`PathfinderGone`]: nobody will ever answer.
    pub(crate) fn route(&mut self, request: RouteRequest) -> Result<Option<RouteRequest>, PathfinderGone> {
        match &mut self.way {
            Way::Inline(finder) => {
                // The copy stands where the engine stands.
                finder.serve(&request, |_, _| {});
                Ok(None)
            }
            Way::Thread { routes, pathfinder, .. } => match routes.try_send(request) {
                Ok(()) => {
                    pathfinder.unpark();
                    Ok(None)
                }
                Err(TrySendError::Full(request)) => Ok(Some(request)),
                Err(TrySendError::Disconnected(_)) => Err(PathfinderGone),
            },
        }
    }
}

/// Pushes a whole slice at a time: one release store for all of it while there is room.
fn push_all(
    ring: &mut Producer<EdgeChange>,
    changes: &[EdgeChange],
    pathfinder: &Thread,
    counters: Counters,
) -> Result<bool, PathfinderGone> {
    let (_, mut rest) = ring.push_partial_slice(changes);
    if rest.is_empty() {
        return Ok(false);
    }
    counters.add(CounterId::PathfinderWaits, 1);
    while !rest.is_empty() {
        if ring.is_abandoned() {
            return Err(PathfinderGone);
        }
        pathfinder.unpark();
        thread::yield_now();
        rest = ring.push_partial_slice(rest).1;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::time::Instant;

    use super::*;
    use crate::routes::RouteReply;
    use crate::watching::WatchRequest;

    #[test]
    fn the_ring_holds_a_whole_window_of_moves() {
        assert_eq!(ring_changes(1 << 20), 1 << 18);
        assert_eq!(ring_changes(128 << 20), (128 << 20) / 48);
        let (mut changes, mut intake) = ring(64 << 20, true).unwrap();
        let window: Vec<EdgeChange> = (0..ring_changes(64 << 20) as u32)
            .map(|number| EdgeChange { source: number, target: 1, mask: 2 })
            .collect();
        assert!(changes.push_partial_slice(&window).1.is_empty(), "all of the window finds room");
        assert!(changes.is_full());
        let chunk = intake.read_chunk(window.len()).unwrap();
        assert!(chunk.into_iter().eq(window.iter().copied()));
    }

    #[test]
    fn a_full_queue_gives_the_route_back_and_a_dead_pathfinder_is_told_apart() {
        let (changes, _intake) = ring(1, false).unwrap();
        let (routes, queue) = sync_channel(1);
        let way = Way::Thread { changes, routes, pathfinder: thread::current() };
        let mut feed = Feed::new(way, AfterRollback::default(), Counters::detached());
        let request = |feed: &Feed| {
            let reply = RouteReply::Watch(WatchRequest::Remove { id: 1, reply: sync_channel(1).0 });
            RouteRequest { standing: feed.standing(0), asked: Instant::now(), reply }
        };
        let (first, second, third) = (request(&feed), request(&feed), request(&feed));
        assert!(feed.route(first).unwrap().is_none());
        assert!(feed.route(second).unwrap().is_some(), "the queue is full");
        drop(queue);
        assert!(feed.route(third).is_err(), "nobody is there");
    }

    #[test]
    fn what_no_memory_can_hold_is_refused() {
        assert!(ring(usize::MAX, false).is_none());
    }
}
