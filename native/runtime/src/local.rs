//! Moves submitted by threads of this process: same pages, same channel, same engine as everyone's.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lodestone_memory::{Page, PagePool, RecordHead, RecordKind, Status};
use lodestone_transport::{AnswerSink, Batch, Decision, PathAnswer};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::error::EngineError;

/// Pages for local moves (16 KiB each), apart from those of the network, so that neither starves the other.
const LOCAL_PAGES: usize = 16;

/// How long a submission waits for a page or for its decisions before it says that the engine is stuck.
const SUBMIT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a submission sleeps while the channel is full: some hundred batches are taken meanwhile.
const CHANNEL_LOOK: Duration = Duration::from_micros(200);

/// What a local record asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalKind {
    /// A MOVE.
    Move,
    /// A RELEASE.
    Release,
}

/// One MOVE or RELEASE.
#[derive(Clone, Copy, Debug)]
pub struct LocalMove<'packet> {
    /// Which of the two.
    pub kind: LocalKind,
    /// MOVE: the packet of the wire contract. RELEASE: the node, 4 bytes little-endian.
    pub packet: &'packet [u8],
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalDecision {
    /// Accepted, or why not.
    pub status: Status,
    /// The revision that holds it, or at which it was refused.
    pub revision: u64,
}

/// Waits on a condition without ever holding its lock for work.
#[derive(Default)]
struct Signal {
    lock: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    decisions: Vec<LocalDecision>,
    gone: bool,
}

impl Signal {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `ready` gives something, or the deadline.
    fn wait<T>(&self, deadline: Instant, mut ready: impl FnMut(&mut Waiting) -> Option<T>) -> Option<T> {
        let mut waiting = self.lock();
        loop {
            if let Some(value) = ready(&mut waiting) {
                return Some(value);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            waiting = self.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

struct LocalSink {
    signal: Signal,
}

impl AnswerSink for LocalSink {
    fn decided(&self, decisions: &[Decision], revision: u64) {
        let decisions = decisions.iter().map(|decision| LocalDecision { status: decision.status, revision });
        self.signal.lock().decisions.extend(decisions);
        self.signal.changed.notify_all();
    }

    fn refused(&self, _counter: u64, _status: Status, _node: u32) {
        unreachable!("local submissions hold no READ and no ROUTE");
    }

    fn state(&self, _counter: u64, _revision: u64, _slot: &[u8; 256]) {
        unreachable!("local submissions hold no READ");
    }

    fn path(&self, _counter: u64, _path: &PathAnswer<'_>) -> bool {
        unreachable!("local submissions hold no ROUTE");
    }

    fn is_gone(&self) -> bool {
        unreachable!("local submissions hold no ROUTE");
    }
}

/// Says when the last holder is gone: then no decision will come any more.
struct Watched(Arc<LocalSink>);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.signal.lock().gone = true;
        self.0.signal.changed.notify_all();
    }
}

impl AnswerSink for Watched {
    fn decided(&self, decisions: &[Decision], revision: u64) {
        self.0.decided(decisions, revision);
    }

    fn refused(&self, counter: u64, status: Status, node: u32) {
        self.0.refused(counter, status, node);
    }

    fn state(&self, counter: u64, revision: u64, slot: &[u8; 256]) {
        self.0.state(counter, revision, slot);
    }

    fn path(&self, counter: u64, path: &PathAnswer<'_>) -> bool {
        self.0.path(counter, path)
    }

    fn is_gone(&self) -> bool {
        self.0.is_gone()
    }
}

/// The door for local moves.
pub(crate) struct LocalDoor {
    pages: PagePool,
    page_back: Arc<Signal>,
    ingress: mpsc::Sender<Batch>,
}

impl LocalDoor {
    /// `None` where memory is short.
    pub(crate) fn new(ingress: mpsc::Sender<Batch>, touch: bool) -> Option<LocalDoor> {
        let pages = PagePool::new(LOCAL_PAGES * lodestone_memory::page::PAGE_BYTES, touch)?;
        let page_back = Arc::new(Signal::default());
        let signal = Arc::clone(&page_back);
        pages.on_return(Arc::new(move || {
            // The lock orders this after a waiter's look at the pool, so that no wake-up is lost.
            drop(signal.lock());
            signal.changed.notify_all();
        }));
        Some(LocalDoor { pages, page_back, ingress })
    }

    /// Submits moves in their order and waits until all are decided.
    pub(crate) fn submit(&self, moves: &[LocalMove<'_>], tenant: u32) -> Result<Vec<LocalDecision>, EngineError> {
        let deadline = Instant::now() + SUBMIT_TIMEOUT;
        let signal = Signal { lock: Mutex::new(Waiting::default()), changed: Condvar::new() };
        let sink = Arc::new(LocalSink { signal });
        sink.signal.lock().decisions.reserve_exact(moves.len());
        let watched: Arc<dyn AnswerSink> = Arc::new(Watched(Arc::clone(&sink)));
        let mut rest = moves.iter().enumerate().peekable();
        while rest.peek().is_some() {
            let mut page = self.page(deadline)?;
            while let Some((index, mv)) = rest.peek()
                && push(&mut page, *index, mv, tenant)
            {
                rest.next();
            }
            let batch = Batch::of_one(page, Arc::clone(&watched));
            self.send(batch, deadline)?;
        }
        drop(watched);
        let decided = sink.signal.wait(deadline, |waiting| {
            let all = waiting.decisions.len() == moves.len();
            if all {
                Some(Ok(std::mem::take(&mut waiting.decisions)))
            } else {
                waiting.gone.then_some(Err(EngineError::Closed))
            }
        });
        decided.unwrap_or_else(|| Err(stuck("the moves were not decided")))
    }

    /// Sends the batch; looks again every [`CHANNEL_LOOK`] while the channel is full.
    fn send(&self, mut batch: Batch, deadline: Instant) -> Result<(), EngineError> {
        loop {
            match self.ingress.try_send(batch) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Closed(_)) => return Err(EngineError::Closed),
                Err(TrySendError::Full(_)) if Instant::now() > deadline => {
                    return Err(stuck("the channel stayed full"));
                }
                Err(TrySendError::Full(returned)) => batch = returned,
            }
            std::thread::sleep(CHANNEL_LOOK);
        }
    }

    fn page(&self, deadline: Instant) -> Result<Page, EngineError> {
        self.page_back.wait(deadline, |_| self.pages.try_take()).ok_or_else(|| stuck("no page came back"))
    }
}

fn stuck(what: &str) -> EngineError {
    EngineError::Timeout(format!("{what} within {} s: the engine is stuck or overloaded", SUBMIT_TIMEOUT.as_secs()))
}

/// Whether the record found room.
fn push(page: &mut Page, index: usize, mv: &LocalMove<'_>, tenant: u32) -> bool {
    let node = mv.packet.first_chunk::<4>().map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes));
    let (kind, node, packet) = match mv.kind {
        LocalKind::Move => (RecordKind::Move, 0, mv.packet),
        LocalKind::Release => (RecordKind::Release, node, [].as_slice()),
    };
    let head = RecordHead {
        kind,
        ack_each: false,
        status: Status::Ok,
        tenant,
        node_first: 0,
        node_last: u32::MAX,
        counter: index as u64,
        node,
        argument: 0,
    };
    page.push(head, packet).is_ok()
}
