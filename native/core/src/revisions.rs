//! The revision ring: for each recent revision, where its history ends and what its state was.

use crate::hash::StateHash;
use crate::undo::UndoPosition;

/// What is kept of a revision.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Revision {
    pub(crate) number: u64,
    /// Position of the undo ring behind its last record.
    pub(crate) undo_end: UndoPosition,
    pub(crate) hash: StateHash,
    pub(crate) edges: u32,
    pub(crate) slots_used: u32,
    /// Time of its commit. Never lower than that of the revision before.
    pub(crate) unix_ms: u64,
}

/// Bytes of undo ring for which one revision is kept. A move with 40 bytes of payload leaves about 96, so at one move a
/// revision the ring of revisions ends the window a little before the undo ring does, and at more it never does.
const UNDO_BYTES_A_REVISION: usize = 128;

pub(crate) struct RevisionRing {
    entries: Vec<Revision>,
    newest: u64,
    oldest: u64,
}

impl RevisionRing {
    /// A ring beside an undo ring of this size, holding revision 0, which is of this time; `None` where memory is short.
    pub(crate) fn new(undo_bytes: usize, start_unix_ms: u64) -> Option<RevisionRing> {
        let count = (undo_bytes / UNDO_BYTES_A_REVISION).max(1_024);
        let mut entries = Vec::new();
        entries.try_reserve_exact(count).ok()?;
        entries.resize(count, Revision::default());
        entries[0].unix_ms = start_unix_ms;
        Some(RevisionRing { entries, newest: 0, oldest: 0 })
    }

    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// Time of the newest revision.
    pub(crate) fn newest_unix_ms(&self) -> u64 {
        self.entry(self.newest).unix_ms
    }

    pub(crate) fn oldest(&self) -> u64 {
        self.oldest
    }

    fn entry(&self, number: u64) -> &Revision {
        &self.entries[(number % self.entries.len() as u64) as usize]
    }

    /// The revision, if it is in the window.
    pub(crate) fn get(&self, number: u64) -> Option<&Revision> {
        (self.oldest..=self.newest).contains(&number).then(|| self.entry(number))
    }

    /// Adds the next revision and drops those whose history is not whole from `undo_tail` on.
    pub(crate) fn push(&mut self, mut revision: Revision, undo_tail: UndoPosition) {
        debug_assert_eq!(revision.number, self.newest + 1);
        revision.unix_ms = revision.unix_ms.max(self.newest_unix_ms());
        let count = self.entries.len() as u64;
        self.entries[(revision.number % count) as usize] = revision;
        self.newest = revision.number;
        self.oldest = self.oldest.max((self.newest + 1).saturating_sub(count));
        while self.oldest < self.newest && !self.entry(self.oldest).undo_end.is_whole_from(undo_tail) {
            self.oldest += 1;
        }
    }

    /// Makes `number`, which is in the window, the newest.
    pub(crate) fn truncate(&mut self, number: u64) {
        debug_assert!((self.oldest..=self.newest).contains(&number));
        self.newest = number;
    }

    /// The newest revision in the window that was committed at or before this time; the oldest if all came later.
    pub(crate) fn at(&self, unix_ms: u64) -> u64 {
        let (mut low, mut high) = (self.oldest, self.newest);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.entry(middle).unix_ms <= unix_ms { low = middle } else { high = middle - 1 }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_bounded_by_count_and_by_history() {
        let mut ring = RevisionRing::new(0, 7).unwrap();
        assert_eq!((ring.newest(), ring.newest_unix_ms(), ring.at(0)), (0, 7, 0));
        for number in 1..=3_000 {
            // Every third revision the images decide, else the records.
            let undo_end = UndoPosition { records: number * 100, pairs: number * 10 };
            let tail = UndoPosition {
                records: (number * 100).saturating_sub(if number % 3 == 0 { 90_000 } else { 50_000 }),
                pairs: (number * 10).saturating_sub(5_000),
            };
            ring.push(Revision { number, undo_end, unix_ms: number / 2, ..Revision::default() }, tail);
        }
        assert_eq!((ring.oldest(), ring.newest()), (2_500, 3_000));
        assert!(ring.get(2_499).is_none() && ring.get(3_001).is_none());
        assert_eq!(ring.get(2_500).unwrap().undo_end.records, 250_000);
        assert_eq!((ring.at(0), ring.at(1_300), ring.at(9_999)), (2_500, 2_601, 3_000));
        ring.truncate(2_600);
        assert_eq!((ring.newest(), ring.at(9_999)), (2_600, 2_600));
    }
}
