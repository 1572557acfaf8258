//! The engine thread's end of the bridge: commands from lanes and ring into pages, answers back into shared memory.
//!
//! Each record is copied once, from the ring into a page, checked there, and decided on the same path as the frames of
//! streams. Lanes take turns; a turn takes a bounded number of records from each, so no producer holds up the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrayvec::ArrayVec;
use lodestone_memory::log::LogLimit;
use lodestone_memory::rings::{
    Acknowledged, Bridge, BridgeEnd, Caller, Drained, Rejection, RingRecord, Take, barrier_everywhere,
};
use lodestone_memory::{CounterId, Counters, Page, PagePool, RecordHead, RecordKind, Status};
use lodestone_transport::{AnswerSink, Batch, Decision, PathAnswer};

use crate::calls::{Call, is_call};
use crate::clock::now_unix_ms;
use crate::interest::is_interest;

/// Types of records that are decided like the frames of the wire contract.
const MOVE: u8 = 0x10;
const RELEASE: u8 = 0x18;

/// Records taken from one lane, or from the ring, in a turn.
const TURN_RECORDS_MAX: u32 = 512;

/// Pages for commands (16 KiB each), apart from those of the network, so that neither starves the other.
const BRIDGE_PAGES: usize = 32;

/// Looks into lanes and ring of an idle engine before it sleeps: what a producer sends within some tens of microseconds
/// costs it no call.
pub(crate) const SPIN_LOOKS_MAX: u32 = 2_000;

/// How often producers are looked at: whether they left or died.
const SWEEP_MS: u64 = 100;

/// The same while the ring waits for a producer that may be dead.
const SWEEP_WAITING_MS: u64 = 10;

/// The producer's entry stands above its counter in what a page carries: a page of the ring holds records of many.
const ENTRY_SHIFT: u32 = 56;

/// A counter as it travels through the engine.
fn keyed(entry: usize, counter: u64) -> u64 {
    (entry as u64) << ENTRY_SHIFT | counter & ((1 << ENTRY_SHIFT) - 1)
}

pub(crate) fn entry_of(key: u64) -> usize {
    (key >> ENTRY_SHIFT) as usize
}

fn counter_of(key: u64) -> u64 {
    key & ((1 << ENTRY_SHIFT) - 1)
}

/// The engine thread's end.
pub(crate) struct Commands {
    end: BridgeEnd,
    pages: PagePool,
    sink: Arc<BridgeSink>,
    counters: Counters,
    /// The lane whose turn is first.
    first: usize,
    swept_unix_ms: u64,
    garbage: LogLimit,
    producers_live: bool,
    /// Whether the engine thread orders producers before it sleeps.
    orders: bool,
}

impl Commands {
    /// `None` where memory is short.
    pub(crate) fn new(end: BridgeEnd, counters: Counters, touch: bool, sleeps: bool) -> Option<Commands> {
        let orders = end.announce_order(sleeps);
        let pages = PagePool::new(BRIDGE_PAGES * lodestone_memory::page::PAGE_BYTES, touch)?;
        let sink = Arc::new(BridgeSink::new(end.bridge()));
        Some(Commands {
            end,
            pages,
            sink,
            counters,
            first: 0,
            swept_unix_ms: 0,
            garbage: LogLimit::default(),
            producers_live: false,
            orders,
        })
    }

    /// After the announcement of a sleep: orders what producers published before the last look; `false` when that failed
    /// and nobody may sleep.
    pub(crate) fn order(&self) -> bool {
        !self.orders || barrier_everywhere()
    }

    /// Turns that take everything that lanes and ring can hold.
    pub(crate) fn turns_of_a_lap(&self) -> u64 {
        self.end.cells_max() / u64::from(TURN_RECORDS_MAX) + 1
    }

    /// Where answers to commands go.
    pub(crate) fn sink(&self) -> &Arc<BridgeSink> {
        &self.sink
    }

    /// Whether a command waits.
    pub(crate) fn has_some(&self) -> bool {
        self.end.has_some()
    }

    /// Gives back the cells of what was taken, since nothing more is for now.
    pub(crate) fn settle(&mut self) {
        self.end.settle();
    }

    /// Between two looks of an idle engine that does not sleep.
    pub(crate) fn rest(&mut self) {
        self.end.rest();
    }

    /// Whether an idle engine should look for a while before it sleeps.
    pub(crate) fn is_worth_spinning(&self) -> bool {
        self.producers_live
    }

    /// Moves commands into pages, in the order of each producer, and gives the calls that come after them. A source is
    /// left at its first call, so that a call sees exactly what its producer sent before it.
    pub(crate) fn take(&mut self, inbox: &mut Vec<Batch>, calls: &mut Vec<Call>) {
        let lanes = self.end.lanes();
        for turn in 0..=lanes {
            let mut filling = Filling { page: None, pages: &self.pages, sink: &self.sink, inbox, calls, refused: 0 };
            let bridge = self.end.bridge();
            let take = |entry: usize, record: &RingRecord| filling.take(&bridge, entry, record);
            let drained = if turn == lanes {
                self.end.drain_ring(TURN_RECORDS_MAX, take)
            } else {
                self.end.drain_lane((self.first + turn) % lanes, TURN_RECORDS_MAX, take)
            };
            let refused = filling.finish();
            self.count(drained, refused);
        }
        self.first = (self.first + 1) % lanes.max(1);
    }

    fn count(&self, drained: Drained, refused: u32) {
        if drained != Drained::default() {
            self.counters.add(CounterId::Commands, u64::from(drained.records - refused));
            self.counters.add(CounterId::CommandsGarbage, u64::from(drained.garbage + refused));
        }
        let garbage = drained.garbage + refused;
        if garbage > 0
            && let Some(held_back) = self.garbage.pass(now_unix_ms())
        {
            tracing::warn!(garbage, held_back, "lanes or ring held what no producer writes; it was skipped");
        }
    }

    /// Looks at the producers now and then; whether it did.
    pub(crate) fn sweep(&mut self, now_unix_ms: u64) -> bool {
        let interval = if self.end.is_waiting() { SWEEP_WAITING_MS } else { SWEEP_MS };
        if now_unix_ms.abs_diff(self.swept_unix_ms) < interval {
            return false;
        }
        self.swept_unix_ms = now_unix_ms;
        let sweep = self.end.sweep(|entry| self.sink.is_busy(entry));
        self.producers_live = sweep.live > 0;
        self.counters.set(CounterId::ProducersLive, u64::from(sweep.live));
        self.counters.set(CounterId::CommandsFull, sweep.full);
        self.counters.add(CounterId::CommandsGarbage, u64::from(sweep.broken));
        self.counters.add(CounterId::ProducersDied, u64::from(sweep.died));
        self.counters.add(CounterId::ClaimsRepaired, u64::from(sweep.repaired));
        if sweep.died + sweep.repaired > 0 {
            let (died, repaired, live) = (sweep.died, sweep.repaired, sweep.live);
            tracing::warn!(
                died,
                repaired,
                live,
                "producers of commands ended without a word; what they held is free again"
            );
        }
        true
    }
}

/// A page being filled from one lane or from the ring.
struct Filling<'turn> {
    page: Option<Page>,
    pages: &'turn PagePool,
    sink: &'turn Arc<BridgeSink>,
    inbox: &'turn mut Vec<Batch>,
    calls: &'turn mut Vec<Call>,
    refused: u32,
}

impl Filling<'_> {
    fn take(&mut self, bridge: &Bridge, entry: usize, record: &RingRecord) -> Take {
        if is_call(record.kind) {
            return self.call(bridge, entry, record);
        }
        let head = head(bridge.producers().tenant(entry), entry, record);
        for _ in 0..2 {
            if self.page.is_none() {
                self.page = self.pages.try_take();
            }
            // No page left: the record stays where it is until the engine has decided what it has.
            let Some(page) = &mut self.page else { return Take::Leave };
            if push(page, head, record) {
                return Take::Next;
            }
            self.send();
        }
        unreachable!("an empty page has room for any record")
    }

    fn call(&mut self, bridge: &Bridge, entry: usize, record: &RingRecord) -> Take {
        if self.sink.begin(entry) {
            self.calls.push(Call::new(bridge.producers().caller(entry), record));
            return Take::Last;
        }
        // One call at a time: its reply has one place. Whoever breaks that waits for ever.
        self.refused += 1;
        Take::Next
    }

    fn send(&mut self) {
        if let Some(page) = self.page.take() {
            let sink: Arc<dyn AnswerSink> = Arc::clone(self.sink) as Arc<dyn AnswerSink>;
            self.inbox.push(Batch::of_one(page, sink));
        }
    }

    fn finish(mut self) -> u32 {
        self.send();
        self.refused
    }
}

fn push(page: &mut Page, head: RecordHead, record: &RingRecord) -> bool {
    match head.kind {
        RecordKind::Move | RecordKind::Interest => record.push_to(page, head).is_ok(),
        _ => page.push(head, &[]).is_ok(),
    }
}

/// The head of a record that is decided like a frame. One of an unknown type is refused in its turn.
fn head(tenant: u32, entry: usize, record: &RingRecord) -> RecordHead {
    let about = record.word(0);
    let (kind, status, node, argument) = match record.kind {
        MOVE => (RecordKind::Move, Status::Ok, 0, 0),
        kind if is_interest(kind) && record.body_bytes >= 8 => {
            (RecordKind::Interest, Status::Ok, u32::from(kind), about as u32)
        }
        RELEASE if record.body_bytes == 8 => (RecordKind::Release, Status::Ok, about as u32, (about >> 32) as u32),
        _ => (RecordKind::Release, Status::Malformed, about as u32, 0),
    };
    RecordHead {
        kind,
        ack_each: false,
        status,
        tenant,
        node_first: 0,
        node_last: u32::MAX,
        counter: keyed(entry, record.counter),
        node,
        argument,
    }
}

/// Where the answers of all producers go: their entries and reply areas.
pub(crate) struct BridgeSink {
    bridge: Bridge,
    /// A bit for each entry whose call is worked on.
    calls: AtomicU64,
    /// A bit for each entry whose reply is being written.
    writing: AtomicU64,
}

impl BridgeSink {
    fn new(bridge: Bridge) -> BridgeSink {
        BridgeSink { bridge, calls: AtomicU64::new(0), writing: AtomicU64::new(0) }
    }

    /// Takes a call of this entry on; `false` while another one is worked on.
    fn begin(&self, entry: usize) -> bool {
        self.calls.fetch_or(1 << entry, Ordering::AcqRel) >> entry & 1 == 0
    }

    fn is_busy(&self, entry: usize) -> bool {
        let writing = self.writing.load(Ordering::Acquire);
        (writing | self.calls.load(Ordering::Acquire)) >> entry & 1 == 1
    }

    /// Answers the call of this key and lets the next one in. From the engine thread or the pathfinder's.
    pub(crate) fn reply(&self, key: u64, status: u16, words: &[u64], list: &[u32]) {
        let entry = entry_of(key);
        // An entry whose producer left is freed in the meantime by nobody: the reply would be its successor's.
        self.writing.fetch_or(1 << entry, Ordering::AcqRel);
        // Before the reply: whoever reads it may ask again at once.
        self.calls.fetch_and(!(1 << entry), Ordering::AcqRel);
        self.bridge.replies().write(entry, counter_of(key), status, words, list);
        self.bridge.producers().bell(entry).ring();
        self.writing.fetch_and(!(1 << entry), Ordering::AcqRel);
    }

    /// Whether the producer that called is there no more: nobody waits for the reply.
    pub(crate) fn is_caller_gone(&self, caller: &Caller) -> bool {
        !self.bridge.producers().is_there(caller)
    }

    /// One producer's decisions, in the order of its counters.
    fn acknowledge(&self, entry: usize, decisions: &[Decision], revision: u64) {
        let answers = self.bridge.producers().answers(entry);
        // The line lies where other processes can write, so its numbers may be anything.
        let mut line = answers.mine();
        for decision in decisions {
            let counter = counter_of(decision.counter);
            if decision.status == Status::Ok {
                line.accepted = line.accepted.wrapping_add(1);
            } else {
                line.rejected = line.rejected.wrapping_add(1);
                answers.reject(&Rejection { counter, node: decision.node, status: decision.status.code() });
            }
            line.decided = counter;
        }
        answers.acknowledge(&Acknowledged { revision, ..line });
        self.bridge.producers().bell(entry).ring();
    }
}

impl AnswerSink for BridgeSink {
    fn decided(&self, decisions: &[Decision], revision: u64) {
        for run in decisions.chunk_by(|one, next| entry_of(one.counter) == entry_of(next.counter)) {
            self.acknowledge(entry_of(run[0].counter), run, revision);
        }
    }

    fn refused(&self, _counter: u64, _status: Status, _node: u32) {
        unreachable!("questions of producers are calls, which have their own reply");
    }

    fn state(&self, _counter: u64, _revision: u64, _slot: &[u8; 256]) {
        unreachable!("producers read slots themselves");
    }

    fn path(&self, _counter: u64, _path: &PathAnswer<'_>) -> bool {
        unreachable!("questions of producers are calls, which have their own reply");
    }

    fn is_gone(&self) -> bool {
        false
    }
}

/// Words of a reply, collected.
pub(crate) type ReplyWords = ArrayVec<u64, { lodestone_memory::rings::layout::REPLY_WORDS_MAX }>;

/// The key of a call.
pub(crate) fn key_of(call: &Call) -> u64 {
    keyed(call.caller.entry, call.counter)
}
