//! Answers routes on the second copy of the graph; the same for the pathfinder's thread and for the engine thread that
//! does without one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lodestone_core::EdgeChange;
use lodestone_core::pathfinder::{Pathfinder, Route, RouteStatus};
use lodestone_memory::{CounterId, Counters, HistogramId, Histograms, Status};
use lodestone_transport::PathAnswer;

use crate::bridge::BridgeSink;
use crate::routes::{LocalRoute, LocalRoutes, RouteBatch, RouteReply, RouteRequest, Standing};
use crate::watching::Watching;

/// Most nodes of a path that one PATH frame lists.
const WIRE_NODES_MAX: usize = 8_192;

/// The state after the last rollback: what a route that was asked before it, and not answered yet, is answered with.
pub(crate) type AfterRollback = Arc<Mutex<Standing>>;

/// The copy of the graph and what answering takes.
pub(crate) struct Finder {
    pub(crate) pathfinder: Pathfinder,
    pub(crate) watching: Watching,
    pub(crate) route: Route,
    pub(crate) nodes_max: u32,
    pub(crate) counters: Counters,
    pub(crate) histograms: Histograms,
    pub(crate) after_rollback: AfterRollback,
    /// Set when the engine closes: nobody waits for a route any more.
    pub(crate) ending: Arc<AtomicBool>,
}

/// What became of one search.
enum Found {
    Route,
    Refused(Status),
    Cancelled,
}

impl Finder {
    /// Takes committed changes over, in their order, with the marks of their revisions.
    pub(crate) fn apply(&mut self, changes: &[EdgeChange]) {
        self.watching.apply(&mut self.pathfinder, changes);
    }

    /// Brings the labels of watched sources up to what was applied.
    pub(crate) fn repair_watched(&mut self) {
        self.watching.repair(&mut self.pathfinder);
    }

    /// Repairs and fills watched sources for a while; whether there is more to do.
    pub(crate) fn watch_some(&mut self) -> bool {
        self.watching.work(&mut self.pathfinder)
    }

    /// Answers a request. `catch_up` brings the copy to a state that the request can be answered against.
    pub(crate) fn serve(&mut self, request: &RouteRequest, mut catch_up: impl FnMut(&mut Finder, Standing)) {
        let mut standing = request.standing;
        loop {
            catch_up(self, standing);
            if self.answer(&request.reply, standing) {
                break;
            }
            // The state went back since: the client must not see the later revision any more.
            standing = *self.after_rollback.lock().unwrap_or_else(PoisonError::into_inner);
        }
        if !matches!(request.reply, RouteReply::Watch(_)) {
            self.histograms.record(HistogramId::Route, request.asked.elapsed().as_nanos() as u64);
        }
    }

    /// Finds in this state, which the copy is in, and answers; `false` if that came too late.
    fn answer(&mut self, reply: &RouteReply, standing: Standing) -> bool {
        match reply {
            RouteReply::Stream { sink, counter, source, target } => {
                match self.find(reply, *source, *target) {
                    Found::Route if !sink.path(*counter, &self.path_answer(standing)) => return false,
                    Found::Route => self.counters.add(CounterId::Routes, 1),
                    Found::Refused(status) => sink.refused(*counter, status, *source),
                    // Nobody hears it, but the route gives back what was reserved for its answer.
                    Found::Cancelled => sink.refused(*counter, Status::ShuttingDown, *source),
                }
            }
            RouteReply::Call { sink, key, source, target, .. } => {
                let found = self.find(reply, *source, *target);
                self.answer_call(sink, *key, *source, &found, standing);
            }
            RouteReply::Local(routes) => self.answer_local(reply, routes, standing),
            RouteReply::Watch(request) => self.watching.serve(&mut self.pathfinder, request),
        }
        true
    }

    fn answer_call(&self, sink: &BridgeSink, key: u64, source: u32, found: &Found, standing: Standing) {
        match found {
            Found::Route => {
                let nodes = &self.route.nodes[..self.route.nodes.len().min(WIRE_NODES_MAX)];
                let (distance, nodes_total) = (self.route.distance, u64::from(self.route.nodes_total));
                self.counters.add(CounterId::Routes, 1);
                sink.reply(
                    key,
                    Status::Ok.code(),
                    &[standing.revision, distance, nodes_total, self.route.settled],
                    nodes,
                );
            }
            Found::Refused(status) => sink.reply(key, status.code(), &[u64::from(source)], &[]),
            // Nobody hears it, but the entry is kept until its call is answered.
            Found::Cancelled => sink.reply(key, Status::ShuttingDown.code(), &[u64::from(source)], &[]),
        }
    }

    fn answer_local(&mut self, reply: &RouteReply, question: &LocalRoutes, standing: Standing) {
        let mut batch = RouteBatch { revision: standing.revision, routes: Vec::with_capacity(question.pairs.len()) };
        for (source, target) in &question.pairs {
            let route = match self.find(reply, *source, *target) {
                Found::Route => {
                    self.counters.add(CounterId::Routes, 1);
                    Ok(self.local_route(standing.revision, question.nodes_listed_max))
                }
                Found::Refused(status) => Err(status),
                Found::Cancelled => {
                    let rest = question.pairs.len() - batch.routes.len() - 1;
                    return self.counters.add(CounterId::RoutesCancelled, rest as u64);
                }
            };
            batch.routes.push(route);
        }
        // It may be that the caller's time was up just now.
        let _ = question.reply.try_send(Ok(batch));
    }

    /// Searches unless nobody waits, and for as long as somebody does.
    fn find(&mut self, reply: &RouteReply, source: u32, target: u32) -> Found {
        if source >= self.nodes_max || target >= self.nodes_max {
            return Found::Refused(Status::OutOfBounds);
        }
        // Relaxed: the flag orders nothing, a look that misses it is followed by another.
        let keep_going = || !self.ending.load(Ordering::Relaxed) && !reply.is_gone();
        let status = if keep_going() {
            self.pathfinder.route_while(source, target, &keep_going, &mut self.route)
        } else {
            RouteStatus::Cancelled
        };
        match status {
            RouteStatus::Found | RouteStatus::Unreachable => Found::Route,
            RouteStatus::Budget => {
                self.counters.add(CounterId::RoutesOverBudget, 1);
                Found::Refused(Status::Budget)
            }
            RouteStatus::Cancelled => {
                self.counters.add(CounterId::RoutesCancelled, 1);
                Found::Cancelled
            }
        }
    }

    fn path_answer(&self, standing: Standing) -> PathAnswer<'_> {
        let nodes = &self.route.nodes[..self.route.nodes.len().min(WIRE_NODES_MAX)];
        let (distance, nodes_total) = (self.route.distance, self.route.nodes_total);
        let Standing { revision, rollbacks, .. } = standing;
        PathAnswer { revision, rollbacks, distance, nodes_total, nodes }
    }

    fn local_route(&self, revision: u64, nodes_listed_max: usize) -> LocalRoute {
        let nodes = &self.route.nodes[..self.route.nodes.len().min(nodes_listed_max)];
        LocalRoute {
            revision,
            distance: self.route.distance,
            nodes_total: self.route.nodes_total,
            nodes: nodes.to_vec(),
            settled: self.route.settled,
        }
    }
}
