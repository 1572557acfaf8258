//! Cells: the memory of a lane or of the ring, and how a record lies in it.
//!
//! A record begins at a cell and takes as many as it needs, side by side; what does not fit before the end of the
//! memory begins again at its start, and padding fills the rest. The first word of the first cell is the header: it is
//! stored last and is all that the engine polls, so a record of one cell is one line that moves once from core to core.
//! Positions count bytes from the beginning of time and never wrap: 64 bits last longer than any machine.

use crate::page::{Page, PageFull, RecordHead};
use crate::rings::layout::{
    BODY_BYTES_MAX, CELL_BYTES, CELL_PADDING, CELL_RECORD, RECORD_BYTES_MAX, RECORD_HEAD_BYTES,
};
use crate::sync::{AtomicU64, Ordering};

const CELL_WORDS: usize = CELL_BYTES / 8;
/// Words of a record before its body.
const HEAD_WORDS: usize = RECORD_HEAD_BYTES / 8;

/// A record to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'body> {
    /// Its type, as in the wire contract.
    pub kind: u8,
    /// The producer's entry.
    pub producer: u32,
    /// The producer's counter.
    pub counter: u64,
    /// At most 256 bytes.
    pub body: &'body [u8],
}

impl Command<'_> {
    /// Bytes that it takes in a ring, whole cells.
    ///
    /// # Panics
    /// When the body is longer than 256 bytes.
    pub fn span(&self) -> u64 {
        assert!(self.body.len() <= BODY_BYTES_MAX, "a body has at most 256 bytes");
        span_of(self.bytes())
    }

    fn bytes(&self) -> u64 {
        (RECORD_HEAD_BYTES + self.body.len()) as u64
    }
}

/// Bytes of the cells that a record of this many bytes takes.
pub(crate) const fn span_of(bytes: u64) -> u64 {
    bytes.next_multiple_of(CELL_BYTES as u64)
}

/// The cells of one lane or of the ring; `Copy`.
#[derive(Clone, Copy)]
pub(crate) struct Cells {
    cells: &'static [[AtomicU64; CELL_WORDS]],
}

/// What a header says, once it was looked at with suspicion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// A record of this many bytes.
    Record(u64),
    /// Nothing, for this many bytes.
    Padding(u64),
    /// No producer writes such a header.
    Garbage,
}

impl Cells {
    pub(crate) fn new(words: &'static [AtomicU64]) -> Cells {
        let (cells, rest) = words.as_chunks();
        assert!(cells.len().is_power_of_two() && rest.is_empty(), "the number of cells is a power of two");
        Cells { cells }
    }

    /// Bytes of all cells.
    #[inline]
    pub(crate) fn capacity(self) -> u64 {
        (self.cells.len() * CELL_BYTES) as u64
    }

    /// Which cell this position is in: their number is a power of two.
    #[inline]
    fn index(self, position: u64) -> usize {
        (position / CELL_BYTES as u64) as usize & (self.cells.len() - 1)
    }

    /// Bytes from this position to the end of the memory.
    #[inline]
    pub(crate) fn left(self, position: u64) -> u64 {
        self.capacity() - (position & (self.capacity() - 1))
    }

    /// The words from the cell at this position to the end of the memory.
    #[inline]
    fn from(self, position: u64) -> &'static [AtomicU64] {
        self.cells[self.index(position)..].as_flattened()
    }

    /// The word for a header at this position.
    #[inline]
    pub(crate) fn header(self, position: u64) -> &'static AtomicU64 {
        &self.cells[self.index(position)][0]
    }

    /// Writes a record at this position, all but its header, which is returned.
    pub(crate) fn write(self, position: u64, command: &Command<'_>) -> u64 {
        let words = self.from(position);
        let about = u64::from(command.kind) | (command.body.len() as u64) << 16 | u64::from(command.producer) << 32;
        words[1].store(about, Ordering::Relaxed);
        words[2].store(command.counter, Ordering::Relaxed);
        for (word, bytes) in words[HEAD_WORDS..].iter().zip(command.body.chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_le_bytes(whole), Ordering::Relaxed);
        }
        header_word(command.bytes(), CELL_RECORD)
    }

    /// Reads a record at this position; `None` when it contradicts its header. `bytes` comes from [`Cells::judge`].
    #[inline]
    pub(crate) fn read(self, position: u64, bytes: u64) -> Option<RingRecord> {
        RingRecord::read(self.from(position), bytes as usize)
    }

    /// Reads a record that has this header and fits in the cell at this position, as most do: two words of one line are all
    /// that there is to judge, and nothing leads beyond it. `None` for everything else.
    #[inline]
    pub(crate) fn read_in_cell(self, header: u64, position: u64) -> Option<RingRecord> {
        let bytes = (header & u64::from(u32::MAX)) as usize;
        let fits = header >> 32 == u64::from(CELL_RECORD) && (RECORD_HEAD_BYTES..=CELL_BYTES).contains(&bytes);
        if fits { RingRecord::read(&self.cells[self.index(position)], bytes) } else { None }
    }

    /// Judges a header that was found at this position. Whatever it says, it leads nowhere beyond the end of the memory.
    #[inline]
    pub(crate) fn judge(self, header: u64, position: u64) -> Judgement {
        // The two highest bytes are zero, so they are part of the kind here.
        let (bytes, kind) = (header & u64::from(u32::MAX), header >> 32);
        if span_of(bytes) > self.left(position) {
            return Judgement::Garbage;
        }
        const RECORD: u64 = CELL_RECORD as u64;
        const PADDING: u64 = CELL_PADDING as u64;
        match kind {
            RECORD if (RECORD_HEAD_BYTES as u64..=RECORD_BYTES_MAX as u64).contains(&bytes) => Judgement::Record(bytes),
            PADDING if bytes > 0 && bytes.is_multiple_of(CELL_BYTES as u64) => Judgement::Padding(bytes),
            _ => Judgement::Garbage,
        }
    }

    /// Takes every header out of these bytes, at most all there are, so that a later claim finds none; they may pass the end
    /// of the memory.
    #[inline]
    pub(crate) fn clear(self, position: u64, bytes: u64) {
        let (first, count) = (self.index(position), (bytes as usize / CELL_BYTES).min(self.cells.len()));
        let (before_end, from_start) = (count.min(self.cells.len() - first), &self.cells[..first]);
        let rest = &from_start[..count - before_end];
        for cell in self.cells[first..first + before_end].iter().chain(rest) {
            // Relaxed: the release of the head that follows makes them visible to whoever claims the cells.
            cell[0].store(0, Ordering::Relaxed);
        }
    }
}

/// The header of a record or padding.
pub(crate) const fn header_word(bytes: u64, kind: u16) -> u64 {
    bytes | (kind as u64) << 32
}

/// A record as the engine finds it, still in shared memory: its body may change while it is looked at, so it is copied
/// once and the copy is checked.
#[derive(Clone, Copy)]
pub struct RingRecord {
    /// Its type.
    pub kind: u8,
    /// The entry that the producer says is its own.
    pub producer: u32,
    /// The producer's counter.
    pub counter: u64,
    /// Bytes of its body.
    pub body_bytes: usize,
    body: &'static [AtomicU64],
}

impl RingRecord {
    /// The record of so many bytes that begins with these words; `None` when it contradicts that.
    #[inline]
    fn read(words: &'static [AtomicU64], bytes: usize) -> Option<RingRecord> {
        let about = words[1].load(Ordering::Relaxed);
        let (kind, flags, body_bytes, producer) =
            (about as u8, (about >> 8) as u8, usize::from((about >> 16) as u16), (about >> 32) as u32);
        let whole = flags == 0 && body_bytes + RECORD_HEAD_BYTES == bytes;
        whole.then(|| RingRecord {
            kind,
            producer,
            counter: words[2].load(Ordering::Relaxed),
            body_bytes,
            body: &words[HEAD_WORDS..bytes.div_ceil(8)],
        })
    }

    /// Copies the body into a page, once.
    ///
    /// # Errors
    /// [`PageFull`]: the page is as before.
    #[inline]
    pub fn push_to(&self, page: &mut Page, head: RecordHead) -> Result<(), PageFull> {
        page.push_words(head, self.body, self.body_bytes)
    }

    /// A word of the body, 0 behind its end.
    #[inline]
    pub fn word(&self, index: usize) -> u64 {
        self.body.get(index).map_or(0, |word| word.load(Ordering::Relaxed))
    }
}
