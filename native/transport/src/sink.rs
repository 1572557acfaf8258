//! What passes between the transport and the engine: batches one way, answers the other.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use lodestone_memory::{Page, Status};

/// Records on their way to the engine: those that the streams of one loop brought in one round of it, or those of one
/// other source. Whoever has records in it has them in the order of their counters.
pub struct Batch {
    /// The records, at least one.
    pub page: Page,
    /// Just before the batch entered the channel.
    pub entered: Instant,
    sinks: Sinks,
}

/// Where the answers to the records of a page go.
enum Sinks {
    One(Arc<dyn AnswerSink>),
    /// One after the other, in the order of the records.
    Runs(Vec<Run>),
}

/// Records that follow each other and have the same sink.
pub(crate) struct Run {
    /// The first record behind them.
    pub(crate) end: usize,
    pub(crate) sink: Arc<dyn AnswerSink>,
}

impl Batch {
    /// A batch whose answers all go the same way.
    pub fn of_one(page: Page, sink: Arc<dyn AnswerSink>) -> Batch {
        Batch { page, entered: Instant::now(), sinks: Sinks::One(sink) }
    }

    /// A batch of several streams, all served by one loop. The last run ends with the page.
    pub(crate) fn of_runs(page: Page, runs: Vec<Run>) -> Batch {
        debug_assert_eq!(runs.last().map(|run| run.end), Some(page.len()), "every record has a sink");
        Batch { page, entered: Instant::now(), sinks: Sinks::Runs(runs) }
    }

    /// Where the answers of the record go at which run number `run` begins or goes on, and the first record behind that
    /// run. Runs are counted from 0.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn run(&self, run: usize) -> (&Arc<dyn AnswerSink>, usize) {
        match &self.sinks {
            Sinks::One(sink) => {
                assert!(run == 0, "a batch of one sink is one run");
                (sink, self.page.len())
            }
            Sinks::Runs(runs) => (&runs[run].sink, runs[run].end),
        }
    }

    /// Lets the answers that were only noted so far go out: see [`AnswerSink::carry`].
    pub fn carry(&self) {
        match &self.sinks {
            Sinks::One(sink) => sink.carry(),
            // One loop carries the answers of all.
            Sinks::Runs(runs) => runs.iter().take(1).for_each(|run| run.sink.carry()),
        }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Batch").field("records", &self.page.len()).finish_non_exhaustive()
    }
}

/// What became of one MOVE or RELEASE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The frame's counter.
    pub counter: u64,
    /// The node as received, for a REJECT.
    pub node: u32,
    /// `Ok`, or why it was refused.
    pub status: Status,
    /// The client asked for an answer to exactly this frame.
    pub ack_each: bool,
}

/// The answer to a ROUTE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathAnswer<'nodes> {
    /// The one revision it was answered against.
    pub revision: u64,
    /// Rollbacks that lie before this revision: how often [`crate::Server::rolled_back`] was called by then.
    pub rollbacks: u64,
    /// Length of the path; `u64::MAX` where there is none.
    pub distance: u64,
    /// Nodes on the path, both ends included; 0 where there is none.
    pub nodes_total: u32,
    /// The first nodes of the path, source first; those after the first 8,192 are not sent.
    pub nodes: &'nodes [u32],
}

/// Where the answers of one stream, of one session's datagrams, or of one call go.
///
/// Called from the engine thread and from the pathfinder thread. An implementation never waits: it stores what is
/// bounded by a reservation made before the frame was admitted, and wakes whoever carries it on.
pub trait AnswerSink: Send + Sync {
    /// MOVEs and RELEASEs of one batch, in the order of their counters. Afterwards every frame of the stream up to the
    /// last counter is decided and, where accepted, committed by `revision`.
    ///
    /// They may be noted only: [`AnswerSink::carry`] follows before the caller waits for anything.
    fn decided(&self, decisions: &[Decision], revision: u64);
    /// The caller has decided what it took together: what [`AnswerSink::decided`] noted goes out now. One call does for
    /// all sinks of a batch.
    fn carry(&self) {}
    /// A READ, ROUTE, SUBSCRIBE or UNSUBSCRIBE that is answered by REJECT.
    fn refused(&self, counter: u64, status: Status, node: u32);
    /// The answer to a READ: the slot as it lies in the slot arena, all zero where the node has none.
    fn state(&self, counter: u64, revision: u64, slot: &[u8; 256]);
    /// The answer to a SUBSCRIBE or UNSUBSCRIBE: of how many nodes the session is told now. Streams alone ask.
    fn subscribed(&self, _counter: u64, _revision: u64, _subscriptions: u32) {}
    /// The answer to a ROUTE. `false`: the state was rolled back since that revision, so the client must not see it any
    /// more; nothing was answered, and the route is to be found anew.
    #[must_use]
    fn path(&self, counter: u64, path: &PathAnswer<'_>) -> bool;
    /// Whether nobody takes answers here any more, for good: the stream was stopped, or its connection is gone. Asked
    /// several times during a long search. What is answered all the same is dropped.
    fn is_gone(&self) -> bool;
}

/// What the server tells about its sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// A client was welcomed.
    Opened {
        /// The session's number, never 0.
        session: u32,
        /// Tenant of its token, 0 without tokens.
        tenant: u32,
        /// The client's address.
        address: SocketAddr,
    },
    /// A session ended.
    Closed {
        /// The session's number.
        session: u32,
        /// The status it was closed with; 0 when the client left or fell silent.
        status: u16,
    },
}
