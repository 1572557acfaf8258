//! Fan-out: what the engine thread and the senders of sessions share, and the sender of one session.
//!
//! The engine thread marks subscriptions (see [`lodestone_memory::outbox`]); the session's sender looks at each marked
//! node when QUIC takes more, and sends what it is then. So a session that lags gets fewer and newer states, memory is
//! bounded by the number of subscriptions, and no answer waits behind an update: they go on a stream of their own.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use lodestone_memory::outbox::{Outbox as List, Subscriptions};
use lodestone_memory::{CounterId, Status};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::dock::{Dock, Noted};
use crate::frame::{UPDATE_FRAME_BYTES_MAX, Update, put_update};
use crate::quic::{SendStream, WriteError};
use crate::session::Session;

/// Bytes of updates that are handed to QUIC together: some 50 of them. What changes meanwhile is sent as it is after that.
const BUFFER_BYTES_MAX: usize = 8 * 1024;

/// Answers go first where both wait.
const UPDATES_PRIORITY: i32 = -1;

/// A node as it is at one instant.
#[derive(Clone, Copy, Debug)]
pub struct NodeState {
    /// A revision whose changes of the node are all in; the state may be that of a later one.
    pub revision: u64,
    /// Rollbacks before that revision.
    pub rollbacks: u64,
    /// The node's version, 0 before its first move.
    pub version: u64,
    /// Tells this state from every other one of the node.
    pub sequence: u32,
    /// The slot, all zero where there is none.
    pub slot: [u8; 256],
}

/// Shows nodes to senders. Called from the runtime's workers; must not wait.
pub trait StateSource: Send + Sync {
    /// The node as it is now; `None` when it changed on every look.
    fn look(&self, node: u32) -> Option<NodeState>;
}

/// What the engine thread and all senders share; cloning shares it.
#[derive(Clone)]
pub struct Fanout {
    shared: Arc<Shared>,
}

struct Shared {
    subscriptions: Subscriptions,
    source: Arc<dyn StateSource>,
    /// Odd while the state is being rolled back. Written by the engine thread.
    rollback: AtomicU64,
    /// Outboxes whose senders have ended, for the engine thread.
    left: Mutex<Vec<Arc<Outbox>>>,
    left_some: AtomicBool,
    left_max: usize,
}

/// Where the engine thread puts news for one session.
pub struct Outbox {
    session: u32,
    list: List,
    wake: Notify,
    /// The loop that the sender runs on.
    dock: OnceLock<(Arc<Dock>, Weak<Outbox>)>,
    /// Noted at the dock, and the loop has not come yet.
    noted: AtomicBool,
    /// The sender has ended.
    left: AtomicBool,
    seat: AtomicU32,
}

impl Fanout {
    /// Takes the memory for this many subscriptions; `None` where there is none. `sessions_max`: those that are open at
    /// once.
    pub fn new(subscriptions_max: u32, sessions_max: u32, source: Arc<dyn StateSource>) -> Option<Fanout> {
        let shared = Shared {
            subscriptions: Subscriptions::new(subscriptions_max)?,
            source,
            rollback: AtomicU64::new(0),
            left: Mutex::new(Vec::new()),
            left_some: AtomicBool::new(false),
            left_max: sessions_max as usize,
        };
        Some(Fanout { shared: Arc::new(shared) })
    }

    /// The table of subscriptions.
    pub fn subscriptions(&self) -> &Subscriptions {
        &self.shared.subscriptions
    }

    /// An outbox for the session of this number; a server makes one for each session that knows updates.
    pub fn outbox(&self, session: u32) -> Arc<Outbox> {
        Arc::new(Outbox {
            session,
            list: List::default(),
            wake: Notify::new(),
            dock: OnceLock::new(),
            noted: AtomicBool::new(false),
            left: AtomicBool::new(false),
            seat: AtomicU32::new(0),
        })
    }

    /// Fills the buffer with news of a session until it is full; returns the number of updates. `counter`: updates sent
    /// before.
    fn fill(&self, outbox: &Outbox, counter: u64, out: &mut Vec<u8>) -> u64 {
        let mut count = 0;
        while out.len() + UPDATE_FRAME_BYTES_MAX <= BUFFER_BYTES_MAX {
            let Some(news) = self.subscriptions().news(&outbox.list) else { break };
            let node = news.node();
            // Not shown: it is being rolled back, or changes all the time, and is marked again after that.
            let Some(state) = self.look(node).filter(|state| !news.has_seen(state.sequence)) else { continue };
            news.sent(state.sequence);
            put_update(out, &Update { session: outbox.session, counter: counter + count, node, state: &state });
            count += 1;
        }
        count
    }

    /// Engine thread: the state is about to be rolled back. Until [`Fanout::rollback_ended`] senders drop what they find.
    pub fn rollback_begins(&self) {
        // Whoever changes a node has a release fence before it: a sender that finds a byte of a restored slot finds this too.
        self.shared.rollback.fetch_add(1, Ordering::AcqRel);
    }

    /// Engine thread: the rollback is published, or nothing was rolled back. Subscriptions whose nodes are not as their
    /// sessions saw them last are to be marked now.
    pub fn rollback_ended(&self) {
        self.shared.rollback.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether senders have ended since [`Fanout::take_left`].
    pub fn has_left(&self) -> bool {
        self.shared.left_some.load(Ordering::Relaxed)
    }

    /// Tells the outboxes whose senders have ended; nobody but the caller touches their lists any more.
    pub fn take_left(&self, tell: impl FnMut(Arc<Outbox>)) {
        let mut left = self.shared.left.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.left_some.store(false, Ordering::Relaxed);
        let some = std::mem::take(&mut *left);
        drop(left);
        some.into_iter().for_each(tell);
    }

    /// The node, unless it is rolled back meanwhile; the engine thread marks it again then.
    fn look(&self, node: u32) -> Option<NodeState> {
        let before = self.shared.rollback.load(Ordering::Acquire);
        let state = self.shared.source.look(node)?;
        // Not moved ahead of the look: the source ends with an acquire fence.
        let after = self.shared.rollback.load(Ordering::Acquire);
        (before & 1 == 0 && before == after).then_some(state)
    }
}

impl fmt::Debug for Fanout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subscriptions_max = self.shared.subscriptions.len();
        formatter.debug_struct("Fanout").field("subscriptions_max", &subscriptions_max).finish_non_exhaustive()
    }
}

impl Outbox {
    /// The session.
    pub fn session(&self) -> u32 {
        self.session
    }

    /// The list to mark subscriptions in.
    pub fn list(&self) -> &List {
        &self.list
    }

    /// Says on which loop the sender runs. The first call counts.
    pub(crate) fn run_on(self: &Arc<Outbox>, dock: &Arc<Dock>) {
        let _ = self.dock.set((Arc::clone(dock), Arc::downgrade(self)));
    }

    /// Wakes the sender after marks.
    pub fn wake(&self) {
        let Some((dock, me)) = self.dock.get() else { return self.wake.notify_one() };
        if !self.noted.swap(true, Ordering::AcqRel)
            && let Some(me) = me.upgrade()
        {
            dock.note(Noted::News(me));
            dock.rouse();
        }
    }

    /// The loop has come: the sender does the rest.
    pub(crate) fn carry_on(&self) {
        self.noted.swap(false, Ordering::AcqRel);
        self.wake.notify_one();
    }

    /// Whether nobody sends from here any more.
    pub fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    /// A number that the engine thread keeps here, 0 at first.
    pub fn seat(&self) -> u32 {
        self.seat.load(Ordering::Relaxed)
    }

    /// Keeps a number. The engine thread alone.
    pub fn set_seat(&self, seat: u32) {
        self.seat.store(seat, Ordering::Relaxed);
    }
}

/// Tells the engine thread when a sender ends, however it does.
pub(crate) struct Leaving<'session>(&'session Fanout, &'session Arc<Outbox>);

impl<'session> Leaving<'session> {
    /// `None`: the session has no sender. Made before the sender runs, which a session that ends at once never lets it.
    pub(crate) fn of(session: &'session Session) -> Option<Leaving<'session>> {
        Some(Leaving(session.plane.fanout.as_ref()?, session.outbox.as_ref()?))
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let Leaving(Fanout { shared }, outbox) = *self;
        outbox.left.store(true, Ordering::Release);
        let mut left = shared.left.lock().unwrap_or_else(PoisonError::into_inner);
        // More than there are sessions come together only where no engine thread takes them any more.
        if left.len() < shared.left_max {
            left.push(Arc::clone(outbox));
        }
        shared.left_some.store(true, Ordering::Relaxed);
    }
}

/// Sends the session's news until its connection ends, or the client stops the stream.
pub(crate) async fn send_updates(session: &Session, leaving: Option<Leaving<'_>>) {
    let Some(Leaving(fanout, outbox)) = &leaving else { return };
    let (mut buffer, mut stream, mut sent) = (Vec::new(), None, 0);
    loop {
        outbox.wake.notified().await;
        loop {
            let count = fanout.fill(outbox, sent, &mut buffer);
            if count == 0 {
                break;
            }
            if session.is_muted() {
                return;
            }
            // Ahead of the bytes, so that whoever has received them finds them counted.
            session.plane.counters.add(CounterId::UpdatesSent, count);
            if !send(session, &mut stream, &buffer).await {
                return;
            }
            buffer.clear();
            sent += count;
        }
        // An idle session keeps no buffer.
        buffer = Vec::new();
    }
}

/// Hands the bytes to QUIC; `false` when there is nobody for them. A client that takes none of them for too long, not even
/// the stream, is closed.
async fn send(session: &Session, stream: &mut Option<SendStream>, mut bytes: &[u8]) -> bool {
    let limit = session.plane.slow_consumer;
    while !bytes.is_empty() {
        let written = timeout(limit, async {
            let stream = match stream {
                Some(stream) => stream,
                None => {
                    let opened = session.connection.open_uni().await.map_err(WriteError::Lost)?;
                    opened.set_priority(UPDATES_PRIORITY);
                    stream.insert(opened)
                }
            };
            stream.write(bytes).await
        });
        match written.await {
            Ok(Ok(written)) => bytes = &bytes[written..],
            Ok(Err(_)) => return false,
            Err(_) => {
                session.close(Status::SlowConsumer, "the updates are not taken");
                return false;
            }
        }
    }
    true
}
