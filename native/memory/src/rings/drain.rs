//! The engine's end of the shared ring: what is committed is taken in order, what is garbage is skipped, what a dead
//! producer left is repaired.

use crate::rings::cells::RingRecord;
use crate::rings::claims::{Claims, STAGE_IDLE, pad};
use crate::rings::front::{Drained, Front, Take};
use crate::rings::lane::RingWords;
use crate::rings::layout::{CELL_BYTES, PRODUCERS_MAX};
use crate::sync::{Ordering, fence};

/// The engine's end of the ring.
pub(crate) struct RingConsumer {
    front: Front,
    claims: Claims,
}

impl RingConsumer {
    pub(crate) fn new(words: RingWords, claims: Claims) -> RingConsumer {
        RingConsumer { front: Front::new(words), claims }
    }

    /// Whether the record at the head is committed.
    pub(crate) fn has_some(&self) -> bool {
        self.front.has_some()
    }

    /// Whether cells are claimed at the head and not committed: a producer is at work there, or died.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.is_closed() && !self.has_some() && self.front.words.tail.load(Ordering::Relaxed) != self.head()
    }

    /// Gives all that was taken back to producers.
    pub(crate) fn settle(&mut self) {
        self.front.settle();
    }

    /// Where the ring stands.
    pub(crate) fn head(&self) -> u64 {
        self.front.head()
    }

    pub(crate) fn tail(&self) -> u64 {
        self.front.words.tail.load(Ordering::Acquire)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.front.is_closed()
    }

    /// Shows the records that are committed to `take`, in order, at most `limit`. What no producer writes is skipped up
    /// to the next place that a producer proves to be a boundary; a ring whose tail makes no sense is closed.
    pub(crate) fn drain(&mut self, limit: u32, take: impl FnMut(&RingRecord) -> Take) -> Drained {
        let claims = self.claims;
        self.front.drain(limit, take, |words, head, bytes| boundary_after_garbage(words, head, claims, bytes))
    }

    /// Closes the ring when its tail makes no sense: somebody committed what he never claimed, or wrote the tail itself.
    /// Taking does not look at the tail, which producers write all the time. Whether it was closed.
    pub(crate) fn close_if_broken(&mut self) -> bool {
        let broken = !self.is_closed() && !self.front.words.is_sane(self.head(), self.tail());
        if broken {
            self.front.close();
        }
        broken
    }

    /// Turns the cells at the head into padding if a dead producer claimed them, and tells how many bytes that were.
    ///
    /// `dead` says of an entry whether its process is known to have ended. While a live producer says that it claims at
    /// the head, nothing is done: it may be slow, but the cells may be its own.
    pub(crate) fn repair(&mut self, mut dead: impl FnMut(usize) -> bool) -> Option<u64> {
        let tail = self.tail();
        let header = self.front.words.cells.header(self.head());
        if header.load(Ordering::Acquire) != 0 || tail == self.head() || !self.front.words.is_sane(self.head(), tail) {
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
        pad(self.front.words.cells, self.head(), bytes);
        Some(bytes)
    }

    fn claims_at_head(&self, entry: usize) -> bool {
        let claim = self.claims.at(entry);
        claim.stage() != STAGE_IDLE && claim.bytes_after(self.head()) == 0
    }

    /// Of several dead producers that all say they claim at the head one moved the tail. Its length ends at a proven
    /// boundary: the tail, a committed header, or the begin of another claim. A longer one of the others may do so too;
    /// a shorter one cannot, since an owner that died before it said so wrote no cell, and its inner cells are zero.
    fn owned_length(&self, lengths: &mut [u64], tail: u64) -> Option<u64> {
        lengths.sort_unstable();
        let rest = tail.wrapping_sub(self.head());
        lengths.iter().copied().find(|bytes| {
            let end = self.head().wrapping_add(*bytes);
            let proven = *bytes == rest
                || self.front.words.cells.header(end).load(Ordering::Acquire) != 0
                || self.claims.made().any(|claim| claim.bytes_after(end) == 0);
            *bytes >= CELL_BYTES as u64 && *bytes <= rest && proven
        })
    }
}

/// Bytes from the head to the next boundary that is proven: by the record itself, by the claim that begins here, else by the
/// nearest one that begins later, else by the tail. `None` when the tail makes no sense.
fn boundary_after_garbage(words: &RingWords, head: u64, claims: Claims, bytes: Option<u64>) -> Option<u64> {
    // The producer moved the tail before it committed, so this tail lies behind its claim.
    let tail = words.tail.load(Ordering::Acquire);
    if !words.is_sane(head, tail) || tail == head {
        return None;
    }
    let rest = tail.wrapping_sub(head);
    if let Some(bytes) = bytes.filter(|bytes| *bytes <= rest) {
        return Some(bytes);
    }
    let mut nearest = rest;
    for claim in claims.made() {
        let (after, claimed) = (claim.bytes_after(head), claim.bytes());
        if after == 0 && claimed > 0 && claimed <= rest {
            return Some(claimed);
        }
        if after > 0 && after < nearest {
            nearest = after;
        }
    }
    Some(nearest)
}
