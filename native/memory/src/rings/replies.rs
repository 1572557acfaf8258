//! Replies: what the data plane says to a call that came through a ring, one area a producer, one call at a time.
//!
//! Whoever works on the call writes, the engine thread or the pathfinder's; the producer reads. The counter is written
//! last, and the next call of that producer is taken only after it, so neither side ever sees half a reply.

use crate::rings::layout::{
    REPLY_BYTES, REPLY_COUNTER, REPLY_LIST, REPLY_LIST_BYTES_MAX, REPLY_STATUS, REPLY_WORDS, REPLY_WORDS_MAX,
};
use crate::sync::{AtomicU64, Ordering};

/// The reply areas; `Copy`.
#[derive(Clone, Copy)]
pub struct Replies {
    words: &'static [AtomicU64],
}

/// A reply as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Number of the status.
    pub status: u16,
    /// What was asked for; its meaning depends on the call.
    pub words: [u64; REPLY_WORDS_MAX],
    /// Nodes of a path, at most 8,192.
    pub list: Vec<u32>,
}

impl Replies {
    pub(crate) fn new(words: &'static [AtomicU64]) -> Replies {
        Replies { words }
    }

    fn area(&self, entry: usize) -> &'static [AtomicU64] {
        &self.words[entry * (REPLY_BYTES / 8)..][..REPLY_BYTES / 8]
    }

    /// Forgets what was said to an earlier producer of this entry.
    pub(crate) fn clear(&self, entry: usize) {
        self.area(entry)[REPLY_COUNTER / 8].store(0, Ordering::Release);
    }

    /// Answers the call with this counter. Words and numbers that do not fit are left out.
    pub fn write(&self, entry: usize, counter: u64, status: u16, words: &[u64], list: &[u32]) {
        let area = self.area(entry);
        let listed = list.len().min(REPLY_LIST_BYTES_MAX / 4);
        area[REPLY_STATUS / 8].store(u64::from(status) | (listed as u64) << 32, Ordering::Relaxed);
        for (place, word) in area[REPLY_WORDS / 8..].iter().take(REPLY_WORDS_MAX).zip(words) {
            place.store(*word, Ordering::Relaxed);
        }
        for (place, pair) in area[REPLY_LIST / 8..].iter().zip(list[..listed].chunks(2)) {
            let high = pair.get(1).copied().unwrap_or(0);
            place.store(u64::from(high) << 32 | u64::from(pair[0]), Ordering::Relaxed);
        }
        // Release: whoever sees the counter sees the whole reply.
        area[REPLY_COUNTER / 8].store(counter, Ordering::Release);
    }

    /// The reply to the call with this counter, once it is there.
    pub fn read(&self, entry: usize, counter: u64) -> Option<Reply> {
        let area = self.area(entry);
        if area[REPLY_COUNTER / 8].load(Ordering::Acquire) != counter {
            return None;
        }
        let about = area[REPLY_STATUS / 8].load(Ordering::Relaxed);
        let listed = ((about >> 32) as usize).min(REPLY_LIST_BYTES_MAX / 4);
        let words = std::array::from_fn(|index| area[REPLY_WORDS / 8 + index].load(Ordering::Relaxed));
        let pairs = area[REPLY_LIST / 8..].iter().map(|word| word.load(Ordering::Relaxed));
        let list = pairs.flat_map(|pair| [pair as u32, (pair >> 32) as u32]).take(listed).collect();
        Some(Reply { status: about as u16, words, list })
    }
}
