//! Lanes: rings with one producer each. The tail moves once a record is complete, so a dead producer blocks nobody.

use crate::rings::cells::{Cells, Command, Judgement, RingRecord};
use crate::rings::claims::{Claim, Full};
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

/// What the engine does after it was shown a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// It copied the record; the next one, please.
    Next,
    /// It copied the record and takes no more now.
    Last,
    /// It has no room for the record, which stays.
    Leave,
}

/// What a look into a lane or the ring brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Records taken.
    pub records: u32,
    /// Records and stretches that no producer writes, skipped; each is a fault of a producer.
    pub garbage: u32,
}

/// A producer's end of a lane. One thread.
pub(crate) struct LaneProducer {
    words: RingWords,
    tail: u64,
    head_seen: u64,
}

impl LaneProducer {
    /// The lane goes on where it stands.
    pub(crate) fn new(words: RingWords) -> LaneProducer {
        let (tail, head) = (words.tail.load(Ordering::Acquire), words.head.load(Ordering::Acquire));
        LaneProducer { words, tail, head_seen: head }
    }

    pub(crate) fn claim(&mut self, bytes: u64) -> Result<Claim, Full> {
        let cells = self.words.cells;
        let needed = Claim::bytes_at(cells, self.tail, bytes);
        if self.tail.wrapping_add(needed).wrapping_sub(self.head_seen) > cells.capacity() {
            // Pairs with the engine's release of the head: what it read there is read.
            self.head_seen = self.words.head.load(Ordering::Acquire);
            if self.tail.wrapping_add(needed).wrapping_sub(self.head_seen) > cells.capacity() {
                return Err(Full);
            }
        }
        Ok(Claim::new(cells, self.tail, bytes))
    }

    pub(crate) fn put(&self, claim: &mut Claim, command: &Command<'_>) {
        claim.put(self.words.cells, command);
    }

    pub(crate) fn commit(&mut self, mut claim: Claim) {
        let header = claim.finish(self.words.cells);
        self.words.cells.header(claim.position).store(header, Ordering::Relaxed);
        self.tail = claim.end;
        // Release: whoever sees the tail sees every byte before it.
        self.words.tail.store(self.tail, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.words.closed.load(Ordering::Relaxed) != 0
    }
}

/// The engine's end of a lane.
pub(crate) struct LaneConsumer {
    words: RingWords,
    head: u64,
}

impl LaneConsumer {
    pub(crate) fn new(words: RingWords) -> LaneConsumer {
        let head = words.head.load(Ordering::Relaxed);
        LaneConsumer { words, head }
    }

    /// Whether a producer has published something; always `false` once closed.
    pub(crate) fn has_some(&self) -> bool {
        self.words.tail.load(Ordering::Relaxed) != self.head && !self.is_closed()
    }

    /// Shows the records that are there to `take`, in order, at most `limit`. A lane that holds what no producer
    /// writes is closed: its producer is told, and nothing more is taken from it.
    pub(crate) fn drain(&mut self, limit: u32, mut take: impl FnMut(&RingRecord) -> Take) -> Drained {
        let mut drained = Drained::default();
        // Acquire pairs with the producer's release of the tail.
        let tail = self.words.tail.load(Ordering::Acquire);
        if tail == self.head || self.is_closed() {
            return drained;
        }
        let mut sound = self.words.is_sane(self.head, tail);
        let before = self.head;
        while sound && self.head != tail && drained.records < limit {
            match self.next(tail) {
                Judged::Nothing(bytes) => self.head = self.head.wrapping_add(bytes),
                Judged::Record(record, bytes) => {
                    let taken = take(&record);
                    if taken == Take::Leave {
                        break;
                    }
                    self.head = self.head.wrapping_add(bytes);
                    drained.records += 1;
                    if taken == Take::Last {
                        break;
                    }
                }
                Judged::Garbage => sound = false,
            }
        }
        if !sound {
            drained.garbage = 1;
            self.words.closed.store(1, Ordering::Release);
        }
        if self.head != before {
            // Release: the producer may write over what was read.
            self.words.head.store(self.head, Ordering::Release);
        }
        drained
    }

    fn next(&self, tail: u64) -> Judged {
        let cells = self.words.cells;
        let header = cells.header(self.head).load(Ordering::Relaxed);
        match cells.judge(header, self.head, tail) {
            Judgement::Padding(bytes) => Judged::Nothing(bytes),
            Judgement::Record(bytes) => match cells.read(self.head, bytes) {
                Some(record) => Judged::Record(record, super::cells::span_of(bytes)),
                None => Judged::Garbage,
            },
            Judgement::Garbage => Judged::Garbage,
        }
    }

    fn is_closed(&self) -> bool {
        self.words.closed.load(Ordering::Relaxed) != 0
    }

    /// Who owns the lane: {u32 entry + 1, u32 epoch}; 0: nobody.
    pub(crate) fn owner(&self) -> u64 {
        self.words.owner.load(Ordering::Acquire)
    }

    /// After the owner left and everything was taken: the lane is free, and sound again.
    pub(crate) fn free(&mut self) {
        self.words.tail.store(self.head, Ordering::Relaxed);
        self.words.closed.store(0, Ordering::Relaxed);
        // Release: the next owner, who takes it with acquire, finds tail and head equal.
        self.words.owner.store(0, Ordering::Release);
    }
}

enum Judged {
    Nothing(u64),
    Record(RingRecord, u64),
    Garbage,
}
