//! What has been asked and is not answered yet: the books of one client, across its connections.
//!
//! Nothing here waits or touches the network, so that every order of answers and losses can be tried.

use std::collections::VecDeque;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::interest::Interest;
use super::request::{Delivery, FoundRoute, NodeState, Outcome, Reply, Request, Subscription};
use super::unordered::Unordered;
use crate::answer::{Ack, Answer, Path, Reject, Slot, State, Subscribed};
use crate::datagram::DatagramSender;
use crate::error::ClientError;
use crate::status::Status;
use crate::stream::StreamSender;

/// Called once with what became of a request, on the client's own task: it must not wait.
pub type Completion = Box<dyn FnOnce(Result<Reply, ClientError>) + Send>;

/// One request under way.
pub(crate) struct Flight {
    pub(crate) request: Request,
    completion: Completion,
    /// Its place among those that may be under way; free again when the flight ends.
    place: Option<OwnedSemaphorePermit>,
    /// It left on a connection that broke before its answer came.
    sent_before: bool,
    rejected: Option<Reject>,
    /// A move that was sent again and refused: its node is read to find out whether the first one had been applied.
    verifying: Option<Reject>,
    /// Asked for by the client itself, to have its subscriptions on a new connection.
    again: bool,
}

impl Flight {
    pub(crate) fn new(request: Request, completion: Completion, place: Option<OwnedSemaphorePermit>) -> Flight {
        Flight { request, completion, place, sent_before: false, rejected: None, verifying: None, again: false }
    }

    /// A subscription of before, for a new connection.
    fn again(request: Request) -> Flight {
        Flight { again: true, ..Flight::new(request, Box::new(|_| {}), None) }
    }

    /// Its place is free before anybody hears of its end, so that who hears of it finds room.
    fn finish(self, result: Result<Reply, ClientError>) {
        drop(self.place);
        (self.completion)(result);
    }

    pub(crate) fn fail(self, error: ClientError) {
        self.finish(Err(error));
    }

    pub(crate) fn decide(self, outcome: Outcome) {
        self.finish(Ok(Reply::Decided(outcome)));
    }

    pub(crate) fn refuse(self, reject: &Reject) {
        let (status, node) = (reject.status, reject.node);
        match self.request.asked() {
            Request::Move { .. } | Request::Release { .. } => self.decide(Outcome::Refused { status, node }),
            Request::Subscribe { .. } | Request::Unsubscribe { .. } => {
                self.finish(Ok(Reply::Subscription(Subscription::Refused { status, node })));
            }
            _ => self.fail(ClientError::Rejected { status, node }),
        }
    }

    pub(crate) fn show(self, state: &State<'_>) {
        let bytes = Box::new(*state.slot.bytes());
        self.finish(Ok(Reply::State(NodeState { revision: state.revision, bytes })));
    }

    /// No answer to its datagram came, and none will be taken any more.
    pub(crate) fn give_up(self, timeout_ms: u64) {
        match self.request.asked() {
            Request::Move { .. } | Request::Release { .. } => self.decide(Outcome::InDoubt),
            _ => self.fail(ClientError::Unanswered { timeout_ms }),
        }
    }
}

/// Takes frames for one connection; the books' view of its senders.
pub(crate) trait Outlet {
    /// Queues the frame of the request on the stream; its counter, or `None` when there is no room.
    fn queue(&mut self, request: &Request, verify: bool) -> Result<Option<u64>, ClientError>;

    /// Sends the frame of the request as a datagram; its counter.
    fn send_datagram(&mut self, request: &Request, answered: bool) -> Result<u64, ClientError>;
}

/// The senders of one connection.
pub(crate) struct Outlets<'a> {
    pub(crate) stream: &'a mut StreamSender,
    pub(crate) datagrams: &'a mut DatagramSender,
    /// Whether the server knows updates by datagram.
    pub(crate) latest: bool,
}

impl Outlet for Outlets<'_> {
    fn queue(&mut self, request: &Request, verify: bool) -> Result<Option<u64>, ClientError> {
        let stream = &mut self.stream;
        let queued = match request {
            Request::Move { source, .. } if verify => stream.queue_read(*source),
            Request::Release { node } => stream.queue_release(*node, false),
            Request::Read { node } => stream.queue_read(*node),
            Request::Route { source, target } => stream.queue_route(*source, *target),
            Request::Subscribe { nodes, delivery: Delivery::Datagram } if self.latest => {
                stream.queue_subscribe_latest(nodes)
            }
            Request::Subscribe { nodes, .. } => stream.queue_subscribe(nodes),
            Request::Unsubscribe { nodes } => stream.queue_unsubscribe(nodes),
            Request::Move { .. } | Request::ByDatagram { .. } => stream.queue_move(&request.step(false)),
        };
        match queued {
            Ok(counter) => Ok(Some(counter)),
            Err(ClientError::BufferFull { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    fn send_datagram(&mut self, request: &Request, answered: bool) -> Result<u64, ClientError> {
        match request {
            Request::Release { node } => self.datagrams.send_release(*node, answered),
            Request::Read { node } => self.datagrams.send_read(*node),
            _ => self.datagrams.send_move(&request.step(answered)),
        }
    }
}

/// The books. Its flights are bounded by the places of the client.
pub(crate) struct Books {
    sole_writer: bool,
    /// Not yet with a connection, in the order they are to leave.
    waiting: VecDeque<Flight>,
    /// Moves and releases by counter, rising.
    decisions: VecDeque<(u64, Flight)>,
    /// Reads, routes and subscriptions by counter, rising.
    questions: VecDeque<(u64, Flight)>,
    unordered: Unordered,
    interest: Interest,
}

impl Books {
    pub(crate) fn new(sole_writer: bool, datagram_timeout_ms: u64) -> Books {
        Books {
            sole_writer,
            waiting: VecDeque::new(),
            decisions: VecDeque::new(),
            questions: VecDeque::new(),
            unordered: Unordered::new(datagram_timeout_ms),
            interest: Interest::default(),
        }
    }

    /// A new connection is there: what was subscribed to is asked for before everything that waits.
    pub(crate) fn connected(&mut self) {
        for request in self.interest.again().into_iter().rev() {
            self.waiting.push_front(Flight::again(request));
        }
    }

    /// What went as datagrams.
    pub(crate) fn unordered(&mut self) -> &mut Unordered {
        &mut self.unordered
    }

    /// A node whose subscription was not to be had again, and that was not told yet.
    pub(crate) fn next_ended(&mut self) -> Option<(u32, Status)> {
        self.interest.next_ended()
    }

    /// Takes a request in.
    pub(crate) fn add(&mut self, flight: Flight) {
        self.waiting.push_back(flight);
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.decisions.is_empty() && self.questions.is_empty() && self.unordered.is_empty()
    }

    /// Queues what waits, as far as there is room.
    pub(crate) fn send(&mut self, outlet: &mut impl Outlet) -> Result<(), ClientError> {
        while let Some(flight) = self.waiting.front() {
            if let Request::ByDatagram { request, answered } = &flight.request {
                let sent = outlet.send_datagram(request, *answered);
                let Some(flight) = self.waiting.pop_front() else { return Ok(()) };
                self.unordered.sent(sent, flight, Instant::now());
                continue;
            }
            let verify = flight.verifying.is_some();
            let Some(counter) = outlet.queue(&flight.request, verify)? else { return Ok(()) };
            let changes = flight.request.changes() && !verify;
            let Some(flight) = self.waiting.pop_front() else { return Ok(()) };
            let book = if changes { &mut self.decisions } else { &mut self.questions };
            book.push_back((counter, flight));
        }
        Ok(())
    }

    /// Takes in an ACK: everything up to its counter is decided.
    pub(crate) fn ack(&mut self, ack: &Ack) {
        while self.decisions.front().is_some_and(|(counter, _)| *counter <= ack.counter) {
            let Some((_, mut flight)) = self.decisions.pop_front() else { return };
            match flight.rejected.take() {
                None => flight.decide(Outcome::Accepted { revision: ack.revision }),
                Some(reject) if flight.sent_before && hides_the_first(reject.status) => {
                    flight.verifying = Some(reject);
                    self.waiting.push_back(flight);
                }
                Some(reject) => flight.refuse(&reject),
            }
        }
    }

    /// Takes in the refusal of one frame.
    pub(crate) fn reject(&mut self, reject: &Reject) -> Result<(), ClientError> {
        if let Some(at) = place_of(&self.decisions, reject.counter)
            && let Some((_, flight)) = self.decisions.get_mut(at)
        {
            flight.rejected = Some(*reject);
            return Ok(());
        }
        let flight = self.question(reject.counter)?;
        if !flight.again {
            flight.refuse(reject);
        } else if let Some(rest) = self.interest.refused_again(&flight.request, reject) {
            self.waiting.push_front(Flight::again(rest));
        }
        Ok(())
    }

    /// Takes in that a subscription was carried out.
    pub(crate) fn subscribed(&mut self, subscribed: &Subscribed) -> Result<(), ClientError> {
        let flight = self.question(subscribed.counter)?;
        self.interest.confirmed(&flight.request);
        let Subscribed { revision, subscriptions, .. } = *subscribed;
        flight.finish(Ok(Reply::Subscription(Subscription::Told { revision, subscriptions })));
        Ok(())
    }

    /// Takes in an answer that came as a datagram.
    pub(crate) fn datagram(&mut self, answer: &Answer<'_>) {
        self.unordered.answered(answer);
    }

    /// Takes in the answer to a read, the client's own or one that finds out about a move.
    pub(crate) fn state(&mut self, state: &State<'_>) -> Result<(), ClientError> {
        let flight = self.question(state.counter)?;
        match flight.verifying {
            Some(reject) => {
                let outcome = self.judge(&flight.request, &state.slot, state.revision, &reject);
                flight.decide(outcome);
            }
            None => {
                flight.show(state);
            }
        }
        Ok(())
    }

    /// Takes in a path.
    pub(crate) fn path(&mut self, path: &Path<'_>) -> Result<(), ClientError> {
        let route = FoundRoute {
            revision: path.revision,
            distance: Some(path.distance).filter(|distance| *distance != u64::MAX),
            nodes_total: path.nodes_total,
            nodes: path.nodes().collect(),
        };
        self.question(path.counter)?.finish(Ok(Reply::Route(route)));
        Ok(())
    }

    /// What became of a move that was sent before the connection broke, and refused when it was sent again: either the first
    /// one was applied, or the node's version was never the expected one. Who may not write the node any more is not its
    /// sole writer either: the version may have risen by another's move.
    fn judge(&self, request: &Request, slot: &Slot<'_>, revision: u64, reject: &Reject) -> Outcome {
        let refused = Outcome::Refused { status: reject.status, node: reject.node };
        let Request::Move { target, edge_mask, version, payload, .. } = request else { return refused };
        if !slot.is_active() {
            return Outcome::InDoubt;
        }
        let same = slot.target() == *target && slot.edge_mask() == *edge_mask && slot.payload() == payload;
        if slot.version() <= *version {
            // The state went back, or is another engine's: the expected version never came.
            refused
        } else if self.sole_writer && reject.status == Status::CONFLICT || slot.version() - 1 == *version && same {
            Outcome::Accepted { revision }
        } else {
            Outcome::InDoubt
        }
    }

    /// The connection is gone. What must not be sent twice is given up as in doubt, the rest waits for the next connection,
    /// in its old order and before everything that waits already.
    pub(crate) fn lost(&mut self) {
        let mut sent: Vec<(u64, Flight)> = self.decisions.drain(..).chain(self.questions.drain(..)).collect();
        sent.sort_by_key(|(counter, _)| *counter);
        // They are asked for anew.
        self.waiting.retain(|flight| !flight.again);
        self.unordered.lost();
        for (_, mut flight) in sent.into_iter().filter(|(_, flight)| !flight.again).rev() {
            if let Some(reject) = flight.rejected.take_if(|_| !flight.sent_before) {
                // Refused for certain: only the ACK behind it is missing.
                flight.refuse(&reject);
                continue;
            }
            flight.rejected = None;
            let again = !flight.request.changes() || flight.request.expected_version().is_some();
            flight.sent_before = true;
            if again {
                self.waiting.push_front(flight);
            } else {
                flight.decide(Outcome::InDoubt);
            }
        }
    }

    /// Nothing will be answered any more.
    pub(crate) fn fail_all(&mut self, error: &ClientError) {
        self.unordered.fail_all(error);
        let sent = self.decisions.drain(..).chain(self.questions.drain(..)).map(|(_, flight)| flight);
        for flight in sent.chain(self.waiting.drain(..)) {
            flight.fail(error.clone());
        }
    }

    fn question(&mut self, counter: u64) -> Result<Flight, ClientError> {
        let nobody_asked =
            || ClientError::Protocol { reason: format!("an answer to frame {counter}, which asked none") };
        let place = place_of(&self.questions, counter).ok_or_else(nobody_asked)?;
        self.questions.remove(place).map(|(_, flight)| flight).ok_or_else(nobody_asked)
    }
}

/// Whether this refusal of a move that was sent again may stand for one that was applied: its version has passed, or the
/// token of the new session, which is looked at before the version, no longer covers its node.
fn hides_the_first(status: Status) -> bool {
    matches!(status, Status::CONFLICT | Status::FORBIDDEN)
}

fn place_of(book: &VecDeque<(u64, Flight)>, counter: u64) -> Option<usize> {
    book.binary_search_by_key(&counter, |(counter, _)| *counter).ok()
}
