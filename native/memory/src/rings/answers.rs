//! What a producer is told of its commands: one line that says how far the engine is, and the last refusals.
//!
//! The engine thread is the one writer. The line is read whole or not at all, by its sequence. Refusals overwrite the
//! oldest ones; a reader that is late knows how many it missed.

use crate::rings::layout::{
    PRODUCER_ANSWERS, PRODUCER_REJECTED, PRODUCER_REJECTING, PRODUCER_REJECTIONS, REJECTION_BYTES, REJECTIONS_MAX,
};
use crate::sync::{AtomicU64, Ordering, fence, look_again};

const REJECTION_WORDS: usize = REJECTION_BYTES / 8;

/// How far a producer's commands are decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// Every command up to this counter is decided; 0 before the first.
    pub decided: u64,
    /// The revision by which those accepted are committed.
    pub revision: u64,
    /// How many were accepted.
    pub accepted: u64,
    /// How many were refused.
    pub rejected: u64,
}

/// A command that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Its counter.
    pub counter: u64,
    /// The node it was about.
    pub node: u32,
    /// Number of the status.
    pub status: u16,
}

/// The words of an entry that hold answers; `Copy`.
#[derive(Clone, Copy)]
pub struct Answers {
    line: &'static [AtomicU64],
    rejecting: &'static AtomicU64,
    rejected: &'static AtomicU64,
    rejections: &'static [AtomicU64],
}

impl Answers {
    /// Of the words of one entry.
    pub(crate) fn new(entry: &'static [AtomicU64]) -> Answers {
        Answers {
            line: &entry[PRODUCER_ANSWERS / 8..][..5],
            rejecting: &entry[PRODUCER_REJECTING / 8],
            rejected: &entry[PRODUCER_REJECTED / 8],
            rejections: &entry[PRODUCER_REJECTIONS / 8..][..REJECTIONS_MAX * REJECTION_WORDS],
        }
    }

    /// Engine: everything back to zero, for a new producer.
    pub(crate) fn clear(&self) {
        self.rejecting.store(0, Ordering::Relaxed);
        self.rejected.store(0, Ordering::Relaxed);
        self.acknowledge(&Acknowledged::default());
    }

    /// Engine: refuses a command; told before the line says that it is decided.
    pub fn reject(&self, rejection: &Rejection) {
        // Wrapping: the word lies where other processes can write, so it may hold anything.
        let number = self.rejected.load(Ordering::Relaxed);
        self.rejecting.store(number.wrapping_add(1), Ordering::Relaxed);
        // Pairs with the acquire fence of readers: whoever sees a word of this refusal sees that the old one is going.
        fence(Ordering::Release);
        let entry = self.place(number);
        entry[0].store(rejection.counter, Ordering::Relaxed);
        entry[1].store(u64::from(rejection.status) << 32 | u64::from(rejection.node), Ordering::Relaxed);
        self.rejected.store(number.wrapping_add(1), Ordering::Release);
    }

    /// Engine: says how far it is.
    pub fn acknowledge(&self, to: &Acknowledged) {
        let sequence = self.line[0].load(Ordering::Relaxed);
        self.line[0].store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        for (word, value) in self.line[2..].iter().zip([to.revision, to.accepted, to.rejected]) {
            word.store(value, Ordering::Relaxed);
        }
        // Release, and last: whoever looks at `decided` alone finds the other words, the refusals and the slots that belong to
        // it, also where this thread loses its processor in the middle of the line.
        self.line[1].store(to.decided, Ordering::Release);
        self.line[0].store(sequence.wrapping_add(2), Ordering::Release);
    }

    /// Engine: the line as it is, for its one writer; others use [`Answers::acknowledged`].
    pub fn mine(&self) -> Acknowledged {
        let [decided, revision, accepted, rejected] =
            std::array::from_fn(|index| self.line[index + 1].load(Ordering::Relaxed));
        Acknowledged { decided, revision, accepted, rejected }
    }

    /// The counter up to which all is decided, alone.
    pub fn decided(&self) -> u64 {
        self.line[1].load(Ordering::Acquire)
    }

    /// The line as one consistent whole.
    pub fn acknowledged(&self) -> Acknowledged {
        loop {
            let before = self.line[0].load(Ordering::Acquire);
            let values = self.mine();
            fence(Ordering::Acquire);
            if before & 1 == 0 && self.line[0].load(Ordering::Relaxed) == before {
                return values;
            }
            look_again();
        }
    }

    /// The refusal that `reader` has not seen yet, if there is one. Those that were overwritten are counted as missed.
    pub fn next_rejection(&self, reader: &mut RejectionReader) -> Option<Rejection> {
        loop {
            let written = self.rejected.load(Ordering::Acquire);
            if written == reader.next {
                return None;
            }
            reader.skip_to(written.saturating_sub(REJECTIONS_MAX as u64));
            let entry = self.place(reader.next);
            let (counter, about) = (entry[0].load(Ordering::Relaxed), entry[1].load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if self.rejecting.load(Ordering::Relaxed).wrapping_sub(reader.next) <= REJECTIONS_MAX as u64 {
                reader.next = reader.next.wrapping_add(1);
                return Some(Rejection { counter, node: about as u32, status: (about >> 32) as u16 });
            }
            look_again();
        }
    }

    fn place(&self, number: u64) -> &'static [AtomicU64] {
        &self.rejections[number as usize % REJECTIONS_MAX * REJECTION_WORDS..][..REJECTION_WORDS]
    }
}

/// Where a reader of refusals is. One thread.
#[derive(Debug, Default)]
pub struct RejectionReader {
    next: u64,
    /// How many it was too late for.
    pub missed: u64,
}

impl RejectionReader {
    fn skip_to(&mut self, oldest: u64) {
        if oldest > self.next {
            self.missed += oldest - self.next;
            self.next = oldest;
        }
    }
}
