//! The log ring: what native threads have to say, 512 bytes a record, for readers of any process.
//!
//! Many write, none of them waits: a record that finds no room at once is dropped, and whoever wrote it counts that. The
//! record of position `p` lies in cell `p mod cells`; the first word of a cell is 0 while it is written and `p + 1` once it
//! may be read, as in the event ring, so a reader polls the cell of its own position and knows when it was overtaken.
//!
//! A writer moves the tail by compare-and-set, and only over a cell whose earlier record is complete. So each position has
//! exactly one record, each cell one writer at a time, and a writer that lost its processor for a whole lap is not written
//! over: those that come to its cell meanwhile drop theirs.

mod limit;
mod reader;
mod text;

pub use limit::LogLimit;
pub use reader::{LogReader, LogView};
pub use text::LogText;

use crate::sync::{AtomicU64, Ordering, fence};

/// Bytes before the cells, and of a cell; see [`crate::layout`].
use crate::layout::{LOG_CELL_BYTES, LOG_HEAD_BYTES, LOG_TAIL, LOG_TAKEN};

/// Most bytes of the name of a thread, of a target and of a message; longer ones are cut and end in `…`.
pub const LOG_THREAD_BYTES: usize = 16;
/// See [`LOG_THREAD_BYTES`].
pub const LOG_TARGET_BYTES: usize = 64;
/// See [`LOG_THREAD_BYTES`].
pub const LOG_MESSAGE_BYTES: usize = 400;

const CELL_WORDS: usize = LOG_CELL_BYTES / 8;
const TIME: usize = 1;
const ABOUT: usize = 2;
const ORIGIN: usize = 3;
const THREAD: usize = 4;
const TARGET: usize = THREAD + LOG_THREAD_BYTES / 8;
const MESSAGE: usize = TARGET + LOG_TARGET_BYTES / 8;
const _: () = assert!(MESSAGE + LOG_MESSAGE_BYTES / 8 == CELL_WORDS);

/// Flag of a record: its message was cut.
pub const LOG_CUT: u8 = 1;

/// Tries to move the tail before a record is dropped. A try fails only when another writer's succeeded.
const CLAIM_TRIES_MAX: u32 = 64;

/// How much a record matters; the numbers are those in shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum LogLevel {
    /// Something failed that somebody has to look at.
    Error = 1,
    /// Something is wrong and was dealt with.
    Warn = 2,
    /// What an operator wants to know of a healthy engine.
    Info = 3,
    /// What a developer wants to know.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

/// One record, made by its writer before it is written.
#[derive(Clone, Debug)]
pub struct LogRecord {
    /// When, in microseconds since 1970.
    pub unix_us: u64,
    /// How much it matters.
    pub level: LogLevel,
    /// The session concerned, 0 when none is.
    pub session: u32,
    /// The system's number of the thread that wrote it, 0 when that is not known.
    pub thread: u32,
    /// The name of that thread.
    pub thread_name: LogText<LOG_THREAD_BYTES>,
    /// The module that it comes from.
    pub target: LogText<LOG_TARGET_BYTES>,
    /// What happened.
    pub message: LogText<LOG_MESSAGE_BYTES>,
}

impl LogRecord {
    /// A record without a text yet.
    pub fn new(level: LogLevel, unix_us: u64, target: &str) -> LogRecord {
        LogRecord {
            unix_us,
            level,
            session: 0,
            thread: 0,
            thread_name: LogText::default(),
            target: LogText::of(target),
            message: LogText::default(),
        }
    }

    fn about(&self) -> u64 {
        let flags = if self.message.is_cut() { LOG_CUT } else { 0 };
        u64::from(self.level as u8)
            | u64::from(flags) << 8
            | (self.thread_name.len() as u64) << 16
            | (self.target.len() as u64) << 24
            | (self.message.len() as u64) << 32
    }
}

/// A handle on the ring; `Copy`, usable from any thread.
#[derive(Clone, Copy)]
pub struct LogRing {
    tail: &'static AtomicU64,
    taken: &'static AtomicU64,
    cells: &'static [AtomicU64],
}

impl LogRing {
    pub(crate) fn new(words: &'static [AtomicU64]) -> LogRing {
        LogRing::over(&words[LOG_TAIL / 8], &words[LOG_TAKEN / 8], &words[LOG_HEAD_BYTES / 8..])
    }

    fn over(tail: &'static AtomicU64, taken: &'static AtomicU64, cells: &'static [AtomicU64]) -> LogRing {
        assert!((cells.len() / CELL_WORDS).is_power_of_two());
        LogRing { tail, taken, cells }
    }

    fn count(&self) -> u64 {
        (self.cells.len() / CELL_WORDS) as u64
    }

    fn cell(&self, position: u64) -> &'static [AtomicU64] {
        &self.cells[(position % self.count()) as usize * CELL_WORDS..][..CELL_WORDS]
    }

    /// Writes a record; `false` when it was dropped. Never waits.
    pub fn write(&self, record: &LogRecord) -> bool {
        let Some(position) = self.claim() else { return false };
        self.fill(position, record);
        true
    }

    /// Writes the record of a position that was claimed, and lets it be read.
    fn fill(&self, position: u64, record: &LogRecord) {
        let cell = self.cell(position);
        cell[0].store(0, Ordering::Relaxed);
        // Pairs with the acquire fence of readers: whoever sees a word of this record sees that the cell is not theirs.
        fence(Ordering::Release);
        cell[TIME].store(record.unix_us, Ordering::Relaxed);
        cell[ABOUT].store(record.about(), Ordering::Relaxed);
        cell[ORIGIN].store(u64::from(record.session) | u64::from(record.thread) << 32, Ordering::Relaxed);
        store(&cell[THREAD..], record.thread_name.words());
        store(&cell[TARGET..], record.target.words());
        store(&cell[MESSAGE..], record.message.words());
        cell[0].store(position + 1, Ordering::Release);
    }

    /// Takes the next position for one record, if the cell's earlier record is complete.
    fn claim(&self) -> Option<u64> {
        for _ in 0..CLAIM_TRIES_MAX {
            let position = self.tail.load(Ordering::Relaxed);
            let complete = (position + 1).saturating_sub(self.count());
            // Acquire: what the earlier writer stored lies before what this one stores.
            if self.cell(position)[0].load(Ordering::Acquire) != complete {
                if self.tail.load(Ordering::Relaxed) == position {
                    return None;
                }
            } else if self.tail.compare_exchange(position, position + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Some(position);
            }
        }
        None
    }

    /// The position behind the last record that was begun.
    pub fn tail(&self) -> u64 {
        self.tail.load(Ordering::Relaxed)
    }

    /// A reader that begins with the record of this position.
    pub fn reader(&self, position: u64) -> LogReader {
        LogReader::new(*self, position)
    }

    /// The engine's own process forwards the records and has taken those below this position. Whoever closes the engine
    /// waits for a moment until that is all of them.
    pub fn tell_taken(&self, position: u64) {
        self.taken.store(position.wrapping_add(1), Ordering::Relaxed);
    }

    /// Nobody in the engine's process forwards records any more.
    pub fn tell_nobody_takes(&self) {
        self.taken.store(0, Ordering::Relaxed);
    }

    /// Whether somebody forwards records and has not taken all of them.
    pub fn is_behind(&self) -> bool {
        let taken = self.taken.load(Ordering::Relaxed);
        taken != 0 && taken.wrapping_sub(1) < self.tail()
    }
}

fn store(words: &[AtomicU64], text: impl Iterator<Item = u64>) {
    for (word, value) in words.iter().zip(text) {
        word.store(value, Ordering::Relaxed);
    }
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
