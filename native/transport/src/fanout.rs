//! Fan-out: what the engine thread and the senders of sessions share.
//!
//! The engine thread marks subscriptions (see [`lodestone_memory::outbox`]); the session's senders look at each marked
//! node when QUIC takes more, and send what it is then. So a session that lags gets fewer and newer states, memory is
//! bounded by the number of subscriptions, and no answer waits behind an update: they go on a stream of their own, or in
//! datagrams.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use lodestone_memory::outbox::{Outbox as List, Subscriptions};
use tokio::sync::Notify;

use crate::dock::{Dock, Noted};
use crate::session::Session;

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
    /// Some are not listed, for want of room. Written and read with `left` locked.
    left_unlisted: AtomicBool,
}

/// By which way the state of a node goes to a session. Of one subscription it never changes: an entry of the table is in
/// the hand of one sender at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// The stream of updates: nothing is lost, and each state behind those before it.
    #[default]
    Stream,
    /// A datagram each: a lost one holds nothing up, and the state of a node that rests comes by the stream once more.
    Datagram,
}

/// Where the engine thread puts news for one session.
pub struct Outbox {
    session: u32,
    /// Whether the client takes datagrams of updates.
    datagrams: bool,
    stream: Tray,
    latest: Tray,
    /// The loop that the senders run on.
    dock: OnceLock<(Arc<Dock>, Weak<Outbox>)>,
    /// Noted at the dock, and the loop has not come yet.
    noted: AtomicBool,
    /// The senders have ended.
    left: AtomicBool,
    seat: AtomicU32,
}

/// What one sender has to look at.
#[derive(Default)]
struct Tray {
    list: List,
    wake: Notify,
    /// Since the loop came last.
    is_marked: AtomicBool,
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
            left_unlisted: AtomicBool::new(false),
        };
        Some(Fanout { shared: Arc::new(shared) })
    }

    /// The table of subscriptions.
    pub fn subscriptions(&self) -> &Subscriptions {
        &self.shared.subscriptions
    }

    /// An outbox for the session of this number; a server makes one for each session that knows updates. `datagrams`:
    /// whether its client takes them as datagrams.
    pub fn outbox(&self, session: u32, datagrams: bool) -> Arc<Outbox> {
        let (stream, latest) = (Tray::default(), Tray::default());
        let (noted, left, seat) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU32::new(0));
        Arc::new(Outbox { session, datagrams, stream, latest, dock: OnceLock::new(), noted, left, seat })
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

    /// Says that the senders of an outbox have ended.
    pub fn leave(&self, outbox: &Arc<Outbox>) {
        let shared = &self.shared;
        outbox.left.store(true, Ordering::Release);
        let mut left = shared.left.lock().unwrap_or_else(PoisonError::into_inner);
        // More than there are sessions come together where the engine thread is long in coming, or never does.
        if left.len() < shared.left_max {
            left.push(Arc::clone(outbox));
        } else {
            shared.left_unlisted.store(true, Ordering::Relaxed);
        }
        shared.left_some.store(true, Ordering::Relaxed);
    }

    /// Tells the outboxes whose senders have ended; nobody but the caller touches their lists any more. Returns whether
    /// there are others, which the list had no room for: only [`Outbox::has_left`] tells of those.
    #[must_use]
    pub fn take_left(&self, tell: impl FnMut(Arc<Outbox>)) -> bool {
        let mut left = self.shared.left.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.left_some.store(false, Ordering::Relaxed);
        let some = std::mem::take(&mut *left);
        let unlisted = self.shared.left_unlisted.swap(false, Ordering::Relaxed);
        drop(left);
        some.into_iter().for_each(tell);
        unlisted
    }

    /// The node, unless it is rolled back meanwhile; the engine thread marks it again then.
    pub(crate) fn look(&self, node: u32) -> Option<NodeState> {
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

    /// The way that a subscription takes which was asked for by this one: the stream where the client takes no datagrams.
    pub fn way(&self, asked: Way) -> Way {
        if self.datagrams { asked } else { Way::Stream }
    }

    /// Says on which loop the senders run. The first call counts.
    pub(crate) fn run_on(self: &Arc<Outbox>, dock: &Arc<Dock>) {
        let _ = self.dock.set((Arc::clone(dock), Arc::downgrade(self)));
    }

    fn tray(&self, way: Way) -> &Tray {
        match way {
            Way::Stream => &self.stream,
            Way::Datagram => &self.latest,
        }
    }

    /// The list to mark subscriptions of this way in.
    pub fn list(&self, way: Way) -> &List {
        &self.tray(way).list
    }

    /// Wakes the sender of this way after marks.
    pub fn wake(&self, way: Way) {
        let tray = self.tray(way);
        let Some((dock, me)) = self.dock.get() else { return tray.wake.notify_one() };
        // Ahead of the note, so that the loop which finds the note finds this.
        tray.is_marked.store(true, Ordering::Release);
        if !self.noted.swap(true, Ordering::AcqRel)
            && let Some(me) = me.upgrade()
        {
            dock.note(Noted::News(me));
            dock.rouse();
        }
    }

    /// The loop has come: the senders do the rest.
    pub(crate) fn carry_on(&self) {
        self.noted.swap(false, Ordering::AcqRel);
        for tray in [&self.stream, &self.latest] {
            if tray.is_marked.swap(false, Ordering::AcqRel) {
                tray.wake.notify_one();
            }
        }
    }

    /// Waits for marks. The sender of this way alone.
    pub(crate) async fn marked(&self, way: Way) {
        self.tray(way).wake.notified().await;
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

/// Tells the engine thread when the senders of a session end, however they do.
pub(crate) struct Leaving<'session>(pub(crate) &'session Fanout, pub(crate) &'session Arc<Outbox>);

impl<'session> Leaving<'session> {
    /// `None`: the session has no sender. Made before the sender runs, which a session that ends at once never lets it.
    pub(crate) fn of(session: &'session Session) -> Option<Leaving<'session>> {
        Some(Leaving(session.plane.fanout.as_ref()?, session.outbox.as_ref()?))
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.leave(self.1);
    }
}
