//! Reading the log ring from Rust.

use super::{
    ABOUT, CELL_WORDS, LOG_CUT, LOG_MESSAGE_BYTES, LOG_TARGET_BYTES, LOG_THREAD_BYTES, LogRing, MESSAGE, ORIGIN,
    TARGET, THREAD, TIME,
};
use crate::sync::{Ordering, fence, look_again};

/// Looks at a cell that changes under the reader's eyes before it says that nothing is there: each is another lap.
const LOOKS_MAX: u32 = 16;

/// How far behind the newest record an overtaken reader goes on: a lap, less this part of it.
const MARGIN_PART: u64 = 16;

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogView {
    /// Its position.
    pub position: u64,
    /// When, in microseconds since 1970.
    pub unix_us: u64,
    /// The number of its level, see [`super::LogLevel`].
    pub level: u8,
    /// Whether its message was cut.
    pub is_cut: bool,
    /// The session concerned, 0 when none is.
    pub session: u32,
    /// The system's number of the thread that wrote it.
    pub thread: u32,
    /// The name of that thread.
    pub thread_name: String,
    /// The module that it comes from.
    pub target: String,
    /// What happened.
    pub message: String,
}

impl LogView {
    fn of(position: u64, words: &[u64; CELL_WORDS]) -> LogView {
        let (about, origin) = (words[ABOUT], words[ORIGIN]);
        LogView {
            position,
            unix_us: words[TIME],
            level: about as u8,
            is_cut: (about >> 8) as u8 & LOG_CUT != 0,
            session: origin as u32,
            thread: (origin >> 32) as u32,
            thread_name: text(&words[THREAD..], (about >> 16) as u8 as usize, LOG_THREAD_BYTES),
            target: text(&words[TARGET..], (about >> 24) as u8 as usize, LOG_TARGET_BYTES),
            message: text(&words[MESSAGE..], (about >> 32) as u16 as usize, LOG_MESSAGE_BYTES),
        }
    }
}

fn text(words: &[u64], length: usize, most: usize) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).take(length.min(most)).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A reader with a position of its own; the ring waits for none.
pub struct LogReader {
    ring: LogRing,
    position: u64,
    missed: u64,
}

impl LogReader {
    pub(super) fn new(ring: LogRing, position: u64) -> LogReader {
        LogReader { ring, position, missed: 0 }
    }

    /// The position of the next record.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How many records were overwritten before this reader came to them.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// The ring that it reads.
    pub fn ring(&self) -> LogRing {
        self.ring
    }

    /// The next record, `None` while there is none. Never waits.
    pub fn poll(&mut self) -> Option<LogView> {
        for _ in 0..LOOKS_MAX {
            let cell = self.ring.cell(self.position);
            let sequence = cell[0].load(Ordering::Acquire);
            if sequence > self.position + 1 {
                let count = self.ring.count();
                self.skip_to((sequence + count / MARGIN_PART).saturating_sub(count));
                continue;
            }
            if sequence != self.position + 1 {
                return None;
            }
            let mut words = [0; CELL_WORDS];
            for (copy, word) in words.iter_mut().zip(cell).take(MESSAGE) {
                *copy = word.load(Ordering::Relaxed);
            }
            let message_words = ((words[ABOUT] >> 32) as u16).div_ceil(8).into();
            for (copy, word) in words.iter_mut().zip(cell).skip(MESSAGE).take(message_words) {
                *copy = word.load(Ordering::Relaxed);
            }
            // Pairs with the writer's release fence: if a word of a later record was seen, so is its changed sequence.
            fence(Ordering::Acquire);
            if cell[0].load(Ordering::Relaxed) == sequence {
                self.position += 1;
                return Some(LogView::of(self.position - 1, &words));
            }
            look_again();
        }
        None
    }

    fn skip_to(&mut self, oldest: u64) {
        let next = oldest.max(self.position + 1);
        self.missed += next - self.position;
        self.position = next;
    }
}
