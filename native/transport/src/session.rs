//! Sessions: one for each welcomed connection, and the table of all of them.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lodestone_memory::{CounterId, Status};
use quinn_proto::VarInt;
use tokio::sync::Notify;

use crate::admission::Running;
use crate::answers::StreamAnswers;
use crate::fanout::Outbox;
use crate::frame::{FrameKind, PROTOCOL_VERSION_FANOUT, PROTOCOL_VERSION_LATEST, UPDATE_FRAME_BYTES_MAX, put_close};
use crate::limits::SessionRates;
use crate::plane::Plane;
use crate::quic::Connection;
use crate::revocations::{RevocationsFile, RevokeError, Revoked};
use crate::token::{Rights, TOKEN_REVOKED};

/// How long the delivery of a CLOSE frame is waited for before the connection is closed.
pub(crate) const CLOSE_WAIT: Duration = Duration::from_millis(100);
/// How long a throttled stream may not notice that its connection is over.
const THROTTLED_LOOK: Duration = Duration::from_secs(1);

/// A session as an operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its number, never 0, unique among the live ones.
    pub session: u32,
    /// Tenant of its token, 0 without tokens.
    pub tenant: u32,
    /// The client's address when it connected.
    pub address: SocketAddr,
    /// When it was welcomed, Unix milliseconds.
    pub connected_unix_ms: u64,
    /// Frames and datagrams received so far.
    pub frames: u64,
    /// First node its token may move (inclusive).
    pub node_first: u32,
    /// Last node its token may move (inclusive).
    pub node_last: u32,
}

/// Why a session ends.
pub(crate) enum End {
    /// The server closes it: CLOSE on the stream at fault (else the first), then the connection.
    Server { status: Status, text: Cow<'static, str>, at: Option<Arc<StreamAnswers>> },
    /// The client sent CLOSE with this status.
    Client { status: u16 },
}

impl End {
    /// Nobody drains the channel any more.
    pub(crate) fn engine_gone() -> End {
        End::Server { status: Status::Internal, text: "the engine has stopped".into(), at: None }
    }
}

/// One welcomed connection. Held by its tasks; the table lets go of it when the connection ends.
pub(crate) struct Session {
    pub(crate) number: u32,
    /// Of the wire contract.
    pub(crate) version: u16,
    pub(crate) rights: Rights,
    pub(crate) plane: Arc<Plane>,
    pub(crate) connection: Connection,
    pub(crate) first: Arc<StreamAnswers>,
    pub(crate) frames: AtomicU64,
    /// `None`: the client does not know what an update is.
    pub(crate) outbox: Option<Arc<Outbox>>,
    address: SocketAddr,
    connected_unix_ms: u64,
    rates: SessionRates,
    /// Streams over the rate wait for their turn here: side by side all would wake for what one of them may send.
    throttle: tokio::sync::Mutex<()>,
    /// Streams whose writer has not ended.
    streams: AtomicU32,
    streams_ended: Notify,
    end: Mutex<Option<End>>,
    ending: AtomicBool,
    draining: AtomicBool,
    /// The client sent CLOSE. Shared with the streams, whose answers the loop writes.
    muted: Arc<AtomicBool>,
    end_wake: Notify,
    /// Until the last task of the session has ended.
    _running: Running,
}

impl Session {
    pub(crate) fn new(
        number: u32,
        version: u16,
        rights: Rights,
        plane: Arc<Plane>,
        connection: Connection,
        first: Arc<StreamAnswers>,
        running: Running,
    ) -> Session {
        let fanout = plane.fanout.as_ref().filter(|_| version >= PROTOCOL_VERSION_FANOUT);
        // What fits here always fits: no path of QUIC carries less than the first packets had.
        let datagrams = version >= PROTOCOL_VERSION_LATEST
            && connection.datagram_bytes_max().is_some_and(|bytes| bytes >= UPDATE_FRAME_BYTES_MAX);
        let outbox = fanout.map(|fanout| fanout.outbox(number, datagrams));
        outbox.iter().for_each(|outbox| outbox.run_on(&plane.dock));
        Session {
            number,
            version,
            rights,
            outbox,
            plane,
            address: connection.remote_address(),
            connection,
            first,
            frames: AtomicU64::new(0),
            connected_unix_ms: now_unix_ms(),
            rates: SessionRates::new(),
            throttle: tokio::sync::Mutex::new(()),
            streams: AtomicU32::new(0),
            streams_ended: Notify::new(),
            end: Mutex::new(None),
            ending: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            muted: Arc::new(AtomicBool::new(false)),
            end_wake: Notify::new(),
            _running: running,
        }
    }

    /// Takes from what the session may send, or says how long to wait. Moves that pass pay for their bytes too.
    pub(crate) fn take_allowance(&self, kind: FrameKind, bytes: u64) -> Result<(), Duration> {
        let limits = &self.plane.session_limits;
        if limits.moves.is_none() && limits.bytes.is_none() {
            return Ok(());
        }
        let is_move = matches!(kind, FrameKind::Move | FrameKind::Release);
        self.rates.take(limits, self.plane.now_ns(), is_move, bytes)
    }

    /// Waits until the session may begin one more stream, or is over. Streams behind it are not taken meanwhile and hold
    /// their credit, so QUIC holds the client, and nothing but its new streams waits.
    pub(crate) async fn stream_allowed(&self) {
        let (limits, now_ns) = (&self.plane.session_limits, || self.plane.now_ns());
        let Err(mut wait) = self.rates.take_stream(limits, now_ns()) else { return };
        self.plane.counters.add(CounterId::StreamsThrottled, 1);
        while tokio::time::timeout(wait, self.connection.closed()).await.is_err() {
            match self.rates.take_stream(limits, now_ns()) {
                Ok(()) => return,
                Err(longer) => wait = longer,
            }
        }
    }

    /// Waits until the session may send this too, and takes it; streams have their turns in the order of their coming.
    /// `false`, within a second of the connection's end: nothing was taken, and nothing more may come, or whoever closes would
    /// be rid of the limit. Nothing of the stream is read meanwhile, so QUIC holds the client.
    pub(crate) async fn allowed(&self, kind: FrameKind, bytes: u64) -> bool {
        self.plane.counters.add(CounterId::SessionsThrottled, 1);
        let _turn = self.throttle.lock().await;
        while let Err(wait) = self.take_allowance(kind, bytes) {
            if self.connection.is_over() {
                return false;
            }
            tokio::time::sleep(wait.min(THROTTLED_LOOK)).await;
        }
        true
    }

    /// A stream's writer begins.
    pub(crate) fn stream_begins(&self) {
        self.streams.fetch_add(1, Ordering::AcqRel);
    }

    /// A stream's writer has ended.
    pub(crate) fn stream_ended(&self) {
        self.streams.fetch_sub(1, Ordering::AcqRel);
        self.streams_ended.notify_one();
    }

    /// Reads no more, and waits until all streams have delivered what they owe and their FIN. The first may have ended
    /// long ago, so none of them is left out.
    async fn drain(&self) {
        self.connection.halt_reading();
        while self.streams.load(Ordering::Acquire) > 0 {
            self.streams_ended.notified().await;
        }
    }

    /// Ends the session; the first reason counts. Any thread, never waits.
    pub(crate) fn end(&self, end: End) {
        let mut first = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        if self.ending.load(Ordering::Acquire) {
            return;
        }
        match &end {
            End::Client { .. } => self.muted.store(true, Ordering::Release),
            End::Server { status, text, .. } => {
                self.draining.store(*status == Status::ShuttingDown, Ordering::Release);
                self.count(*status, text);
            }
        }
        *first = Some(end);
        self.ending.store(true, Ordering::Release);
        drop(first);
        self.end_wake.notify_one();
    }

    /// Ends the session for a reason that is no stream's fault.
    pub(crate) fn close(&self, status: Status, text: impl Into<Cow<'static, str>>) {
        self.end(End::Server { status, text: text.into(), at: None });
    }

    fn count(&self, status: Status, text: &str) {
        let (session, address, told) = (self.number, self.address, &self.plane.told);
        match status {
            Status::Malformed => {
                self.plane.counters.add(CounterId::ProtocolErrors, 1);
                if let Some(held_back) = told.faults.pass(now_unix_ms()) {
                    tracing::warn!(session, %address, held_back, "closed for a protocol error: {text}");
                }
            }
            Status::SlowConsumer => {
                self.plane.counters.add(CounterId::SlowConsumersClosed, 1);
                if let Some(held_back) = told.slow.pass(now_unix_ms()) {
                    tracing::warn!(session, %address, held_back, "closed as a slow consumer: {text}");
                }
            }
            _ => {}
        }
    }

    /// Whether nothing more is to be read because the server is closing the session. After the client's CLOSE other
    /// streams are still read until the connection closes: what the client sent before it is to be applied.
    pub(crate) fn is_closing(&self) -> bool {
        self.ending.load(Ordering::Acquire) && !self.is_muted()
    }

    /// Whether the session ends with the server: then everything that was read is still answered.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Whether the client sent CLOSE, after which nothing more is answered.
    pub(crate) fn is_muted(&self) -> bool {
        self.muted.load(Ordering::Acquire)
    }

    /// The same for whoever looks at it later.
    pub(crate) fn silence(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.muted)
    }

    /// Completes with the reason once the session is to end. One task at a time.
    pub(crate) async fn ended(&self) -> End {
        loop {
            self.end_wake.notified().await;
            if let Some(end) = self.end.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return end;
            }
        }
    }

    /// Closes the connection in the order the wire contract asks for; returns the status it was closed with.
    pub(crate) async fn close_connection(&self, end: End) -> u16 {
        match end {
            End::Client { status } => {
                // The client's other streams may still be on their way to the engine.
                let _ = tokio::time::timeout(CLOSE_WAIT, self.connection.closed()).await;
                self.connection.close(VarInt::from_u32(0), b"");
                status
            }
            End::Server { status, text, at } => {
                let mut frame = Vec::new();
                put_close(&mut frame, self.number, status, &text);
                let answers = at.unwrap_or_else(|| Arc::clone(&self.first));
                if status == Status::ShuttingDown {
                    self.farewell(&answers, frame).await;
                } else if answers.close(frame, false) {
                    let _ = tokio::time::timeout(CLOSE_WAIT, answers.ended()).await;
                }
                self.connection.close(close_code(status), text.as_bytes());
                status.code()
            }
        }
    }

    /// Answers everything accepted, on every stream, and says CLOSE behind it; gives up after the time for that.
    async fn farewell(&self, answers: &StreamAnswers, frame: Vec<u8>) {
        let delivered = tokio::time::timeout(self.plane.drain, async {
            // Before reading ends, or the stream would end without it.
            answers.close(frame, true);
            self.drain().await;
        });
        if delivered.await.is_ok() {
            self.plane.counters.add(CounterId::SessionsDrained, 1);
        }
    }

    fn info(&self) -> SessionInfo {
        SessionInfo {
            session: self.number,
            tenant: self.rights.tenant,
            address: self.address,
            connected_unix_ms: self.connected_unix_ms,
            frames: self.frames.load(Ordering::Relaxed),
            node_first: self.rights.node_first,
            node_last: self.rights.node_last,
        }
    }
}

/// The application code that a connection is closed with.
pub(crate) fn close_code(status: Status) -> VarInt {
    VarInt::from_u32(u32::from(status.code()))
}

/// Milliseconds since 1970; 0 where the clock stands before.
pub(crate) fn now_unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Why no session could be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// The token was revoked.
    Revoked,
    /// The server is ending.
    ShuttingDown,
}

struct Table {
    /// A session lies at its number modulo the length, which is a power of two and at least twice as many as there may
    /// be: found, added and removed in one step, in memory taken at start.
    live: Vec<Option<Arc<Session>>>,
    revoked: Revoked,
    last_number: u32,
    closed: bool,
}

impl Table {
    fn place(&self, number: u32) -> usize {
        number as usize & (self.live.len() - 1)
    }

    fn find(&self, number: u32) -> Option<&Arc<Session>> {
        self.live[self.place(number)].as_ref().filter(|session| session.number == number)
    }

    fn sessions(&self) -> impl Iterator<Item = &Arc<Session>> {
        self.live.iter().flatten()
    }

    /// The next number whose place is free; at least every second one is.
    fn free_number(&self) -> u32 {
        let mut number = self.last_number.wrapping_add(1);
        while number == 0 || self.live[self.place(number)].is_some() {
            number = number.wrapping_add(1);
        }
        number
    }
}

/// All live sessions, and the tokens that open no more. The lock is held for moments only: to find, add, remove or
/// list. A rollback holds it too, so that a session sees either the earlier revision and then the notice, or the later.
pub(crate) struct Sessions {
    table: Mutex<Table>,
    /// `None`: revocations end with the server.
    revocations: Option<RevocationsFile>,
}

impl Sessions {
    /// Room for this many, with the tokens that were revoked before.
    pub(crate) fn new(sessions_max: u32, revocations: Option<(RevocationsFile, Revoked)>) -> Sessions {
        let (revocations, revoked) = revocations.unzip();
        let revoked = revoked.unwrap_or_default();
        let mut live = Vec::new();
        live.resize_with((sessions_max as usize * 2).next_power_of_two(), || None);
        Sessions { table: Mutex::new(Table { live, revoked, last_number: 0, closed: false }), revocations }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives out a number and adds the session that `make` makes for it, in one step with the check for revocation and
    /// with whatever `make` reads, such as the revision for WELCOME.
    pub(crate) fn open(&self, rights: Rights, make: impl FnOnce(u32) -> Session) -> Result<Arc<Session>, NotOpened> {
        let mut table = self.table();
        if table.closed {
            return Err(NotOpened::ShuttingDown);
        }
        if let Some(nonce) = rights.nonce.filter(|nonce| table.revoked.contains(*nonce)) {
            table.revoked.learn(nonce, rights.expires_unix_ms);
            return Err(NotOpened::Revoked);
        }
        let number = table.free_number();
        table.last_number = number;
        let session = Arc::new(make(number));
        let place = table.place(number);
        table.live[place] = Some(Arc::clone(&session));
        Ok(session)
    }

    pub(crate) fn remove(&self, number: u32) {
        let mut table = self.table();
        if table.find(number).is_some() {
            let place = table.place(number);
            table.live[place] = None;
        }
    }

    /// Where to put news for a session; `None` inside: its client knows no updates.
    pub(crate) fn outbox(&self, number: u32) -> Option<Option<Arc<Outbox>>> {
        self.table().find(number).map(|session| session.outbox.clone())
    }

    pub(crate) fn list(&self) -> Vec<SessionInfo> {
        let mut list: Vec<SessionInfo> = self.table().sessions().map(|session| session.info()).collect();
        list.sort_unstable_by_key(|info| info.session);
        list
    }

    pub(crate) fn close(&self, number: u32, status: Status, text: &str) -> bool {
        match self.table().find(number) {
            Some(session) => {
                session.close(status, text.to_owned());
                true
            }
            None => false,
        }
    }

    /// Revokes a token and closes its sessions. Waits for the file, so no worker should call it.
    pub(crate) fn revoke(&self, nonce: u64) -> Result<(), RevokeError> {
        let now_unix_ms = now_unix_ms();
        let Some(file) = &self.revocations else { return self.refuse(nonce, now_unix_ms) };
        let _turn = file.turn();
        self.refuse(nonce, now_unix_ms)?;
        // A copy, so that nobody who opens a session waits for the disk.
        let revoked = self.table().revoked.clone();
        file.write(&revoked, now_unix_ms)
    }

    fn refuse(&self, nonce: u64, now_unix_ms: u64) -> Result<(), RevokeError> {
        let mut table = self.table();
        let table = &mut *table;
        let opened: Vec<&Arc<Session>> =
            table.live.iter().flatten().filter(|session| session.rights.nonce == Some(nonce)).collect();
        let expires = opened.iter().map(|session| session.rights.expires_unix_ms).max();
        if !table.revoked.add(nonce, expires, now_unix_ms) {
            return Err(RevokeError::Full);
        }
        for session in opened {
            session.close(Status::Unauthorized, TOKEN_REVOKED.0);
        }
        Ok(())
    }

    /// Revokes the token of a session; `None`: there is no such session.
    pub(crate) fn revoke_session(&self, number: u32) -> Option<Result<(), RevokeError>> {
        let nonce = self.table().find(number)?.rights.nonce;
        match nonce {
            Some(nonce) => Some(self.revoke(nonce)),
            None => self.close(number, Status::Unauthorized, TOKEN_REVOKED.0).then_some(Ok(())),
        }
    }

    pub(crate) fn rolled_back(&self, revision: u64) {
        for session in self.table().sessions() {
            if !session.first.rolled_back(revision) {
                session.close(Status::SlowConsumer, "the answers of the first stream are not taken");
            }
        }
    }

    /// Opens no more sessions and closes all there are.
    pub(crate) fn shut_down(&self) {
        let mut table = self.table();
        table.closed = true;
        for session in table.sessions() {
            session.close(Status::ShuttingDown, SHUTTING_DOWN_TEXT);
        }
    }
}

/// What clients are told when the server ends.
pub(crate) const SHUTTING_DOWN_TEXT: &str = "the server is shutting down";
