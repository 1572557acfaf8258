//! The ring that several producers share: whoever moves the tail owns the cells that it passed.
//!
//! Before it moves the tail, a producer writes into its entry what it is about to claim. One that dies in between is
//! thereby proven, by its entry and its process, to be the owner of the cells that nobody will ever commit; the engine
//! turns them into padding. A producer that is slow, or stopped, and lives is waited for.

use crate::rings::cells::Command;
use crate::rings::claims::{Claim, ClaimWord, Full, STAGE_ATTEMPT, STAGE_IDLE, STAGE_OWNED, padding_before};
use crate::rings::lane::RingWords;
use crate::sync::{AtomicU64, Ordering, fence};

/// A producer's end of the ring. One thread.
pub(crate) struct RingProducer {
    words: RingWords,
    claim: &'static AtomicU64,
    head_seen: u64,
}

impl RingProducer {
    pub(crate) fn new(words: RingWords, claim: &'static AtomicU64) -> RingProducer {
        RingProducer { words, claim, head_seen: words.head.load(Ordering::Acquire) }
    }

    pub(crate) fn claim(&mut self, bytes: u64) -> Result<Claim, Full> {
        let (cells, tail_word) = (self.words.cells, self.words.tail);
        let mut tail = tail_word.load(Ordering::Relaxed);
        loop {
            let padding = padding_before(cells, tail, bytes);
            let needed = if padding > 0 { padding } else { bytes };
            if !self.has_room(tail, needed) {
                self.say(0, 0, STAGE_IDLE);
                return Err(Full);
            }
            self.say(tail, needed, STAGE_ATTEMPT);
            // Release: whoever sees the tail behind the cells sees the entry that says whose they are.
            match tail_word.compare_exchange(tail, tail.wrapping_add(needed), Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => {
                    self.say(tail, needed, STAGE_OWNED);
                    // Whoever finds a byte of the record finds that the attempt succeeded: see `RingConsumer::repair`.
                    fence(Ordering::Release);
                    if padding == 0 {
                        return Ok(Claim::new(tail, bytes));
                    }
                    Claim::new(tail, padding).abort(cells);
                    tail = tail_word.load(Ordering::Relaxed);
                }
                Err(moved) => tail = moved,
            }
        }
    }

    fn has_room(&mut self, tail: u64, needed: u64) -> bool {
        let capacity = self.words.cells.capacity();
        let fits = |head: u64| tail.wrapping_add(needed).wrapping_sub(head) <= capacity;
        if !fits(self.head_seen) {
            // Pairs with the engine's release of the head: what it read there is read, and its headers are cleared.
            self.head_seen = self.words.head.load(Ordering::Acquire);
        }
        fits(self.head_seen)
    }

    fn say(&self, position: u64, bytes: u64, stage: u64) {
        self.claim.store(ClaimWord::new(position, bytes, stage).0, Ordering::Release);
    }

    pub(crate) fn put(&self, claim: &mut Claim, command: &Command<'_>) {
        claim.put(self.words.cells, command);
    }

    pub(crate) fn commit(&mut self, claim: Claim) {
        claim.commit(self.words.cells);
        self.say(0, 0, STAGE_IDLE);
    }

    pub(crate) fn abort(&mut self, claim: Claim) {
        claim.abort(self.words.cells);
        self.say(0, 0, STAGE_IDLE);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.words.closed.load(Ordering::Relaxed) != 0
    }
}
