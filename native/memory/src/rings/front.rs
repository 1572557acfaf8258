//! The engine's end of a lane or of the ring: it polls the header at its head, takes what is committed, and zeroes the first
//! word of each cell that it passed.
//!
//! It looks at no word that producers keep writing but the record's own line. A line that one side stores into while the
//! other looks at it goes to and fro between the cores, which costs more than the record does.

use crate::rings::cells::{Cells, Judgement, RingRecord, span_of};
use crate::rings::lane::RingWords;
use crate::rings::layout::CELL_BYTES;
use crate::sync::Ordering;

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

/// What stands at the head.
enum Found {
    Nothing,
    Padding(u64),
    Record(RingRecord, u64),
    /// What no producer writes; of a record whose header alone makes sense, its bytes.
    Garbage(Option<u64>),
}

/// Where the engine is in a lane or in the ring. One thread.
pub(crate) struct Front {
    pub(crate) words: RingWords,
    head: u64,
    /// Bytes before the head that are taken and not given back: the last record. Its line is with its producer again, and
    /// what the engine stores next, an answer above all, would wait until it comes back to be cleared.
    kept: u64,
    closed: bool,
}

impl Front {
    pub(crate) fn new(words: RingWords) -> Front {
        let closed = words.closed.load(Ordering::Relaxed) != 0;
        Front { words, head: words.head.load(Ordering::Relaxed), kept: 0, closed }
    }

    /// The first position not taken.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// Whether it was given up.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Gives it up: nothing more is taken, and producers are told.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.words.closed.store(1, Ordering::Release);
    }

    /// Everything from here on is sound again.
    pub(crate) fn open(&mut self) {
        self.closed = false;
        self.words.closed.store(0, Ordering::Relaxed);
    }

    /// Whether something is committed at the head; always `false` once closed.
    #[inline]
    pub(crate) fn has_some(&self) -> bool {
        self.words.cells.header(self.head).load(Ordering::Relaxed) != 0 && !self.closed
    }

    /// Gives all that was taken back to producers. Whoever stops looking does so before.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if self.kept > 0 {
            self.words.cells.clear(self.head.wrapping_sub(self.kept), self.kept);
            self.kept = 0;
            self.give_back();
        }
    }

    fn give_back(&self) {
        // Release: the cells are read and their headers cleared before anyone claims them.
        self.words.head.store(self.head.wrapping_sub(self.kept), Ordering::Release);
    }

    /// Shows the records that are committed to `take`, in order, at most `limit`. What no producer writes at a head is
    /// passed by as many bytes as `skip` says, who is told the bytes of the record if there is one; where it knows none,
    /// all is given up. The last record is given back when nothing follows, see [`Front::settle`].
    #[inline]
    pub(crate) fn drain(
        &mut self,
        limit: u32,
        mut take: impl FnMut(&RingRecord) -> Take,
        skip: impl Fn(&RingWords, u64, Option<u64>) -> Option<u64>,
    ) -> Drained {
        let mut drained = Drained::default();
        let (cells, before) = (self.words.cells, self.head);
        // Bounded by what one lap holds, so that neither padding nor a tail that somebody moves on and on keeps the engine
        // here: a step may pass the lap's end, and then it was the last. No cell is looked at again whose header still stands.
        let lap = cells.capacity().saturating_sub(self.kept);
        // In registers while it takes.
        let (mut head, mut kept) = (before, self.kept);
        while drained.records < limit && head.wrapping_sub(before) < lap && !self.closed {
            // Acquire pairs with the release of the commit.
            let header = cells.header(head).load(Ordering::Acquire);
            let (record, bytes) = match cells.read_in_cell(header, head) {
                Some(record) => (record, CELL_BYTES as u64),
                None => match find(cells, header, head) {
                    Found::Nothing => break,
                    Found::Record(record, bytes) => (record, bytes),
                    Found::Padding(bytes) => {
                        (head, kept) = (head.wrapping_add(bytes), bytes);
                        continue;
                    }
                    Found::Garbage(bytes) => {
                        drained.garbage += 1;
                        let Some(bytes) = skip(&self.words, head, bytes) else {
                            self.close();
                            break;
                        };
                        (head, kept) = (head.wrapping_add(bytes), bytes);
                        continue;
                    }
                },
            };
            let taken = take(&record);
            if taken == Take::Leave {
                break;
            }
            drained.records += 1;
            (head, kept) = (head.wrapping_add(bytes), bytes);
            if taken == Take::Last {
                break;
            }
        }
        if head == before {
            self.settle();
        } else {
            self.pass(head, kept);
        }
        drained
    }

    /// Moves to `head` and gives back all but the `kept` bytes before it. Headers are cleared here, all at once: a store to
    /// each line right after it was read would hold up the reading of the next ones.
    fn pass(&mut self, head: u64, kept: u64) {
        let given_back = self.head.wrapping_sub(self.kept);
        self.words.cells.clear(given_back, head.wrapping_sub(kept).wrapping_sub(given_back));
        (self.head, self.kept) = (head, kept);
        self.give_back();
    }
}

/// What a header says that is not the one of a record in its cell.
fn find(cells: Cells, header: u64, head: u64) -> Found {
    if header == 0 {
        return Found::Nothing;
    }
    match cells.judge(header, head) {
        Judgement::Padding(bytes) => Found::Padding(bytes),
        Judgement::Record(bytes) => match cells.read(head, bytes) {
            Some(record) => Found::Record(record, span_of(bytes)),
            None => Found::Garbage(Some(span_of(bytes))),
        },
        Judgement::Garbage => Found::Garbage(None),
    }
}
