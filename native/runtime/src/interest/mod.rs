//! Who is told of which node: subscriptions of sessions, asked for by their clients or decided by the application.
//!
//! Everything here belongs to the engine thread. After a batch each changed node is looked up, one word where nobody is
//! told of it, and its subscriptions are marked; the sessions' senders do the rest (see [`lodestone_transport::Fanout`]).

mod grants;
mod table;

use std::sync::Arc;

use lodestone_memory::header::Header;
use lodestone_memory::nodes::NodeReader;
use lodestone_memory::{CounterId, Counters, RecordHead, RecordKind, Region, Status};
use lodestone_transport::{Fanout, NodeState, Outbox, Server, StateSource, Way};

use crate::config::Config;
use crate::error::EngineError;
use grants::Range;
use table::{Table, TableSizes};

/// Type of the command that subscribes a session: {u32 session, u32 0, u32 node, …}.
const SUBSCRIBE: u8 = 0x30;
/// Type of the command that ends subscriptions: {u32 session, u32 0, u32 node, …}; all of them where there is no node.
const UNSUBSCRIBE: u8 = 0x32;
/// Type of the command that lets a session subscribe to nodes: {u32 session, u32 0, u32 first, u32 last}.
const GRANT: u8 = 0x34;
/// Type of the command that takes that back, and ends the subscriptions in the range.
const REVOKE: u8 = 0x36;
/// Type of the command that subscribes a session by datagrams: {u32 session, u32 0, u32 node, …}.
const SUBSCRIBE_LATEST: u8 = 0x3a;
/// Bytes of those commands before the nodes.
const COMMAND_HEAD_BYTES: usize = 8;

/// Whether records of this type decide about sessions.
pub(crate) fn is_interest(kind: u8) -> bool {
    matches!(kind, SUBSCRIBE | SUBSCRIBE_LATEST | UNSUBSCRIBE | GRANT | REVOKE)
}

/// To which nodes a client may subscribe by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Those of its token's range, and those granted.
    Own,
    /// Any.
    All,
    /// Those granted.
    Granted,
    /// None: the application alone subscribes.
    None,
}

/// Bounds of fan-out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InterestConfig {
    pub(crate) policy: Policy,
    /// Subscriptions of all sessions together; 0: no fan-out.
    pub(crate) subscriptions_max: u32,
    /// Subscriptions of one session.
    pub(crate) session_max: u32,
}

/// What the engine thread and the senders of sessions share.
///
/// # Errors
/// [`EngineError::Memory`].
pub(crate) fn make_fanout(config: &Config, region: &Region) -> Result<Fanout, EngineError> {
    let sight = Arc::new(Sight { header: region.header(), nodes: region.reader() });
    Fanout::new(config.interest.subscriptions_max, config.connections_max, sight).ok_or_else(no_memory)
}

fn no_memory() -> EngineError {
    EngineError::Memory("not enough memory for the subscriptions; lower fanout.subscriptions_max".to_owned())
}

/// Why something was refused, and the node that it was refused for.
pub(crate) type Refusal = (Status, u32);

/// Shows senders the nodes of the shared region.
struct Sight {
    header: Header,
    nodes: NodeReader,
}

impl StateSource for Sight {
    fn look(&self, node: u32) -> Option<NodeState> {
        // Before the node: what it shows is then at least as new.
        let commit = self.header.commit();
        let look = self.nodes.look(node).ok()?;
        let mut slot = [0; 256];
        for (bytes, word) in slot.chunks_exact_mut(8).zip(look.image) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let (revision, rollbacks, version) = (commit.revision, commit.branch, look.node.version);
        Some(NodeState { revision, rollbacks, version, sequence: look.sequence, slot })
    }
}

/// The engine thread's end of fan-out.
pub(crate) struct Interest {
    config: InterestConfig,
    table: Table,
    nodes: NodeReader,
    nodes_max: u32,
    counters: Counters,
    /// The seat asked for last: whoever writes interest sets writes many nodes of one session.
    last_seat: Option<u32>,
}

impl Interest {
    /// Takes all memory. `salt` keeps clients from choosing nodes that collide.
    ///
    /// # Errors
    /// [`EngineError::Memory`].
    pub(crate) fn open(config: &Config, region: &Region, fanout: &Fanout, salt: u64) -> Result<Interest, EngineError> {
        let (nodes, nodes_max) = (region.reader(), config.nodes_max);
        let (sessions_max, config) = (config.connections_max, config.interest);
        let sizes = TableSizes { nodes_max, sessions_max, subscriptions_max: config.subscriptions_max };
        let table = Table::new(sizes, fanout.clone(), salt).ok_or_else(no_memory)?;
        Ok(Interest { config, table, nodes, nodes_max, counters: region.counters(), last_seat: None })
    }

    /// Whether anybody is told of anything.
    #[inline]
    pub(crate) fn is_watching(&self) -> bool {
        self.table.live() > 0
    }

    /// The node changed, and the change is published.
    #[inline]
    pub(crate) fn changed(&mut self, node: u32) {
        self.table.mark_node(node);
    }

    /// After all changes of a batch: wakes the senders that have news.
    pub(crate) fn wake(&mut self) {
        let coalesced = self.table.wake();
        if coalesced > 0 {
            self.counters.add(CounterId::UpdatesCoalesced, coalesced);
        }
    }

    /// Before slots are set back.
    pub(crate) fn rollback_begins(&self) {
        self.table.fanout().rollback_begins();
    }

    /// After the state gone back to is published, or nothing was changed: marks what sessions saw otherwise last. Takes
    /// time in proportion to the subscriptions.
    pub(crate) fn rollback_ended(&mut self) {
        self.table.fanout().rollback_ended();
        let nodes = self.nodes;
        self.table.mark_unlike(|node| nodes.sequence(node));
        self.wake();
    }

    /// Takes back what ended sessions had. Once a turn; costs two loads when there is nothing.
    pub(crate) fn tidy(&mut self) {
        if self.table.tidy() {
            self.last_seat = None;
            self.tell_live();
        }
    }

    fn tell_live(&self) {
        self.counters.set(CounterId::SubscriptionsLive, u64::from(self.table.live()));
    }

    /// What a client asked for; returns of how many nodes its session is told now.
    pub(crate) fn ask(&mut self, server: Option<&Server>, head: &RecordHead, packet: &[u8]) -> Result<u32, Refusal> {
        let seat = self.seat(server, head.argument).map_err(|status| (status, 0))?;
        if head.kind == RecordKind::Unsubscribe {
            self.unsubscribe(seat, packet);
        } else {
            if let Some(node) = nodes_of(packet).find(|node| *node >= self.nodes_max) {
                return Err((Status::OutOfBounds, node));
            }
            if let Some(node) = nodes_of(packet).find(|node| !self.may(seat, head, *node)) {
                return Err((Status::Forbidden, node));
            }
            let latest = head.kind == RecordKind::SubscribeLatest;
            self.subscribe(seat, packet, if latest { Way::Datagram } else { Way::Stream })?;
        }
        Ok(self.table.count(seat))
    }

    fn may(&self, seat: u32, head: &RecordHead, node: u32) -> bool {
        match self.config.policy {
            Policy::All => true,
            Policy::Own if (head.node_first..=head.node_last).contains(&node) => true,
            Policy::Own | Policy::Granted => self.table.grants(seat).allow(node),
            Policy::None => false,
        }
    }

    /// What the application decided about a session: a command with its body.
    pub(crate) fn decide(&mut self, server: Option<&Server>, head: &RecordHead, body: &[u8]) -> Result<(), Refusal> {
        if head.status != Status::Ok {
            return Err((head.status, 0));
        }
        let nodes = body.get(COMMAND_HEAD_BYTES..).filter(|nodes| nodes.len().is_multiple_of(4));
        let nodes = nodes.filter(|_| body[4..COMMAND_HEAD_BYTES] == [0; 4]).ok_or((Status::Malformed, 0))?;
        match head.node as u8 {
            kind @ (SUBSCRIBE | SUBSCRIBE_LATEST) if !nodes.is_empty() => {
                if let Some(node) = nodes_of(nodes).find(|node| *node >= self.nodes_max) {
                    return Err((Status::OutOfBounds, node));
                }
                let seat = self.seat_for(server, head.argument, nodes)?;
                self.subscribe(seat, nodes, if kind == SUBSCRIBE { Way::Stream } else { Way::Datagram })
            }
            UNSUBSCRIBE => {
                let seat = self.seat_for(server, head.argument, nodes)?;
                self.unsubscribe(seat, nodes);
                Ok(())
            }
            GRANT => {
                let range = Range::of(nodes)?;
                let seat = self.seat_for(server, head.argument, nodes)?;
                self.table.grants_mut(seat).add(range).map_err(|status| (status, range.first))
            }
            REVOKE => {
                let range = Range::of(nodes)?;
                let seat = self.seat_for(server, head.argument, nodes)?;
                self.table.grants_mut(seat).take_back(range);
                self.table.end_where(seat, |node| range.contains(node));
                self.tell_live();
                Ok(())
            }
            _ => Err((Status::Malformed, 0)),
        }
    }

    /// The seat, or a refusal that names the first node.
    fn seat_for(&mut self, server: Option<&Server>, session: u32, nodes: &[u8]) -> Result<u32, Refusal> {
        self.seat(server, session).map_err(|status| (status, nodes_of(nodes).next().unwrap_or(0)))
    }

    fn seat(&mut self, server: Option<&Server>, session: u32) -> Result<u32, Status> {
        if let Some(seat) = self.last_seat.filter(|seat| self.table.session(*seat) == Some(session)) {
            return Ok(seat);
        }
        let outbox: Arc<Outbox> = server.ok_or(Status::Unauthorized)?.outbox(session)?;
        if outbox.has_left() {
            // The client stopped the stream of updates, or is about to be gone.
            return Err(Status::Unauthorized);
        }
        let seat = self.table.seat(outbox).ok_or(Status::Overloaded)?;
        self.last_seat = Some(seat);
        Ok(seat)
    }

    /// All of the nodes or none. What comes the other way begins anew.
    fn subscribe(&mut self, seat: u32, nodes: &[u8], asked: Way) -> Result<(), Refusal> {
        let way = self.table.way_for(seat, asked);
        // A node that stands twice, or comes the other way, counts twice here: the bound is then refused a little early, never
        // passed.
        let new = nodes_of(nodes).filter(|node| self.comes(seat, *node) != Some(way)).count() as u32;
        if !self.table.has_room(seat, new, self.config.session_max) {
            return Err((Status::Overloaded, nodes_of(nodes).next().unwrap_or(0)));
        }
        for node in nodes_of(nodes) {
            if self.comes(seat, node) != Some(way) {
                if let Some(entry) = self.table.find(seat, node) {
                    self.table.end(entry);
                }
                self.table.begin(seat, node, way);
            }
        }
        self.wake();
        self.tell_live();
        Ok(())
    }

    /// By which way the node comes to the session; `None`: it does not.
    fn comes(&self, seat: u32, node: u32) -> Option<Way> {
        self.table.find(seat, node).map(|entry| self.table.way(entry))
    }

    fn unsubscribe(&mut self, seat: u32, nodes: &[u8]) {
        if nodes.is_empty() {
            self.table.end_where(seat, |_| true);
        }
        for node in nodes_of(nodes) {
            if let Some(entry) = self.table.find(seat, node) {
                self.table.end(entry);
            }
        }
        self.tell_live();
    }
}

fn nodes_of(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.chunks_exact(4).map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}
