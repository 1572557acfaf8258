//! Routes asked by threads of this process: up to 128 in one question, all answered at one revision.
//!
//! The question goes to the engine thread, which says at which revision it is to be answered, and from there to whoever
//! has the second copy of the graph. The answer comes back to the [`PendingRoutes`] that asking gave. When that is
//! dropped, nobody waits any more, and the search for it is given up.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use lodestone_memory::Status;
use lodestone_memory::rings::Caller;
use lodestone_transport::AnswerSink;

use crate::bridge::BridgeSink;
use crate::control::{Control, Reply};
use crate::engine::{CONTROL_TIMEOUT, Engine};
use crate::error::EngineError;
use crate::watching::WatchRequest;

/// Most routes of one question.
pub const ROUTES_MAX: usize = 128;

/// A route found for a thread of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalRoute {
    /// The revision it was found at.
    pub revision: u64,
    /// Sum of the weights; `u64::MAX` where there is no path.
    pub distance: u64,
    /// Nodes on the path, both ends included; 0 where there is no path.
    pub nodes_total: u32,
    /// The first of them, source first: as many as were asked for.
    pub nodes: Vec<u32>,
    /// Vertices that the search settled.
    pub settled: u64,
}

/// The answers to one question, all true for the same revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteBatch {
    /// That revision.
    pub revision: u64,
    /// One for each pair of nodes asked, in that order. [`Status::OutOfBounds`]: a node is not below
    /// `graph.nodes_max`. [`Status::Budget`]: the search was ended by `graph.route_budget`.
    pub routes: Vec<Result<LocalRoute, Status>>,
}

/// Where the answer of a route goes.
pub(crate) enum RouteReply {
    /// To the stream that asked.
    Stream { sink: Arc<dyn AnswerSink>, counter: u64, source: u32, target: u32 },
    /// To the producer that asked through lane or ring.
    Call { sink: Arc<BridgeSink>, key: u64, caller: Caller, source: u32, target: u32 },
    /// To the thread that asked.
    Local(LocalRoutes),
    /// No route: a watch to begin or to end, which comes the same way and at the same place among the changes.
    Watch(WatchRequest),
}

/// A question of a thread of this process.
pub(crate) struct LocalRoutes {
    pub(crate) pairs: Vec<(u32, u32)>,
    pub(crate) nodes_listed_max: usize,
    pub(crate) reply: Reply<Result<RouteBatch, Status>>,
    /// Held by the [`PendingRoutes`] alone.
    waiting: Weak<()>,
}

impl RouteReply {
    /// Whether nobody waits for the answer any more.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            RouteReply::Stream { sink, .. } => sink.is_gone(),
            RouteReply::Call { sink, caller, .. } => sink.is_caller_gone(caller),
            RouteReply::Local(routes) => routes.waiting.strong_count() == 0,
            RouteReply::Watch(_) => false,
        }
    }

    /// Answers all of it with a refusal; `node` is told to streams.
    pub(crate) fn refuse(self, status: Status, node: u32) {
        match self {
            RouteReply::Stream { sink, counter, .. } => sink.refused(counter, status, node),
            RouteReply::Call { sink, key, .. } => sink.reply(key, status.code(), &[u64::from(node)], &[]),
            RouteReply::Local(routes) => {
                let _ = routes.reply.try_send(Err(status));
            }
            RouteReply::Watch(request) => request.refuse(status),
        }
    }
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

/// A route, or a batch of them, to find.
pub(crate) struct RouteRequest {
    pub(crate) standing: Standing,
    pub(crate) asked: Instant,
    pub(crate) reply: RouteReply,
}

/// A question under way. Dropping it gives the search up: it ends within 4,096 vertices and is counted as cancelled.
#[derive(Debug)]
pub struct PendingRoutes {
    answer: Receiver<Result<RouteBatch, Status>>,
    _waiting: Arc<()>,
}

impl Engine {
    /// The shortest path with all of its nodes, found at the revision current when the engine took the call.
    ///
    /// # Errors
    /// [`EngineError::Refused`] with [`Status::OutOfBounds`], [`Status::Budget`] or [`Status::Overloaded`];
    /// [`EngineError::Timeout`] after 60 s, when the search is given up.
    pub fn route(&self, source: u32, target: u32) -> Result<LocalRoute, EngineError> {
        let mut batch = self.routes(&[(source, target)], usize::MAX, CONTROL_TIMEOUT)?;
        let route = batch.routes.pop().unwrap_or(Err(Status::Internal));
        route.map_err(EngineError::Refused)
    }

    /// The shortest paths between these pairs of nodes, at most [`ROUTES_MAX`], all found at one revision, each with its
    /// first `nodes_listed_max` nodes.
    ///
    /// # Errors
    /// Those of [`Engine::ask_routes`] and [`Engine::await_routes`]; [`EngineError::Timeout`] when that time is up: the
    /// search is given up then.
    pub fn routes(
        &self,
        pairs: &[(u32, u32)],
        nodes_listed_max: usize,
        timeout: Duration,
    ) -> Result<RouteBatch, EngineError> {
        let pending = self.ask_routes(pairs, nodes_listed_max)?;
        let text = || EngineError::Timeout(format!("no answer to the route within {} ms", timeout.as_millis()));
        self.await_routes(&pending, timeout)?.ok_or_else(text)
    }

    /// Asks for routes and returns at once.
    ///
    /// # Errors
    /// [`EngineError::InvalidArgument`]: more than [`ROUTES_MAX`]. [`EngineError::Refused`] with [`Status::Overloaded`]: 1,024
    /// calls wait for the engine already.
    pub fn ask_routes(&self, pairs: &[(u32, u32)], nodes_listed_max: usize) -> Result<PendingRoutes, EngineError> {
        if pairs.len() > ROUTES_MAX {
            let text = format!("{} routes in one question; at most {ROUTES_MAX}: ask several times", pairs.len());
            return Err(EngineError::InvalidArgument(text));
        }
        let (reply, answer) = sync_channel(1);
        let waiting = Arc::new(());
        let question =
            LocalRoutes { pairs: pairs.to_vec(), nodes_listed_max, reply, waiting: Arc::downgrade(&waiting) };
        // Waiting here would not end with the caller's time.
        self.try_send(Control::Routes(question))?;
        Ok(PendingRoutes { answer, _waiting: waiting })
    }

    /// Waits for the answer of [`Engine::ask_routes`]; `None` when it is not there in this time, and may be waited for
    /// again.
    ///
    /// # Errors
    /// [`EngineError::Refused`] with [`Status::Overloaded`]: too many routes wait, nothing was searched. Those of every
    /// call.
    pub fn await_routes(&self, pending: &PendingRoutes, wait: Duration) -> Result<Option<RouteBatch>, EngineError> {
        match pending.answer.recv_timeout(wait) {
            Ok(answer) => answer.map(Some).map_err(EngineError::Refused),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(self.explain(EngineError::Closed)),
        }
    }
}
