//! What the engine thread tells the pathfinder thread: every committed change, and routes to find.
//!
//! Changes go through a single-producer ring. A route names how many changes lie before it, so it is answered against
//! exactly the revision at which the engine took it. The pathfinder is woken for routes, and when a quarter of the ring
//! is full; else it looks by itself every [`PATHFINDER_LOOK_MS`].

use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::Instant;

use lodestone_core::EdgeChange;
use lodestone_memory::{CounterId, Counters, Status};
use lodestone_transport::AnswerSink;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::control::Reply;
use crate::pathfinder_thread::LocalRoute;

/// Changes that the ring holds (12 bytes each): more than one second of 200,000 changes while a long route is searched.
/// Full: the engine waits for the pathfinder and the counter `pathfinder_waits` says so.
pub(crate) const FEED_CHANGES_MAX: usize = 1 << 18;

/// Longest time in which the pathfinder does not look for changes.
pub(crate) const PATHFINDER_LOOK_MS: u64 = 20;

/// Where the answer of a route goes.
pub(crate) enum RouteReply {
    /// To the stream that asked.
    Stream { sink: Arc<dyn AnswerSink>, counter: u64 },
    /// To the thread that asked.
    Local(Reply<Result<LocalRoute, Status>>),
}

/// A state that a route can be answered against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) revision: u64,
    /// Changes sent before it.
    pub(crate) changes_before: u64,
    /// Rollbacks before it.
    pub(crate) rollbacks: u64,
}

/// The state after the last rollback: what a route that was asked before it, and not answered yet, is answered with.
pub(crate) type AfterRollback = Arc<Mutex<Standing>>;

/// A route to find.
pub(crate) struct RouteRequest {
    pub(crate) source: u32,
    pub(crate) target: u32,
    pub(crate) standing: Standing,
    pub(crate) asked: Instant,
    pub(crate) reply: RouteReply,
}

/// The pathfinder thread is gone.
#[derive(Debug)]
pub(crate) struct PathfinderGone;

/// The engine's end.
pub(crate) struct Feed {
    changes: Producer<EdgeChange>,
    routes: SyncSender<RouteRequest>,
    pathfinder: Thread,
    sent: u64,
    rollbacks: u64,
    after_rollback: AfterRollback,
    counters: Counters,
}

/// The ring's two ends.
pub(crate) fn ring() -> (Producer<EdgeChange>, Consumer<EdgeChange>) {
    RingBuffer::new(FEED_CHANGES_MAX)
}

impl Feed {
    pub(crate) fn new(
        changes: Producer<EdgeChange>,
        routes: SyncSender<RouteRequest>,
        pathfinder: Thread,
        after_rollback: AfterRollback,
        counters: Counters,
    ) -> Feed {
        Feed { changes, routes, pathfinder, sent: 0, rollbacks: 0, after_rollback, counters }
    }

    /// What a route asked at this revision, the current one, is answered against.
    pub(crate) fn standing(&self, revision: u64) -> Standing {
        Standing { revision, changes_before: self.sent, rollbacks: self.rollbacks }
    }

    /// After a rollback, its changes sent: routes still under way are to be found at this revision.
    pub(crate) fn rolled_back(&mut self, revision: u64) {
        self.rollbacks += 1;
        *self.after_rollback.lock().unwrap_or_else(PoisonError::into_inner) = self.standing(revision);
    }

    /// Tells a committed change; waits while the ring is full.
    ///
    /// # Errors
    /// [`PathfinderGone`]: nobody will make room.
    pub(crate) fn change(&mut self, change: EdgeChange) -> Result<(), PathfinderGone> {
        let mut waited = false;
        while self.changes.push(change).is_err() {
            if self.changes.is_abandoned() {
                return Err(PathfinderGone);
            }
            if !waited {
                self.counters.add(CounterId::PathfinderWaits, 1);
                waited = true;
            }
            self.pathfinder.unpark();
            thread::yield_now();
        }
        self.sent += 1;
        Ok(())
    }

    /// After a batch: wakes the pathfinder when it is far behind.
    ///
    /// # Errors
    /// [`PathfinderGone`].
    pub(crate) fn flush(&self) -> Result<(), PathfinderGone> {
        if self.changes.is_abandoned() {
            return Err(PathfinderGone);
        }
        let waiting = FEED_CHANGES_MAX - self.changes.slots();
        self.counters.set(CounterId::PathfinderLag, waiting as u64);
        if waiting > FEED_CHANGES_MAX / 4 {
            self.pathfinder.unpark();
        }
        Ok(())
    }

    /// Asks for a route. Full: the request comes back.
    pub(crate) fn route(&self, request: RouteRequest) -> Result<(), RouteRequest> {
        match self.routes.try_send(request) {
            Ok(()) => {
                self.pathfinder.unpark();
                Ok(())
            }
            Err(TrySendError::Full(request) | TrySendError::Disconnected(request)) => Err(request),
        }
    }
}
