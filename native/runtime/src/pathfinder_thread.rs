//! The pathfinder's thread: applies committed changes to its copy of the graph and answers routes in their order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use lodestone_core::EdgeChange;
use lodestone_core::pathfinder::{Pathfinder, Route, RouteStatus};
use lodestone_memory::{CounterId, Counters, HistogramId, Histograms, Status};
use lodestone_transport::PathAnswer;
use rtrb::Consumer;

use crate::feed::{AfterRollback, PATHFINDER_LOOK_MS, RouteReply, RouteRequest, Standing};

/// Most nodes of a path that one PATH frame lists.
const WIRE_NODES_MAX: usize = 8_192;

/// A route found for a thread of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalRoute {
    /// The revision it was found at.
    pub revision: u64,
    /// Sum of the weights; `u64::MAX` where there is no path.
    pub distance: u64,
    /// Nodes on the path, both ends included; 0 where there is no path.
    pub nodes_total: u32,
    /// All of them, source first.
    pub nodes: Vec<u32>,
    /// Vertices that the search settled.
    pub settled: u64,
}

/// The thread's state.
pub(crate) struct PathfinderThread {
    pub(crate) pathfinder: Pathfinder,
    pub(crate) route: Route,
    pub(crate) changes: Consumer<EdgeChange>,
    pub(crate) routes: Receiver<RouteRequest>,
    pub(crate) applied: u64,
    pub(crate) counters: Counters,
    pub(crate) histograms: Histograms,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) after_rollback: AfterRollback,
}

impl PathfinderThread {
    /// Works until the engine's end is gone, or `stop` is set.
    pub(crate) fn run(&mut self) {
        loop {
            match self.routes.try_recv() {
                Ok(request) => self.serve(&request),
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {
                    if self.stop.load(Ordering::Acquire) {
                        return;
                    }
                    if !self.apply_some(u64::MAX) {
                        thread::park_timeout(Duration::from_millis(PATHFINDER_LOOK_MS));
                    }
                }
            }
        }
    }

    /// Applies what is there, up to this many changes since the start; whether there was any.
    fn apply_some(&mut self, up_to: u64) -> bool {
        let before = self.applied;
        while self.applied < up_to
            && let Ok(change) = self.changes.pop()
        {
            self.pathfinder.apply(change.source, change.target, change.mask);
            self.applied += 1;
        }
        self.applied > before
    }

    fn serve(&mut self, request: &RouteRequest) {
        let mut standing = request.standing;
        while !self.answer(request, standing) {
            // The state went back since: the client must not see the later revision any more.
            standing = *self.after_rollback.lock().unwrap_or_else(PoisonError::into_inner);
        }
        self.histograms.record(HistogramId::Route, request.asked.elapsed().as_nanos() as u64);
    }

    /// Finds the route in this state and answers; `false` if that came too late.
    fn answer(&mut self, request: &RouteRequest, standing: Standing) -> bool {
        // The engine sent these changes before the request, so all of them are in the ring already.
        self.apply_some(standing.changes_before);
        let found = self.pathfinder.route(request.source, request.target, &mut self.route);
        let over_budget = found == RouteStatus::Budget;
        let answered = match &request.reply {
            RouteReply::Stream { sink, counter } if over_budget => {
                sink.refused(*counter, Status::Budget, request.source);
                true
            }
            RouteReply::Stream { sink, counter } => sink.path(*counter, &self.path_answer(standing)),
            RouteReply::Local(reply) => {
                let result = if over_budget { Err(Status::Budget) } else { Ok(self.local_route(standing.revision)) };
                // Nobody waits any more: the caller's time was up.
                let _ = reply.try_send(result);
                true
            }
        };
        if answered {
            self.counters.add(if over_budget { CounterId::RoutesOverBudget } else { CounterId::Routes }, 1);
        }
        answered
    }

    fn path_answer(&self, standing: Standing) -> PathAnswer<'_> {
        let nodes = &self.route.nodes[..self.route.nodes.len().min(WIRE_NODES_MAX)];
        let (distance, nodes_total) = (self.route.distance, self.route.nodes_total);
        let Standing { revision, rollbacks, .. } = standing;
        PathAnswer { revision, rollbacks, distance, nodes_total, nodes }
    }

    fn local_route(&self, revision: u64) -> LocalRoute {
        LocalRoute {
            revision,
            distance: self.route.distance,
            nodes_total: self.route.nodes_total,
            nodes: self.route.nodes.clone(),
            settled: self.route.settled,
        }
    }
}
