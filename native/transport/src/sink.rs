//! What passes between the transport and the engine: batches one way, answers the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use lodestone_memory::{Page, Status};

/// Records of one stream (or of one session's datagrams) on their way to the engine.
pub struct Batch {
    /// The records, at least one, in the order of their counters.
    pub page: Page,
    /// Where their answers go.
    pub sink: Arc<dyn AnswerSink>,
    /// Just before the batch entered the channel.
    pub entered: Instant,
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
    fn decided(&self, decisions: &[Decision], revision: u64);
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
