//! One connection, as its session sees it.

use std::any::Any;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn_proto::{ConnectionError, ConnectionHandle, Dir, Event, SendDatagramError, StreamEvent, StreamId, VarInt};
use tokio::task::coop;

use super::congestion::let_close_pass;
use super::hub::Shared;
use super::stream::{RecvStream, SendStream};
use super::waiting::{Wait, Waiting};

/// How long a closed connection is still known, so that packets on their way to it are understood. The protocol asks for
/// three probe time-outs, which are as long as a client makes its acknowledgements take; afterwards those packets get at
/// most a stateless reset.
pub(super) const CLOSED_KEPT_MAX: Duration = Duration::from_secs(3);

/// The protocol's state and who waits for a change of it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) protocol: quinn_proto::Connection,
    /// Why the connection is over; set before anybody is woken for it.
    pub(super) error: Option<ConnectionError>,
    /// Streams are not to be read any more.
    pub(super) reading_halted: bool,
    pub(super) waiting: Waiting,
    established: bool,
    /// When the connection, which is closed, is forgotten at the latest.
    forgotten_at: Option<Instant>,
    /// Bytes of the buffer for datagrams that somebody waits to be free; 0: nobody does.
    room_wanted_bytes: usize,
}

impl State {
    /// Notes that the connection is closed, by whoever closed it. Before each turn to send.
    pub(super) fn note_closed(&mut self, now: Instant) {
        if self.forgotten_at.is_none() && self.protocol.is_closed() {
            self.forgotten_at = Some(now + CLOSED_KEPT_MAX);
            let_close_pass(&self.protocol);
        }
    }

    /// When the driver is to look at the connection next.
    pub(super) fn due(&mut self) -> Option<Instant> {
        self.protocol.poll_timeout().into_iter().chain(self.forgotten_at).min()
    }

    /// Whether the connection was closed long enough ago.
    pub(super) fn is_to_be_forgotten(&self, now: Instant) -> bool {
        self.forgotten_at.is_some_and(|forgotten_at| forgotten_at <= now)
    }

    /// Passes on what the protocol has to tell. `true`: a stream can be read, so that somebody may want to answer.
    pub(super) fn tell(&mut self, wakers: &mut Vec<Waker>) -> bool {
        let mut readable = false;
        while let Some(event) = self.protocol.poll() {
            match event {
                Event::HandshakeDataReady | Event::DatagramsUnblocked => {}
                Event::Connected => {
                    self.established = true;
                    self.waiting.fire(Wait::Established, wakers);
                }
                Event::ConnectionLost { reason } => {
                    self.error.get_or_insert(reason);
                    self.waiting.fire_all(wakers);
                }
                Event::DatagramReceived => self.waiting.fire(Wait::DatagramReceived, wakers),
                Event::Stream(StreamEvent::Opened { dir: Dir::Bi }) => {
                    readable = true;
                    self.waiting.fire(Wait::StreamOpened, wakers);
                }
                Event::Stream(StreamEvent::Available { dir: Dir::Uni }) => {
                    self.waiting.fire(Wait::StreamGranted, wakers)
                }
                // The client is granted none of this kind, and the server opens none of the other.
                Event::Stream(StreamEvent::Opened { dir: Dir::Uni } | StreamEvent::Available { dir: Dir::Bi }) => {}
                Event::Stream(StreamEvent::Readable { id }) => {
                    readable = true;
                    self.waiting.fire(Wait::Readable(id), wakers);
                }
                Event::Stream(StreamEvent::Writable { id }) => self.waiting.fire(Wait::Writable(id), wakers),
                Event::Stream(StreamEvent::Finished { id }) => self.waiting.fire(Wait::Stopped(id), wakers),
                Event::Stream(StreamEvent::Stopped { id, .. }) => {
                    self.waiting.fire(Wait::Stopped(id), wakers);
                    self.waiting.fire(Wait::Writable(id), wakers);
                }
            }
        }
        if self.room_wanted_bytes > 0 && self.protocol.datagrams().send_buffer_space() >= self.room_wanted_bytes {
            self.room_wanted_bytes = 0;
            self.waiting.fire(Wait::DatagramRoom, wakers);
        }
        readable
    }

    /// Ends the connection from here; a second call does nothing.
    pub(super) fn close(&mut self, code: VarInt, reason: Bytes, wakers: &mut Vec<Waker>) {
        if self.error.is_none() {
            self.protocol.close(Instant::now(), code, reason);
            self.error = Some(ConnectionError::LocallyClosed);
            self.waiting.fire_all(wakers);
        }
    }

    /// Ends the connection where nobody drives it any more: whoever waits for anything is told, the client is not.
    pub(super) fn abandon(&mut self, wakers: &mut Vec<Waker>) {
        self.error.get_or_insert(ConnectionError::LocallyClosed);
        self.waiting.fire_all(wakers);
    }
}

/// What the driver and all handles of a connection share.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) handle: ConnectionHandle,
    /// The driver is going to look at this connection: set by whoever asks first, cleared just before it looks.
    pub(super) queued: AtomicBool,
    /// Its turn was put off: it received something that is about to be answered.
    pub(super) put_off: AtomicBool,
    shared: Arc<Shared>,
    handles: AtomicUsize,
    state: Mutex<State>,
    /// Held as long as there is this much of the connection: also by one that is closed and not yet forgotten.
    _place: Box<dyn Any + Send + Sync>,
}

impl Inner {
    pub(super) fn new(
        handle: ConnectionHandle,
        protocol: quinn_proto::Connection,
        shared: Arc<Shared>,
        place: Box<dyn Any + Send + Sync>,
    ) -> Inner {
        let state = State {
            protocol,
            error: None,
            reading_halted: false,
            waiting: Waiting::default(),
            established: false,
            forgotten_at: None,
            room_wanted_bytes: 0,
        };
        let (queued, put_off) = (AtomicBool::new(false), AtomicBool::new(false));
        let (handles, state) = (AtomicUsize::new(0), Mutex::new(state));
        Inner { handle, queued, put_off, shared, handles, state, _place: place }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // The protocol crate keeps its state whole also where a panic passed through.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Polls what may be ready any number of times in a row, because a client sees to it: once the task has had its share of the
/// worker, it comes back later.
pub(super) fn within_budget<T>(context: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    let budget = ready!(coop::poll_proceed(context));
    let polled = poll(context);
    if polled.is_ready() {
        budget.made_progress();
    }
    polled
}

/// A handle of a connection; when the last one goes, the connection is closed.
#[derive(Debug)]
pub(crate) struct Connection {
    inner: Arc<Inner>,
}

impl Connection {
    pub(super) fn new(inner: Arc<Inner>) -> Connection {
        inner.handles.fetch_add(1, Ordering::Relaxed);
        Connection { inner }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.lock()
    }

    /// What the loop writes with, on a stream of this connection. It keeps no connection open.
    pub(super) fn pen(&self, stream: StreamId) -> Pen {
        Pen { inner: Arc::clone(&self.inner), stream }
    }

    /// Lets the driver see to this connection soon. Call it with the lock let go.
    pub(super) fn touch(&self) {
        // Pairs with the driver's swap: either it sees what was changed under the lock before, or it is asked again.
        if !self.inner.queued.swap(true, Ordering::AcqRel) {
            self.inner.shared.ask(Arc::clone(&self.inner));
        }
    }

    /// Completes with the handshake.
    pub(crate) async fn established(&self) -> Result<(), ConnectionError> {
        poll_fn(|context| {
            let mut state = self.lock();
            match &state.error {
                Some(error) => Poll::Ready(Err(error.clone())),
                None if state.established => Poll::Ready(Ok(())),
                None => {
                    state.waiting.wait(Wait::Established, context);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// The next stream that the client opens. One task at a time.
    pub(crate) async fn accept_bi(&self) -> Result<(SendStream, RecvStream), ConnectionError> {
        let accept = |context: &mut Context<'_>| {
            let mut state = self.lock();
            match (state.protocol.streams().accept(Dir::Bi), &state.error) {
                (Some(id), _) => Poll::Ready(Ok(id)),
                (None, Some(error)) => Poll::Ready(Err(error.clone())),
                (None, None) => {
                    state.waiting.wait(Wait::StreamOpened, context);
                    Poll::Pending
                }
            }
        };
        let id = poll_fn(|context| within_budget(context, accept)).await?;
        Ok((SendStream::new(self.clone(), id), RecvStream::new(self.clone(), id)))
    }

    /// Opens a stream of the server's; waits while the client grants none. One task at a time.
    pub(crate) async fn open_uni(&self) -> Result<SendStream, ConnectionError> {
        let id = poll_fn(|context| {
            let mut state = self.lock();
            if let Some(error) = &state.error {
                return Poll::Ready(Err(error.clone()));
            }
            match state.protocol.streams().open(Dir::Uni) {
                Some(id) => Poll::Ready(Ok(id)),
                None => {
                    state.waiting.wait(Wait::StreamGranted, context);
                    Poll::Pending
                }
            }
        })
        .await?;
        Ok(SendStream::new(self.clone(), id))
    }

    /// The next datagram. One task at a time.
    pub(crate) async fn read_datagram(&self) -> Result<Bytes, ConnectionError> {
        let read = |context: &mut Context<'_>| {
            let mut state = self.lock();
            match (state.protocol.datagrams().recv(), &state.error) {
                (Some(datagram), _) => Poll::Ready(Ok(datagram)),
                (None, Some(error)) => Poll::Ready(Err(error.clone())),
                (None, None) => {
                    state.waiting.wait(Wait::DatagramReceived, context);
                    Poll::Pending
                }
            }
        };
        poll_fn(|context| within_budget(context, read)).await
    }

    /// A datagram that is here already.
    pub(crate) fn try_read_datagram(&self) -> Option<Bytes> {
        self.lock().protocol.datagrams().recv()
    }

    /// Queues a datagram; where the buffer is full the oldest goes.
    pub(crate) fn send_datagram(&self, datagram: Bytes) -> Result<(), SendDatagramError> {
        self.send_datagrams(std::iter::once(datagram))
    }

    /// Queues datagrams, so that they share packets; where the buffer is full the oldest goes. Ends at the first one that
    /// cannot be sent.
    pub(crate) fn send_datagrams(&self, datagrams: impl IntoIterator<Item = Bytes>) -> Result<(), SendDatagramError> {
        let sent = {
            let mut state = self.lock();
            if state.error.is_some() {
                return Err(SendDatagramError::Disabled);
            }
            let mut queue = state.protocol.datagrams();
            datagrams.into_iter().try_for_each(|datagram| queue.send(datagram, true))
        };
        self.touch();
        sent
    }

    /// Longest datagram that the client takes, in bytes; `None`: it takes none.
    pub(crate) fn datagram_bytes_max(&self) -> Option<usize> {
        self.lock().protocol.datagrams().max_size()
    }

    /// Waits until this much of the buffer for datagrams is free. One task at a time.
    pub(crate) async fn datagram_room(&self, bytes: usize) -> Result<(), ConnectionError> {
        poll_fn(|context| {
            let mut state = self.lock();
            if let Some(error) = &state.error {
                return Poll::Ready(Err(error.clone()));
            }
            if state.protocol.datagrams().send_buffer_space() >= bytes {
                return Poll::Ready(Ok(()));
            }
            state.room_wanted_bytes = bytes;
            state.waiting.wait(Wait::DatagramRoom, context);
            Poll::Pending
        })
        .await
    }

    /// Ends the connection; a second call does nothing. Never waits.
    pub(crate) fn close(&self, code: VarInt, reason: &[u8]) {
        let mut wakers = Vec::new();
        self.lock().close(code, Bytes::copy_from_slice(reason), &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        self.touch();
    }

    /// Whether the connection is over, by whoever ended it.
    pub(crate) fn is_over(&self) -> bool {
        self.lock().error.is_some()
    }

    /// Completes when the connection is over, by whoever ended it. Any number of tasks; dropped before that, it leaves
    /// nothing behind.
    pub(crate) async fn closed(&self) {
        let mut closing = Closing { connection: self, wait: None };
        poll_fn(|context| {
            let mut state = self.lock();
            if state.error.is_some() {
                return Poll::Ready(());
            }
            let wait = *closing.wait.get_or_insert_with(|| state.waiting.next_closed());
            state.waiting.wait(wait, context);
            Poll::Pending
        })
        .await;
    }

    /// Lets every read of a stream, under way or later, end with [`super::ReadError::Halted`]; what the client sends
    /// stays unread.
    pub(crate) fn halt_reading(&self) {
        let mut wakers = Vec::new();
        let mut state = self.lock();
        state.reading_halted = true;
        state.waiting.fire_readable(&mut wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The client's address now; it may change while the connection lives.
    pub(crate) fn remote_address(&self) -> SocketAddr {
        self.lock().protocol.remote_address()
    }

    /// Grants the client this many streams at once.
    pub(crate) fn set_max_concurrent_bi_streams(&self, count: VarInt) {
        self.lock().protocol.set_max_concurrent_streams(Dir::Bi, count);
        self.touch();
    }
}

/// A stream as the loop writes to it.
pub(crate) struct Pen {
    inner: Arc<Inner>,
    stream: StreamId,
}

impl Pen {
    /// Hands over as many bytes as the client, the path and the connection take now; the rest is for whoever can wait.
    /// Within the loop, which has the connection send what it was given.
    pub(crate) fn write(&self, bytes: &[u8], turns: &mut Turns) -> usize {
        let mut state = self.inner.lock();
        if state.error.is_some() {
            return 0;
        }
        let mut stream = state.protocol.send_stream(self.stream);
        let mut written = 0;
        while written < bytes.len()
            && let Ok(more) = stream.write(&bytes[written..])
        {
            written += more;
        }
        drop(state);
        if written > 0 {
            turns.0.push(Arc::clone(&self.inner));
        }
        written
    }
}

/// Connections that the loop itself has given something to send.
#[derive(Default)]
pub(crate) struct Turns(pub(super) Vec<Arc<Inner>>);

/// A wait for the end, taken back when it is dropped.
struct Closing<'connection> {
    connection: &'connection Connection,
    wait: Option<Wait>,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if let Some(wait) = self.wait {
            self.connection.lock().waiting.forget(wait);
        }
    }
}

impl Clone for Connection {
    fn clone(&self) -> Connection {
        Connection::new(Arc::clone(&self.inner))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.inner.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut state = self.lock();
            let open = state.error.is_none();
            if open {
                // Nobody waits: all tasks that could have held a handle.
                state.close(VarInt::from_u32(0), Bytes::new(), &mut Vec::new());
            }
            drop(state);
            if open {
                self.touch();
            }
        }
    }
}
