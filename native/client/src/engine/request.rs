//! What can be asked of an engine, and what comes of it.

use crate::answer::Slot;
use crate::error::ClientError;
use crate::status::Status;
use crate::wire::{Move, PAYLOAD_BYTES_MAX, SLOT_BYTES};

/// A question or a change, owned, so that it can be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// MOVE.
    Move {
        /// The node that moves.
        source: u32,
        /// The node it moves to.
        target: u32,
        /// Weight and flags of the edge.
        edge_mask: u32,
        /// Expected version of the node; 0 accepts any.
        version: u64,
        /// The application's bytes, at most 232.
        payload: Vec<u8>,
    },
    /// RELEASE.
    Release {
        /// The node whose slot is given back.
        node: u32,
    },
    /// READ.
    Read {
        /// The node whose slot is wanted.
        node: u32,
    },
    /// ROUTE.
    Route {
        /// First node.
        source: u32,
        /// Last node.
        target: u32,
    },
}

impl Request {
    /// Whether it changes state, and so is answered by an ACK.
    pub(crate) fn changes(&self) -> bool {
        matches!(self, Request::Move { .. } | Request::Release { .. })
    }

    /// The version that keeps it from being applied twice.
    pub(crate) fn expected_version(&self) -> Option<u64> {
        match self {
            Request::Move { version, .. } if *version != 0 => Some(*version),
            _ => None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ClientError> {
        match self {
            Request::Move { payload, .. } if payload.len() > PAYLOAD_BYTES_MAX => {
                Err(ClientError::TooLong { what: "payload", bytes: payload.len(), bytes_max: PAYLOAD_BYTES_MAX })
            }
            _ => Ok(()),
        }
    }
}

/// What became of a move or a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in a committed batch.
    Accepted {
        /// A revision that holds it.
        revision: u64,
    },
    /// It changed nothing.
    Refused {
        /// Why.
        status: Status,
        /// The node concerned.
        node: u32,
    },
    /// The connection broke after it was sent, and whether it was applied cannot be told. It was not sent again, or the node
    /// has gone on since. Only [`Request::Move`] with version 0, releases, and moves of nodes with several writers.
    InDoubt,
}

/// The slot of a node, as of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeState {
    /// The revision.
    pub revision: u64,
    pub(crate) bytes: Box<[u8; SLOT_BYTES]>,
}

impl NodeState {
    /// The slot; all zero when the node has none.
    pub fn slot(&self) -> Slot<'_> {
        Slot::new(&self.bytes)
    }
}

/// A shortest path, as of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRoute {
    /// The revision of the graph that was searched.
    pub revision: u64,
    /// Sum of the weights; `None` when there is no path.
    pub distance: Option<u64>,
    /// Nodes on the whole path, both ends included; 0 when there is no path.
    pub nodes_total: u32,
    /// The first nodes of the path, source first: at most 8,192 of them.
    pub nodes: Vec<u32>,
}

/// The end of a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Of a move or a release.
    Decided(Outcome),
    /// Of a read.
    State(NodeState),
    /// Of a route.
    Route(FoundRoute),
}

/// Something that can be asked, with the type of its answer.
pub trait Ask {
    /// What comes back.
    type Answer: Send + 'static;

    /// The question as it is kept.
    fn into_request(self) -> Request;

    /// The answer in the reply; `None` when it is another kind's.
    fn answer(reply: Reply) -> Option<Self::Answer>;
}

impl Ask for Move<'_> {
    type Answer = Outcome;

    fn into_request(self) -> Request {
        let Move { source, target, edge_mask, version, payload, .. } = self;
        Request::Move { source, target, edge_mask, version, payload: payload.to_vec() }
    }

    fn answer(reply: Reply) -> Option<Outcome> {
        if let Reply::Decided(outcome) = reply { Some(outcome) } else { None }
    }
}

/// Gives the slot of a node back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// The node.
    pub node: u32,
}

impl Ask for Release {
    type Answer = Outcome;

    fn into_request(self) -> Request {
        Request::Release { node: self.node }
    }

    fn answer(reply: Reply) -> Option<Outcome> {
        if let Reply::Decided(outcome) = reply { Some(outcome) } else { None }
    }
}

/// Reads the slot of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// The node.
    pub node: u32,
}

impl Ask for Read {
    type Answer = NodeState;

    fn into_request(self) -> Request {
        Request::Read { node: self.node }
    }

    fn answer(reply: Reply) -> Option<NodeState> {
        if let Reply::State(state) = reply { Some(state) } else { None }
    }
}

/// Finds a shortest path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteBetween {
    /// First node.
    pub source: u32,
    /// Last node.
    pub target: u32,
}

impl Ask for RouteBetween {
    type Answer = FoundRoute;

    fn into_request(self) -> Request {
        Request::Route { source: self.source, target: self.target }
    }

    fn answer(reply: Reply) -> Option<FoundRoute> {
        if let Reply::Route(route) = reply { Some(route) } else { None }
    }
}
