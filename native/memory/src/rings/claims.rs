//! Claims: cells that a producer has for itself until it commits or aborts them.

use crate::rings::cells::{Cells, Command, header_word};
use crate::rings::layout::{CELL_BYTES, CELL_PADDING};
use crate::sync::{AtomicU64, Ordering};

/// There is no room; nothing was claimed. The producer tries again later or does without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Cells claimed, to be filled with records; they never pass the end of the memory. Their first header is written last,
/// by the commit.
#[derive(Debug)]
pub(crate) struct Claim {
    /// Where it begins.
    pub(crate) position: u64,
    /// Where it ends.
    pub(crate) end: u64,
    /// Where the next record goes.
    next: u64,
    /// The header at `position`; 0 while there is none yet.
    first_header: u64,
}

impl Claim {
    /// A claim of `bytes` from `position` on.
    pub(crate) fn new(position: u64, bytes: u64) -> Claim {
        Claim { position, end: position.wrapping_add(bytes), next: position, first_header: 0 }
    }

    /// Bytes left in it.
    pub(crate) fn left(&self) -> u64 {
        self.end.wrapping_sub(self.next)
    }

    pub(crate) fn put(&mut self, cells: Cells, command: &Command<'_>) {
        assert!(command.span() <= self.left(), "the claim has no room for this record");
        let header = cells.write(self.next, command);
        self.head(cells, self.next, header);
        self.next = self.next.wrapping_add(command.span());
    }

    fn head(&mut self, cells: Cells, position: u64, header: u64) {
        if position == self.position {
            self.first_header = header;
        } else {
            cells.header(position).store(header, Ordering::Relaxed);
        }
    }

    /// Fills what is left with padding and stores the first header, which makes all of it visible.
    pub(crate) fn commit(mut self, cells: Cells) {
        if self.left() > 0 {
            self.head(cells, self.next, header_word(self.left(), CELL_PADDING));
        }
        // Release: whoever sees the first header sees every byte of the claim.
        cells.header(self.position).store(self.first_header, Ordering::Release);
    }

    /// Turns everything into padding.
    pub(crate) fn abort(mut self, cells: Cells) {
        self.next = self.position;
        self.commit(cells);
    }

    /// Takes back what was written, as if it had never been, where nobody else can have claimed what follows.
    pub(crate) fn undo(self, cells: Cells) {
        cells.clear(self.position, self.next.wrapping_sub(self.position));
    }
}

/// Bytes of padding that have to come before a claim of `bytes` at this position, 0 where it fits before the end of the
/// memory. That padding is claimed and committed by itself.
pub(crate) fn padding_before(cells: Cells, position: u64, bytes: u64) -> u64 {
    let left = cells.left(position);
    if bytes > left { left } else { 0 }
}

/// Writes padding over the cells from `position` on, which may pass the end of the memory; its first header last.
pub(crate) fn pad(cells: Cells, position: u64, bytes: u64) {
    let first = cells.left(position).min(bytes);
    if bytes > first {
        let rest = cells.header(position.wrapping_add(first));
        rest.store(header_word(bytes - first, CELL_PADDING), Ordering::Relaxed);
    }
    cells.header(position).store(header_word(first, CELL_PADDING), Ordering::Release);
}

/// What a producer says of its claim in the ring, before it makes it: the word of its entry that proves a claim whose
/// maker died. `{u50 cell, u12 cells, u2 stage}`, all in one word, so that it is never seen half-written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClaimWord(pub(crate) u64);

/// Nothing claimed.
pub(crate) const STAGE_IDLE: u64 = 0;
/// About to move the tail, or moved it just now; no cell written yet.
pub(crate) const STAGE_ATTEMPT: u64 = 1;
/// The tail was moved: the cells are this producer's.
pub(crate) const STAGE_OWNED: u64 = 2;

const CELL_BITS: u32 = 50;
const COUNT_BITS: u32 = 12;

/// Most cells of one claim.
pub(crate) const CLAIM_CELLS_MAX: u64 = (1 << COUNT_BITS) - 1;

/// Most bytes of one claim in cells of this size: half of them, so that padding never stands in the way for ever, and
/// what a claim word can say.
pub(crate) fn claim_bytes_max(capacity: u64) -> u64 {
    (capacity / 2).min(CLAIM_CELLS_MAX / 2 * CELL_BYTES as u64)
}

impl ClaimWord {
    pub(crate) fn new(position: u64, bytes: u64, stage: u64) -> ClaimWord {
        let cell = (position / CELL_BYTES as u64) & ((1 << CELL_BITS) - 1);
        let count = bytes / CELL_BYTES as u64;
        debug_assert!(count <= CLAIM_CELLS_MAX);
        ClaimWord(cell | count << CELL_BITS | stage << (CELL_BITS + COUNT_BITS))
    }

    pub(crate) fn stage(self) -> u64 {
        self.0 >> (CELL_BITS + COUNT_BITS)
    }

    /// Bytes from `position` to this claim, counting on from it; 2^56 and more mean that it lies before.
    pub(crate) fn bytes_after(self, position: u64) -> u64 {
        let from = position / CELL_BYTES as u64;
        (self.0.wrapping_sub(from) & ((1 << CELL_BITS) - 1)) * CELL_BYTES as u64
    }

    /// Bytes claimed.
    pub(crate) fn bytes(self) -> u64 {
        (self.0 >> CELL_BITS & CLAIM_CELLS_MAX) * CELL_BYTES as u64
    }
}

/// The claim words of all entries; `Copy`.
#[derive(Clone, Copy)]
pub(crate) struct Claims {
    words: &'static [AtomicU64],
    /// Words from one entry's to the next one's.
    stride: usize,
}

impl Claims {
    /// The first word is that of the first entry.
    pub(crate) fn new(words: &'static [AtomicU64], stride: usize) -> Claims {
        Claims { words, stride }
    }

    pub(crate) fn len(self) -> usize {
        self.words.len().div_ceil(self.stride)
    }

    pub(crate) fn word(self, entry: usize) -> &'static AtomicU64 {
        &self.words[entry * self.stride]
    }

    pub(crate) fn at(self, entry: usize) -> ClaimWord {
        ClaimWord(self.word(entry).load(Ordering::Acquire))
    }

    /// Those that are made or about to be.
    pub(crate) fn made(self) -> impl Iterator<Item = ClaimWord> {
        (0..self.len()).map(move |entry| self.at(entry)).filter(|claim| claim.stage() != STAGE_IDLE)
    }
}
