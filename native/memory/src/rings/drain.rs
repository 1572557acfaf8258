//! The engine's end of the shared ring: what is committed is taken in order, what is garbage is skipped, what a dead
//! producer left is repaired.

use crate::rings::cells::{Judgement, RingRecord, span_of};
use crate::rings::claims::{Claims, STAGE_IDLE, pad};
use crate::rings::lane::{Drained, RingWords, Take};
use crate::rings::layout::{CELL_BYTES, PRODUCERS_MAX};
use crate::sync::{Ordering, fence};

/// The engine's end of the ring.
pub(crate) struct RingConsumer {
    words: RingWords,
    claims: Claims,
    head: u64,
}

/// What stands at the head.
enum Found {
    Nothing,
    Padding(u64),
    Record(RingRecord, u64),
    /// So many bytes that no producer writes.
    Garbage(u64),
    /// The tail is not one.
    Broken,
}

impl RingConsumer {
    pub(crate) fn new(words: RingWords, claims: Claims) -> RingConsumer {
        let head = words.head.load(Ordering::Relaxed);
        RingConsumer { words, claims, head }
    }

    /// Whether the record at the head is committed.
    pub(crate) fn has_some(&self) -> bool {
        self.words.cells.header(self.head).load(Ordering::Relaxed) != 0 && !self.is_closed()
    }

    /// Whether cells are claimed at the head and not committed: a producer is at work there, or died.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.is_closed() && !self.has_some() && self.words.tail.load(Ordering::Relaxed) != self.head
    }

    /// Where the ring stands.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    pub(crate) fn tail(&self) -> u64 {
        self.words.tail.load(Ordering::Acquire)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.words.closed.load(Ordering::Relaxed) != 0
    }

    /// Shows the records that are committed to `take`, in order, at most `limit`. What no producer writes is skipped up
    /// to the next place that a producer proves to be a boundary; a ring whose tail makes no sense is closed.
    pub(crate) fn drain(&mut self, limit: u32, mut take: impl FnMut(&RingRecord) -> Take) -> Drained {
        let mut drained = Drained::default();
        let before = self.head;
        // Bounded by what one lap holds, so that neither padding nor a tail that somebody moves on and on keeps the engine
        // here: a step may pass the lap's end, and then it was the last.
        let lap = self.words.cells.capacity();
        while drained.records < limit && self.head.wrapping_sub(before) < lap && !self.is_closed() {
            let skipped = match self.find() {
                Found::Nothing => break,
                Found::Padding(bytes) => bytes,
                Found::Record(record, bytes) => {
                    let taken = take(&record);
                    if taken == Take::Leave {
                        break;
                    }
                    drained.records += 1;
                    self.step(bytes);
                    if taken == Take::Last {
                        break;
                    }
                    continue;
                }
                Found::Garbage(bytes) => {
                    drained.garbage += 1;
                    bytes
                }
                Found::Broken => {
                    drained.garbage += 1;
                    self.words.closed.store(1, Ordering::Release);
                    break;
                }
            };
            self.step(skipped);
        }
        if self.head != before {
            // Release: the cells are read and their headers cleared before anyone claims them.
            self.words.head.store(self.head, Ordering::Release);
        }
        drained
    }

    fn step(&mut self, bytes: u64) {
        self.words.cells.clear(self.head, bytes);
        self.head = self.head.wrapping_add(bytes);
    }

    fn find(&self) -> Found {
        let cells = self.words.cells;
        // Acquire pairs with the release of the commit.
        let header = cells.header(self.head).load(Ordering::Acquire);
        if header == 0 {
            return Found::Nothing;
        }
        // The producer moved the tail before it committed, so this tail lies behind its claim.
        let tail = self.tail();
        if !self.words.is_sane(self.head, tail) || tail == self.head {
            return Found::Broken;
        }
        match cells.judge(header, self.head, tail) {
            Judgement::Padding(bytes) => Found::Padding(bytes),
            Judgement::Record(bytes) => match cells.read(self.head, bytes) {
                Some(record) => Found::Record(record, span_of(bytes)),
                None => Found::Garbage(span_of(bytes)),
            },
            Judgement::Garbage => Found::Garbage(self.boundary_after_garbage(tail)),
        }
    }

    /// Bytes from the head to the next boundary that is proven: by the claim that begins here, else by the nearest one
    /// that begins later, else by the tail.
    fn boundary_after_garbage(&self, tail: u64) -> u64 {
        let rest = tail.wrapping_sub(self.head);
        let mut nearest = rest;
        for claim in self.claims.made() {
            let (after, bytes) = (claim.bytes_after(self.head), claim.bytes());
            if after == 0 && bytes > 0 && bytes <= rest {
                return bytes;
            }
            if after > 0 && after < nearest {
                nearest = after;
            }
        }
        nearest
    }

    /// Turns the cells at the head into padding if a dead producer claimed them, and tells how many bytes that were.
    ///
    /// `dead` says of an entry whether its process is known to have ended. While a live producer says that it claims at
    /// the head, nothing is done: it may be slow, but the cells may be its own.
    pub(crate) fn repair(&mut self, mut dead: impl FnMut(usize) -> bool) -> Option<u64> {
        let tail = self.tail();
        let header = self.words.cells.header(self.head);
        if header.load(Ordering::Acquire) != 0 || tail == self.head || !self.words.is_sane(self.head, tail) {
            return None;
        }
        let mut lengths = [0_u64; PRODUCERS_MAX];
        let mut found = 0;
        for entry in 0..self.claims.len() {
            if !self.claims_at_head(entry) {
                continue;
            }
            if !dead(entry) {
                return None;
            }
            // Looked at again now that it is dead: what it said last is final.
            if self.claims_at_head(entry) {
                lengths[found] = self.claims.at(entry).bytes();
                found += 1;
            }
        }
        // Pairs with the release of a commit: had the owner committed and gone on since, its header would be seen now.
        fence(Ordering::Acquire);
        if header.load(Ordering::Acquire) != 0 {
            return None;
        }
        let bytes = self.owned_length(&mut lengths[..found], tail)?;
        pad(self.words.cells, self.head, bytes);
        Some(bytes)
    }

    fn claims_at_head(&self, entry: usize) -> bool {
        let claim = self.claims.at(entry);
        claim.stage() != STAGE_IDLE && claim.bytes_after(self.head) == 0
    }

    /// Of several dead producers that all say they claim at the head one moved the tail. Its length ends at a proven
    /// boundary: the tail, a committed header, or the begin of another claim. A longer one of the others may do so too;
    /// a shorter one cannot, since an owner that died before it said so wrote no cell, and its inner cells are zero.
    fn owned_length(&self, lengths: &mut [u64], tail: u64) -> Option<u64> {
        lengths.sort_unstable();
        let rest = tail.wrapping_sub(self.head);
        lengths.iter().copied().find(|bytes| {
            let end = self.head.wrapping_add(*bytes);
            let proven = *bytes == rest
                || self.words.cells.header(end).load(Ordering::Acquire) != 0
                || self.claims.made().any(|claim| claim.bytes_after(end) == 0);
            *bytes >= CELL_BYTES as u64 && *bytes <= rest && proven
        })
    }
}
