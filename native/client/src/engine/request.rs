//! What can be asked of an engine, and what comes of it.

use crate::answer::Slot;
use crate::error::ClientError;
use crate::status::Status;
use crate::wire::{Move, PAYLOAD_BYTES_MAX, SLOT_BYTES, SUBSCRIBE_NODES_MAX};

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
    /// SUBSCRIBE, or SUBSCRIBE_LATEST.
    Subscribe {
        /// The nodes, 1 to 64.
        nodes: Vec<u32>,
        /// How their states are to come.
        delivery: Delivery,
    },
    /// UNSUBSCRIBE.
    Unsubscribe {
        /// The nodes, at most 64; none: all.
        nodes: Vec<u32>,
    },
    /// A move, release or read as a datagram.
    ByDatagram {
        /// What is sent.
        request: Box<Request>,
        /// Whether a move or release is to be answered; a read always is.
        answered: bool,
    },
}

/// How the states of nodes come that a client is subscribed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// On a stream: none is lost, none comes before an older one, and a lost packet holds all of them up for a moment.
    #[default]
    Stream,
    /// Each in a datagram: the newest state wins, a lost one holds nothing up, and a node that rests comes once more on the
    /// stream within half a second, so that its last state always arrives. Servers of protocol version 2 send on the stream.
    Datagram,
}

impl Request {
    /// What is asked, whichever way it goes.
    pub(crate) fn asked(&self) -> &Request {
        if let Request::ByDatagram { request, .. } = self { request } else { self }
    }

    /// The move of this request; nothing's move where it is none.
    pub(crate) fn step(&self, ack_each: bool) -> Move<'_> {
        match self.asked() {
            Request::Move { source, target, edge_mask, version, payload } => {
                let (source, target, edge_mask, version) = (*source, *target, *edge_mask, *version);
                Move { source, target, edge_mask, version, payload, ack_each }
            }
            _ => Move::default(),
        }
    }

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
            Request::Subscribe { nodes, .. } if nodes.is_empty() => {
                Err(ClientError::Setting { key: "nodes".into(), reason: "none is named".into() })
            }
            Request::Subscribe { nodes, .. } | Request::Unsubscribe { nodes } if nodes.len() > SUBSCRIBE_NODES_MAX => {
                let (bytes, bytes_max) = (4 * nodes.len(), 4 * SUBSCRIBE_NODES_MAX);
                Err(ClientError::TooLong { what: "list of nodes", bytes, bytes_max })
            }
            Request::ByDatagram { request, .. } => match **request {
                Request::Move { .. } | Request::Release { .. } | Request::Read { .. } => request.check(),
                _ => Err(ClientError::Datagram { reason: "only moves, releases and reads go as datagrams".into() }),
            },
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
    /// has gone on since. Only [`Request::Move`] with version 0, releases, and moves of nodes with several writers; and what
    /// went as a datagram, where no answer was asked for or none came in time.
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
    /// Of a subscription.
    Subscription(Subscription),
}

/// What became of a subscription, or of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// It was carried out.
    Told {
        /// Changes after this revision come as news.
        revision: u64,
        /// Nodes that the session is told of, all in all.
        subscriptions: u32,
    },
    /// Nothing was changed.
    Refused {
        /// [`Status::FORBIDDEN`]: the client may not subscribe to the node; [`Status::OVERLOADED`]: the server's table, or the
        /// session's part of it, is full; [`Status::OUT_OF_BOUNDS`]: there is no such node.
        status: Status,
        /// The first node concerned.
        node: u32,
    },
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

/// Subscribes to nodes, all of them or none: their states come as news
/// ([`EngineClient::next_update`](super::EngineClient::next_update)), first as they are and then after every change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// The nodes, 1 to 64.
    pub nodes: &'a [u32],
    /// How their states are to come.
    pub delivery: Delivery,
}

impl Ask for Subscribe<'_> {
    type Answer = Subscription;

    fn into_request(self) -> Request {
        Request::Subscribe { nodes: self.nodes.to_vec(), delivery: self.delivery }
    }

    fn answer(reply: Reply) -> Option<Subscription> {
        if let Reply::Subscription(subscription) = reply { Some(subscription) } else { None }
    }
}

/// Ends subscriptions. What was on its way may still come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// The nodes, at most 64; none: all.
    pub nodes: &'a [u32],
}

impl Ask for Unsubscribe<'_> {
    type Answer = Subscription;

    fn into_request(self) -> Request {
        Request::Unsubscribe { nodes: self.nodes.to_vec() }
    }

    fn answer(reply: Reply) -> Option<Subscription> {
        if let Reply::Subscription(subscription) = reply { Some(subscription) } else { None }
    }
}

/// A move, release or read that goes as a datagram: it waits for nothing, may be lost, and is never sent again. There is no
/// order between datagrams, nor with what goes by the stream.
///
/// A move with [`ack_each`](Move::ack_each), a release and a read are answered; when no answer comes within
/// [`datagram_timeout_ms`](super::EngineClientOptions::datagram_timeout_ms), or the connection is lost, the outcome is
/// [`Outcome::InDoubt`], and a read fails with [`ClientError::Unanswered`]. Of a move without it the outcome is
/// [`Outcome::InDoubt`] as soon as it has left, whatever becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByDatagram<A>(pub A);

impl Ask for ByDatagram<Move<'_>> {
    type Answer = Outcome;

    fn into_request(self) -> Request {
        let answered = self.0.ack_each;
        Request::ByDatagram { request: Box::new(self.0.into_request()), answered }
    }

    fn answer(reply: Reply) -> Option<Outcome> {
        <Move<'_> as Ask>::answer(reply)
    }
}

impl Ask for ByDatagram<Release> {
    type Answer = Outcome;

    fn into_request(self) -> Request {
        Request::ByDatagram { request: Box::new(self.0.into_request()), answered: true }
    }

    fn answer(reply: Reply) -> Option<Outcome> {
        Release::answer(reply)
    }
}

impl Ask for ByDatagram<Read> {
    type Answer = NodeState;

    fn into_request(self) -> Request {
        Request::ByDatagram { request: Box::new(self.0.into_request()), answered: true }
    }

    fn answer(reply: Reply) -> Option<NodeState> {
        Read::answer(reply)
    }
}
