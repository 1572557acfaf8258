//! One connection, as its session sees it.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use quinn_proto::{ConnectionError, ConnectionHandle, Dir, Event, SendDatagramError, StreamEvent, StreamId, VarInt};

use super::driver::Shared;
use super::stream::{RecvStream, SendStream};

/// What a task can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Established,
    StreamOpened,
    /// The client grants one more unidirectional stream.
    StreamGranted,
    DatagramReceived,
    /// The datagrams that wait to leave are few.
    DatagramRoom,
    /// The end. Any number of tasks wait for it, each under a number of its own.
    Closed(u64),
    Readable(StreamId),
    Writable(StreamId),
    /// The client has everything of a finished stream, or wants no more.
    Stopped(StreamId),
}

/// The protocol's state and who waits for a change of it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) protocol: quinn_proto::Connection,
    /// Why the connection is over; set before anybody is woken for it.
    pub(super) error: Option<ConnectionError>,
    /// Streams are not to be read any more.
    pub(super) reading_halted: bool,
    established: bool,
    /// Bytes of the buffer for datagrams that somebody waits to be free; 0: nobody does.
    room_wanted_bytes: usize,
    /// The number of the next wait for the end.
    closed_next: u64,
    /// A handful, and two for each stream: short enough to be searched from one end to the other.
    waiting: Vec<(Wait, Waker)>,
}

impl State {
    /// Wakes the task when it happens. One task waits for each thing.
    pub(super) fn wait(&mut self, what: Wait, context: &Context<'_>) {
        let waker = context.waker();
        match self.waiting.iter_mut().find(|(wait, _)| *wait == what) {
            Some((_, known)) => known.clone_from(waker),
            None => {
                if self.waiting.len() == self.waiting.capacity() {
                    // Doubling would leave every idle connection with room for tasks that never come.
                    self.waiting.reserve_exact(self.waiting.len().max(4));
                }
                self.waiting.push((what, waker.clone()));
            }
        }
    }

    /// Nobody waits for this any more.
    pub(super) fn forget(&mut self, what: Wait) {
        if let Some(index) = self.waiting.iter().position(|(wait, _)| *wait == what) {
            self.waiting.swap_remove(index);
        }
    }

    fn fire(&mut self, what: Wait, wakers: &mut Vec<Waker>) {
        if let Some(index) = self.waiting.iter().position(|(wait, _)| *wait == what) {
            wakers.push(self.waiting.swap_remove(index).1);
        }
    }

    /// What the next wait for the end stands under.
    fn next_closed(&mut self) -> Wait {
        self.closed_next += 1;
        Wait::Closed(self.closed_next)
    }

    fn fire_all(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.waiting.drain(..).map(|(_, waker)| waker));
    }

    /// Passes on what the protocol has to tell.
    pub(super) fn tell(&mut self, wakers: &mut Vec<Waker>) {
        while let Some(event) = self.protocol.poll() {
            match event {
                Event::HandshakeDataReady | Event::DatagramsUnblocked => {}
                Event::Connected => {
                    self.established = true;
                    self.fire(Wait::Established, wakers);
                }
                Event::ConnectionLost { reason } => {
                    self.error.get_or_insert(reason);
                    self.fire_all(wakers);
                }
                Event::DatagramReceived => self.fire(Wait::DatagramReceived, wakers),
                Event::Stream(StreamEvent::Opened { dir: Dir::Bi }) => self.fire(Wait::StreamOpened, wakers),
                Event::Stream(StreamEvent::Available { dir: Dir::Uni }) => self.fire(Wait::StreamGranted, wakers),
                // The client is granted none of this kind, and the server opens none of the other.
                Event::Stream(StreamEvent::Opened { dir: Dir::Uni } | StreamEvent::Available { dir: Dir::Bi }) => {}
                Event::Stream(StreamEvent::Readable { id }) => self.fire(Wait::Readable(id), wakers),
                Event::Stream(StreamEvent::Writable { id }) => self.fire(Wait::Writable(id), wakers),
                Event::Stream(StreamEvent::Finished { id }) => self.fire(Wait::Stopped(id), wakers),
                Event::Stream(StreamEvent::Stopped { id, .. }) => {
                    self.fire(Wait::Stopped(id), wakers);
                    self.fire(Wait::Writable(id), wakers);
                }
            }
        }
        if self.room_wanted_bytes > 0 && self.protocol.datagrams().send_buffer_space() >= self.room_wanted_bytes {
            self.room_wanted_bytes = 0;
            self.fire(Wait::DatagramRoom, wakers);
        }
    }

    /// Ends the connection from here; a second call does nothing.
    pub(super) fn close(&mut self, code: VarInt, reason: Bytes, wakers: &mut Vec<Waker>) {
        if self.error.is_none() {
            self.protocol.close(Instant::now(), code, reason);
            self.error = Some(ConnectionError::LocallyClosed);
            self.fire_all(wakers);
        }
    }

    /// Ends the connection where nobody drives it any more: whoever waits for anything is told, the client is not.
    pub(super) fn abandon(&mut self, wakers: &mut Vec<Waker>) {
        self.error.get_or_insert(ConnectionError::LocallyClosed);
        self.fire_all(wakers);
    }
}

/// What the driver and all handles of a connection share.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) handle: ConnectionHandle,
    /// The driver is going to look at this connection: set by whoever asks first, cleared just before it looks.
    pub(super) queued: AtomicBool,
    shared: Arc<Shared>,
    handles: AtomicUsize,
    state: Mutex<State>,
}

impl Inner {
    pub(super) fn new(handle: ConnectionHandle, protocol: quinn_proto::Connection, shared: Arc<Shared>) -> Inner {
        let state = State {
            protocol,
            error: None,
            reading_halted: false,
            established: false,
            room_wanted_bytes: 0,
            closed_next: 0,
            waiting: Vec::new(),
        };
        Inner { handle, queued: AtomicBool::new(false), shared, handles: AtomicUsize::new(0), state: Mutex::new(state) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // The protocol crate keeps its state whole also where a panic passed through.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
                    state.wait(Wait::Established, context);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// The next stream that the client opens. One task at a time.
    pub(crate) async fn accept_bi(&self) -> Result<(SendStream, RecvStream), ConnectionError> {
        let id = poll_fn(|context| {
            let mut state = self.lock();
            match (state.protocol.streams().accept(Dir::Bi), &state.error) {
                (Some(id), _) => Poll::Ready(Ok(id)),
                (None, Some(error)) => Poll::Ready(Err(error.clone())),
                (None, None) => {
                    state.wait(Wait::StreamOpened, context);
                    Poll::Pending
                }
            }
        })
        .await?;
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
                    state.wait(Wait::StreamGranted, context);
                    Poll::Pending
                }
            }
        })
        .await?;
        Ok(SendStream::new(self.clone(), id))
    }

    /// The next datagram. One task at a time.
    pub(crate) async fn read_datagram(&self) -> Result<Bytes, ConnectionError> {
        poll_fn(|context| {
            let mut state = self.lock();
            match (state.protocol.datagrams().recv(), &state.error) {
                (Some(datagram), _) => Poll::Ready(Ok(datagram)),
                (None, Some(error)) => Poll::Ready(Err(error.clone())),
                (None, None) => {
                    state.wait(Wait::DatagramReceived, context);
                    Poll::Pending
                }
            }
        })
        .await
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
            state.wait(Wait::DatagramRoom, context);
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
            let wait = *closing.wait.get_or_insert_with(|| state.next_closed());
            state.wait(wait, context);
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
        let mut index = 0;
        while index < state.waiting.len() {
            if matches!(state.waiting[index].0, Wait::Readable(_)) {
                wakers.push(state.waiting.swap_remove(index).1);
            } else {
                index += 1;
            }
        }
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

/// A wait for the end, taken back when it is dropped.
struct Closing<'connection> {
    connection: &'connection Connection,
    wait: Option<Wait>,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if let Some(wait) = self.wait {
            self.connection.lock().forget(wait);
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
