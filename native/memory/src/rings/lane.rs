//! Lanes: rings with one producer each. Nothing but a committed header tells the engine of a claim, so a dead producer blocks
//! nobody, and needs no compare-and-set to claim.

use crate::rings::cells::{Cells, Command, RingRecord};
use crate::rings::claims::{Claim, Full, claim_bytes_max, padding_before};
use crate::rings::front::{Drained, Front, Take};
use crate::rings::layout::{CELL_BYTES, RING_CELLS, RING_CLOSED, RING_HEAD, RING_OWNER, RING_TAIL};
use crate::sync::{AtomicU64, Ordering};

/// The words of a lane or of the ring; `Copy`.
#[derive(Clone, Copy)]
pub(crate) struct RingWords {
    pub(crate) owner: &'static AtomicU64,
    pub(crate) tail: &'static AtomicU64,
    pub(crate) head: &'static AtomicU64,
    pub(crate) closed: &'static AtomicU64,
    pub(crate) cells: Cells,
}

impl RingWords {
    pub(crate) fn new(words: &'static [AtomicU64]) -> RingWords {
        RingWords {
            owner: &words[RING_OWNER / 8],
            tail: &words[RING_TAIL / 8],
            head: &words[RING_HEAD / 8],
            closed: &words[RING_CLOSED / 8],
            cells: Cells::new(&words[RING_CELLS / 8..]),
        }
    }

    /// Whether head and tail can be those of a ring: whole cells, and no more between them than there are.
    pub(crate) fn is_sane(&self, head: u64, tail: u64) -> bool {
        tail.is_multiple_of(CELL_BYTES as u64) && tail.wrapping_sub(head) <= self.cells.capacity()
    }
}

/// A producer's end of a lane. One thread.
pub(crate) struct LaneProducer {
    words: RingWords,
    tail: u64,
    head_seen: u64,
}

impl LaneProducer {
    /// The lane goes on where the engine says that it stands.
    pub(crate) fn new(words: RingWords) -> LaneProducer {
        let (tail, head) = (words.tail.load(Ordering::Acquire), words.head.load(Ordering::Acquire));
        LaneProducer { words, tail, head_seen: head }
    }

    pub(crate) fn claim(&mut self, bytes: u64) -> Result<Claim, Full> {
        let cells = self.words.cells;
        let padding = padding_before(cells, self.tail, bytes);
        if padding > 0 {
            self.make_room(padding)?;
            self.commit_padding(padding);
        }
        self.make_room(bytes)?;
        Ok(Claim::new(self.tail, bytes))
    }

    fn commit_padding(&mut self, bytes: u64) {
        let padding = Claim::new(self.tail, bytes);
        self.tail = padding.end;
        padding.abort(self.words.cells);
    }

    fn make_room(&mut self, bytes: u64) -> Result<(), Full> {
        let (end, capacity) = (self.tail.wrapping_add(bytes), self.words.cells.capacity());
        if end.wrapping_sub(self.head_seen) > capacity {
            // Pairs with the engine's release of the head: what it read there is read, and its headers are cleared.
            self.head_seen = self.words.head.load(Ordering::Acquire);
        }
        if end.wrapping_sub(self.head_seen) > capacity { Err(Full) } else { Ok(()) }
    }

    pub(crate) fn put(&self, claim: &mut Claim, command: &Command<'_>) {
        claim.put(self.words.cells, command);
    }

    pub(crate) fn commit(&mut self, claim: Claim) {
        self.tail = claim.end;
        claim.commit(self.words.cells);
    }

    /// Nothing was published: what comes next begins where this did.
    pub(crate) fn abort(&mut self, claim: Claim) {
        claim.undo(self.words.cells);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.words.closed.load(Ordering::Relaxed) != 0
    }
}

/// The engine's end of a lane.
pub(crate) struct LaneConsumer {
    front: Front,
}

impl LaneConsumer {
    pub(crate) fn new(words: RingWords) -> LaneConsumer {
        LaneConsumer { front: Front::new(words) }
    }

    /// Whether a record is committed; always `false` once closed.
    pub(crate) fn has_some(&self) -> bool {
        self.front.has_some()
    }

    /// Gives all that was taken back to the producer.
    pub(crate) fn settle(&mut self) {
        self.front.settle();
    }

    /// Shows the records that are there to `take`, in order, at most `limit`. A lane that holds what no producer
    /// writes is closed: its producer is told, and nothing more is taken from it.
    pub(crate) fn drain(&mut self, limit: u32, take: impl FnMut(&RingRecord) -> Take) -> Drained {
        self.front.drain(limit, take, |_, _, _| None)
    }

    /// Who owns the lane: {u32 entry + 1, u32 epoch}; 0: nobody.
    pub(crate) fn owner(&self) -> u64 {
        self.front.words.owner.load(Ordering::Acquire)
    }

    /// After the owner left and everything was taken: the lane is free, and sound again. What a claim that was never
    /// committed left behind must not be found later.
    pub(crate) fn free(&mut self) {
        self.front.settle();
        let (words, head) = (self.front.words, self.front.head());
        let capacity = words.cells.capacity();
        // A claim that was never committed began at the head. Where the lane was given up nothing is known.
        let unknown = if self.front.is_closed() { capacity } else { claim_bytes_max(capacity) };
        words.cells.clear(head, unknown);
        self.front.open();
        words.tail.store(head, Ordering::Relaxed);
        // Release: the next owner, who takes it with acquire, finds the lane empty and where it stands.
        words.owner.store(0, Ordering::Release);
    }
}
