//! The loop: packets in, connections that have something to do, packets out.

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use quinn_proto::{
    ConnectionEvent, ConnectionHandle, DatagramEvent, EndpointConfig, EndpointEvent, Incoming, ServerConfig, Transmit,
    VarInt,
};
use tokio::time::Sleep;

use super::connection::{Connection, Inner, Turns};
use super::hub::{STRAYS_PER_ROUND, Seat, Shared, Stray, Strays};
use super::packets::{PACKET_BYTES_MAX, Packets};
use super::socket::{Socket, ecn_of};
use super::timers::Timers;

/// Rounds before the task lets others have the worker: a round is one batch of packets and what came of it. The tasks that
/// it woke stand behind it on the same worker, the last of them where no other worker can take it.
const ROUNDS_PER_POLL: usize = 2;
/// How long timers wait for the socket to be read empty. What a timer waits for may lie there already: a loss timer that
/// rings before the acknowledgement behind it is read sends everything again, and that is how an overload feeds itself.
const TIMERS_HELD_MAX: Duration = Duration::from_millis(20);
/// Packets that one connection sends before the others have their turn.
const PACKETS_PER_TURN: usize = 20;
/// Connections that have their turn, and whose timers ring, before the socket is read again; the others keep their
/// places in the row.
const CONNECTIONS_PER_ROUND: usize = 256;
/// Batches that found the socket full, one right after the other, from which on the server counts as overloaded:
/// 2,048 packets were waiting and more came meanwhile. A full share of what other loops found counts as one of them.
const FULL_BATCHES_OVERLOADED: u32 = 64;
/// Received runs that make a batch a full one.
const FULL_BATCH: usize = quinn_udp::BATCH_SIZE;
/// Handshakes begun in one round. Each is a signature, a tenth of a millisecond and more, that everybody else waits for.
const HANDSHAKES_PER_ROUND: usize = 2;
/// Attempts looked at in one round.
const ATTEMPTS_PER_ROUND: usize = 64;
/// Connections that room is made for at start, over all sockets of an address; more take more.
const CONNECTIONS_AT_START: usize = 65_536;
/// How long a connection that received something for its session waits for the answer, so that both are sent together.
/// An engine that keeps up answers in a fraction of it.
const PUT_OFF_MAX: Duration = Duration::from_millis(1);
/// When nothing at all is due.
const FAR_AWAY: Duration = Duration::from_secs(3600);

/// A client that wants to connect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// Where its packets come from, as they say.
    pub(crate) address: SocketAddr,
    /// It has proven that it receives what is sent to that address.
    pub(crate) proven: bool,
    /// Packets come faster than they are handled.
    pub(crate) overloaded: bool,
}

/// What becomes of an attempt.
#[derive(Debug)]
pub(crate) enum Verdict<P, T> {
    /// The handshake begins; the ticket comes back with the connection.
    Accept(P, T),
    /// The client is to prove its address first.
    Retry,
    /// The client is told that it is refused.
    Refuse,
    /// No answer at all.
    Ignore,
}

/// Decides about attempts, takes the connections, and writes to them what others answer. Called by the driver, between
/// two packets: it never waits.
pub(crate) trait Acceptor: Send + Unpin + 'static {
    /// What a connection holds, from the verdict on until nothing of it is left: a while after its end.
    type Place: Send + Sync + 'static;
    /// What an accepted attempt holds besides.
    type Ticket: Send;

    /// What becomes of the attempt.
    fn judge(&mut self, attempt: Attempt) -> Verdict<Self::Place, Self::Ticket>;

    /// A handshake has begun.
    fn accepted(&mut self, connection: Connection, ticket: Self::Ticket);

    /// The first packet of an accepted attempt was no good.
    fn failed(&mut self, ticket: Self::Ticket);

    /// The loop comes round: what was gathered since leaves, and answers are written.
    fn round(&mut self, turns: &mut Turns);
}

/// A socket with all its connections.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    shared: Arc<Shared>,
}

impl Endpoint {
    /// Starts the driver of a bound socket on the current runtime. Nobody else has its seat.
    ///
    /// # Errors
    /// What the system says about the socket.
    pub(crate) fn start<A: Acceptor>(
        config: EndpointConfig,
        server: ServerConfig,
        socket: UdpSocket,
        seat: Seat,
        acceptor: A,
    ) -> std::io::Result<Endpoint> {
        let socket = Socket::new(socket)?;
        let shared = Arc::clone(&seat.hubs[seat.number].0);
        let connections_at_start = CONNECTIONS_AT_START / seat.hubs.len();
        let endpoint =
            quinn_proto::Endpoint::new(Arc::new(config), Some(Arc::new(server)), !socket.may_fragment(), None);
        tokio::spawn(Driver {
            shared: Arc::clone(&shared),
            core: Core {
                endpoint,
                connections: Vec::with_capacity(connections_at_start),
                live: 0,
                acceptor,
                close: None,
                shared: Arc::clone(&shared),
                full_batches: 0,
                attempts: VecDeque::new(),
                response: Vec::new(),
                work: VecDeque::new(),
                put_off: VecDeque::new(),
                wakers: Vec::new(),
            },
            seat,
            socket,
            timers: Timers::with_capacity(connections_at_start),
            timers_taken: Instant::now(),
            asked: Vec::new(),
            strays: Vec::with_capacity(STRAYS_PER_ROUND),
            passed: Strays::default(),
            turns: Turns::default(),
            packets: Packets::default(),
            packet: Vec::new(),
            sleep: Box::pin(tokio::time::sleep(FAR_AWAY)),
            sleeps_until: None,
        });
        Ok(Endpoint { shared })
    }

    /// Replaces what new connections are accepted with; those there are keep what they have. `None`: no more are
    /// accepted.
    pub(crate) fn set_server_config(&self, config: Option<ServerConfig>) {
        self.shared.tell(|inbox| inbox.server_config = Some(config.map(Arc::new)));
    }

    /// Closes every connection and accepts no more. The first call counts. Never waits.
    pub(crate) fn close(&self, code: VarInt, reason: &[u8]) {
        let reason = Bytes::copy_from_slice(reason);
        self.shared.tell(|inbox| {
            inbox.close.get_or_insert((code, reason));
        });
    }

    /// Completes when a closed endpoint has no connection left and has given the socket back.
    pub(crate) async fn finished(&self) {
        loop {
            let finish = self.shared.finish.notified();
            if self.shared.finished.load(Ordering::Acquire) {
                return;
            }
            finish.await;
        }
    }
}

/// Endpoint, connections and acceptor: what a received packet touches.
struct Core<A: Acceptor> {
    endpoint: quinn_proto::Endpoint,
    /// By handle.
    connections: Vec<Option<Arc<Inner>>>,
    live: usize,
    acceptor: A,
    close: Option<(VarInt, Bytes)>,
    shared: Arc<Shared>,
    full_batches: u32,
    /// Attempts that wait for their turn.
    attempts: VecDeque<Incoming>,
    response: Vec<u8>,
    /// Connections that have something to do, in the order of their turns.
    work: VecDeque<Arc<Inner>>,
    /// Connections whose turn was put off, and since when. Those that had one since stand here too.
    put_off: VecDeque<(Instant, Arc<Inner>)>,
    wakers: Vec<Waker>,
}

impl<A: Acceptor> Core<A> {
    /// Puts a connection on the list, once.
    fn queue(&mut self, connection: Arc<Inner>) {
        if !connection.queued.swap(true, Ordering::AcqRel) {
            self.work.push_back(connection);
        }
    }

    fn connection(&self, handle: ConnectionHandle) -> Option<&Arc<Inner>> {
        self.connections.get(handle.0).and_then(Option::as_ref)
    }

    /// Takes one packet in; returns what is to be sent in answer to it at once, lying in `response`.
    fn take(&mut self, now: Instant, meta: &quinn_udp::RecvMeta, packet: BytesMut) -> Option<Transmit> {
        self.response.clear();
        let event = self.endpoint.handle(now, meta.addr, meta.dst_ip, ecn_of(meta), packet, &mut self.response)?;
        match event {
            DatagramEvent::ConnectionEvent(handle, event) => {
                self.pass_on(now, handle, event);
                None
            }
            DatagramEvent::NewConnection(incoming) => {
                self.attempts.push_back(incoming);
                None
            }
            DatagramEvent::Response(transmit) => Some(transmit),
        }
    }

    /// Whoever is to read is woken at once. The connection sends when the answer is there, or has its turn now if none is
    /// to be expected.
    fn pass_on(&mut self, now: Instant, handle: ConnectionHandle, event: ConnectionEvent) {
        let Some(connection) = self.connection(handle).map(Arc::clone) else { return };
        let mut state = connection.lock();
        state.protocol.handle_event(event);
        let readable = state.tell(&mut self.wakers);
        drop(state);
        if !readable {
            if !connection.put_off.load(Ordering::Relaxed) {
                self.queue(connection);
            }
        } else if !connection.put_off.swap(true, Ordering::Relaxed) {
            self.put_off.push_back((now, connection));
        }
    }

    /// Those that waited long enough have their turn all the same; says when the next one will.
    fn wait_no_longer(&mut self, now: Instant) -> Option<Instant> {
        while let Some((since, connection)) = self.put_off.front() {
            let still = connection.put_off.load(Ordering::Relaxed);
            if still && now < *since + PUT_OFF_MAX {
                return Some(*since + PUT_OFF_MAX);
            }
            if let Some((_, connection)) = self.put_off.pop_front()
                && still
            {
                self.queue(connection);
            }
        }
        None
    }

    /// Decides about one attempt; `true` when its handshake has begun. What is to be sent at once lies in `response`.
    fn meet(&mut self, now: Instant, incoming: Incoming) -> (bool, Option<Transmit>) {
        self.response.clear();
        let attempt = Attempt {
            address: incoming.remote_address(),
            proven: incoming.remote_address_validated(),
            overloaded: self.full_batches >= FULL_BATCHES_OVERLOADED,
        };
        let verdict = if self.close.is_some() { Verdict::Refuse } else { self.acceptor.judge(attempt) };
        match verdict {
            Verdict::Accept(place, ticket) => (true, self.accept(now, incoming, place, ticket)),
            Verdict::Refuse => (false, Some(self.endpoint.refuse(incoming, &mut self.response))),
            Verdict::Retry => match self.endpoint.retry(incoming, &mut self.response) {
                Ok(transmit) => (false, Some(transmit)),
                Err(proven) => (false, Some(self.endpoint.refuse(proven.into_incoming(), &mut self.response))),
            },
            Verdict::Ignore => {
                self.endpoint.ignore(incoming);
                (false, None)
            }
        }
    }

    fn accept(&mut self, now: Instant, incoming: Incoming, place: A::Place, ticket: A::Ticket) -> Option<Transmit> {
        match self.endpoint.accept(incoming, now, &mut self.response, None) {
            Ok((handle, protocol)) => {
                let inner = Arc::new(Inner::new(handle, protocol, Arc::clone(&self.shared), Box::new(place)));
                if self.connections.len() <= handle.0 {
                    self.connections.resize(handle.0 + 1, None);
                }
                self.connections[handle.0] = Some(Arc::clone(&inner));
                self.live += 1;
                self.queue(Arc::clone(&inner));
                self.acceptor.accepted(Connection::new(inner), ticket);
                None
            }
            Err(error) => {
                tracing::debug!(cause = %error.cause, "the first packet of a connection is no good");
                self.acceptor.failed(ticket);
                error.response
            }
        }
    }

    /// Notes whether the last batch was a full one.
    fn note_batch(&mut self, full: bool) {
        self.full_batches = if full { self.full_batches.saturating_add(1) } else { 0 };
    }
}

impl<A: Acceptor> Drop for Core<A> {
    fn drop(&mut self) {
        for incoming in self.attempts.drain(..) {
            self.endpoint.ignore(incoming);
        }
    }
}

/// The task of one socket.
struct Driver<A: Acceptor> {
    shared: Arc<Shared>,
    core: Core<A>,
    seat: Seat,
    socket: Socket,
    timers: Timers,
    /// When they were looked at last.
    timers_taken: Instant,
    /// Exchanged for the inbox's list, so that neither is allocated anew.
    asked: Vec<Arc<Inner>>,
    /// This round's share of what other loops found.
    strays: Vec<Stray>,
    /// What this one finds for others.
    passed: Strays,
    turns: Turns,
    packets: Packets,
    /// What is sent next.
    packet: Vec<u8>,
    sleep: Pin<Box<Sleep>>,
    sleeps_until: Option<Instant>,
}

impl<A: Acceptor> Driver<A> {
    /// One batch of packets and what comes of it; `false` when there was nothing to do.
    fn round(&mut self, context: &mut Context<'_>) -> bool {
        let now = tokio::time::Instant::now().into_std();
        let blocked = self.socket.is_blocked(context);
        let strays_left = self.take_inbox();
        self.core.acceptor.round(&mut self.turns);
        while let Some(connection) = self.turns.0.pop() {
            self.core.queue(connection);
        }
        let strays = self.take_strays(now);
        let received = self.receive(context, now);
        let full = received >= FULL_BATCH || strays >= STRAYS_PER_ROUND;
        self.core.note_batch(full);
        self.greet(now);
        let held = full && now.saturating_duration_since(self.timers_taken) < TIMERS_HELD_MAX;
        let mut rings = false;
        if !held {
            self.timers_taken = now;
            rings = self.take_due(now);
        }
        self.core.wait_no_longer(now);
        let worked = !blocked && !self.core.work.is_empty();
        if worked {
            self.work(now);
        }
        self.core.wakers.drain(..).for_each(Waker::wake);
        let due = self.is_due(context, now);
        let met = received > 0 || strays_left || !self.core.attempts.is_empty();
        met || due || rings || (worked && !self.core.work.is_empty())
    }

    /// `true` when strays are left for the next round.
    fn take_inbox(&mut self) -> bool {
        let mut inbox = self.shared.inbox();
        std::mem::swap(&mut inbox.asked, &mut self.asked);
        let strays_left = inbox.take_strays(&mut self.strays);
        let close = inbox.close.take();
        let server_config = inbox.server_config.take();
        inbox.roused = false;
        inbox.driver = None;
        drop(inbox);
        // They are marked as queued already.
        self.core.work.extend(self.asked.drain(..));
        if let Some(config) = server_config {
            self.core.endpoint.set_server_config(config);
        }
        if let Some((code, reason)) = close {
            self.close_all(code, &reason);
        }
        strays_left
    }

    fn close_all(&mut self, code: VarInt, reason: &Bytes) {
        if self.core.close.is_some() {
            return;
        }
        self.core.close = Some((code, reason.clone()));
        let all: Vec<_> = self.core.connections.iter().flatten().map(Arc::clone).collect();
        for connection in all {
            connection.lock().close(code, reason.clone(), &mut self.core.wakers);
            self.core.queue(connection);
        }
    }

    /// Packets that came by another socket; returns how many.
    fn take_strays(&mut self, now: Instant) -> usize {
        let count = self.strays.len();
        for Stray { meta, packet } in self.strays.drain(..) {
            if let Some(transmit) = self.core.take(now, &meta, self.packets.hold(&packet)) {
                self.socket.send_or_drop(&transmit, &self.core.response);
            }
        }
        count
    }

    fn receive(&mut self, context: &mut Context<'_>, now: Instant) -> usize {
        let (core, packets, seat, passed) = (&mut self.core, &mut self.packets, &self.seat, &mut self.passed);
        let mut answers: Vec<(Transmit, Vec<u8>)> = Vec::new();
        let runs = self.socket.receive(context, |meta, bytes| {
            // Nobody can be answered at port 0; the error would be taken for one of segmentation offload.
            if !(1..=PACKET_BYTES_MAX).contains(&meta.stride) || meta.addr.port() == 0 {
                return;
            }
            for packet in bytes.chunks(meta.stride) {
                if seat.gather(passed, meta, packet) {
                    continue;
                }
                if let Some(transmit) = core.take(now, meta, packets.hold(packet)) {
                    answers.push((transmit, std::mem::take(&mut core.response)));
                }
            }
        });
        seat.hand_over(passed);
        for (transmit, bytes) in &answers {
            self.socket.send_or_drop(transmit, bytes);
        }
        runs
    }

    /// Looks at attempts to connect: few at a time, so that those who are connected already do not wait for them.
    fn greet(&mut self, now: Instant) {
        let mut begun = 0;
        for _ in 0..ATTEMPTS_PER_ROUND {
            if begun == HANDSHAKES_PER_ROUND {
                return;
            }
            let Some(incoming) = self.core.attempts.pop_front() else { return };
            let (has_begun, answer) = self.core.meet(now, incoming);
            begun += usize::from(has_begun);
            if let Some(transmit) = answer {
                self.socket.send_or_drop(&transmit, &self.core.response);
            }
        }
    }

    /// Lets timers ring; `true` when some are left.
    fn take_due(&mut self, now: Instant) -> bool {
        for _ in 0..CONNECTIONS_PER_ROUND {
            let Some(key) = self.timers.pop_due(now) else { return false };
            let Some(connection) = self.core.connection(ConnectionHandle(key)).map(Arc::clone) else { continue };
            let mut state = connection.lock();
            if state.protocol.poll_timeout().is_some_and(|due| due <= now) {
                state.protocol.handle_timeout(now);
            }
            drop(state);
            self.core.queue(connection);
        }
        self.timers.next().is_some_and(|next| next <= now)
    }

    /// Gives the first connections on the list their turn, each once; those that have more to do than fits in one go to
    /// its end.
    fn work(&mut self, now: Instant) {
        for _ in 0..self.core.work.len().min(CONNECTIONS_PER_ROUND) {
            let Some(connection) = self.core.work.pop_front() else { return };
            connection.queued.store(false, Ordering::Release);
            self.turn(connection, now);
        }
    }

    fn turn(&mut self, connection: Arc<Inner>, now: Instant) {
        let handle = connection.handle;
        // A connection may have been drained while it stood on the list, and its place be another's.
        if !self.core.connection(handle).is_some_and(|held| Arc::ptr_eq(held, &connection)) {
            return;
        }
        connection.put_off.store(false, Ordering::Relaxed);
        let mut state = connection.lock();
        state.note_closed(now);
        let mut more = !self.send(&mut state.protocol, now);
        let mut drained = false;
        while let Some(event) = state.protocol.poll_endpoint_events() {
            drained |= event.is_drained();
            if let Some(answer) = self.core.endpoint.handle_event(handle, event) {
                state.protocol.handle_event(answer);
                more = true;
            }
        }
        state.tell(&mut self.core.wakers);
        if !drained && state.is_to_be_forgotten(now) {
            drained = true;
            self.core.endpoint.handle_event(handle, EndpointEvent::drained());
        }
        let due = state.due();
        drop(state);
        if drained {
            self.timers.remove(handle.0);
            self.core.connections[handle.0] = None;
            self.core.live -= 1;
            return;
        }
        if let Some(due) = due {
            self.timers.at_latest(handle.0, due);
        }
        if more {
            self.core.queue(connection);
        }
    }

    /// Sends what the connection has, up to its share of a turn; `false` when something may be left.
    fn send(&mut self, protocol: &mut quinn_proto::Connection, now: Instant) -> bool {
        let mut packets = 0;
        while packets < PACKETS_PER_TURN && !self.socket.is_waiting() {
            self.packet.clear();
            let Some(transmit) = protocol.poll_transmit(now, self.socket.segments_max(), &mut self.packet) else {
                return true;
            };
            packets += transmit.segment_size.map_or(1, |bytes| transmit.size.div_ceil(bytes));
            if !self.socket.send(transmit, &self.packet) {
                return false;
            }
        }
        false
    }

    /// Sets the alarm for whatever is due next; `true` when it has rung.
    fn is_due(&mut self, context: &mut Context<'_>, now: Instant) -> bool {
        let next = [self.timers.next(), self.core.wait_no_longer(now)].into_iter().flatten().min();
        if self.sleeps_until != next {
            self.sleeps_until = next;
            let until = next.map_or_else(|| tokio::time::Instant::now() + FAR_AWAY, tokio::time::Instant::from_std);
            self.sleep.as_mut().reset(until);
        }
        self.sleep.as_mut().poll(context).is_ready() && next.is_some()
    }
}

impl<A: Acceptor> Future for Driver<A> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        for _ in 0..ROUNDS_PER_POLL {
            let busy = driver.round(context);
            if driver.core.close.is_some() && driver.core.live == 0 {
                return Poll::Ready(());
            }
            if !busy && driver.shared.rest(context) {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<A: Acceptor> Drop for Driver<A> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A bug, ours or the protocol crate's: nobody is served any more, and somebody should know.
            tracing::error!(connections = self.core.live, "the loop of the QUIC socket failed");
        }
        // Nobody drives them any more, and their tasks would wait for ever.
        for connection in self.core.connections.iter().flatten() {
            connection.lock().abandon(&mut self.core.wakers);
        }
        self.shared.abandon();
        self.core.wakers.drain(..).for_each(Waker::wake);
        self.shared.finished.store(true, Ordering::Release);
        self.shared.finish.notify_waiters();
    }
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
