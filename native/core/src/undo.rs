//! The undo ring: what was there before, written down in order, read backwards.
//!
//! A record is its payload, then a 16-byte header, so that walking back meets the header first. An edge change is 16
//! bytes, a slot change 16 and the words in use of the old slot, rounded up to 16. The ring never grows: the oldest
//! history is overwritten, and [`UndoRing::tail`] says from where on it is whole. Positions are bytes written since the
//! start; a rollback takes the head back with it.

use lodestone_memory::slots::{SLOT_WORDS, SlotImage};

/// What to do to get the state from before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UndoKind {
    /// Set the edge `node → aux low half` to the mask in the high half of `aux`.
    Edge = 1,
    /// Put the payload back into the node's slot.
    Write = 2,
    /// The node had no slot: give it back; `aux` is its version from before.
    Acquire = 3,
    /// The node had slot `aux` of tenant entry `tenant`: take it and put the payload back.
    Release = 4,
}

/// A record as read back.
pub(crate) struct UndoRecord {
    pub(crate) kind: UndoKind,
    pub(crate) tenant: u8,
    pub(crate) node: u32,
    pub(crate) aux: u64,
    /// The old slot; all zero behind the words recorded.
    pub(crate) image: SlotImage,
}

pub(crate) struct UndoRing {
    words: Vec<u64>,
    head_words: u64,
    tail_words: u64,
}

impl UndoRing {
    /// A ring of `bytes` (rounded down to 16, at least 64 KiB, so that any batch fits); `None` where memory is short.
    pub(crate) fn new(bytes: usize) -> Option<UndoRing> {
        let count = (bytes.max(64 * 1024) / 16) * 2;
        let mut words = Vec::new();
        words.try_reserve_exact(count).ok()?;
        words.resize(count, 0);
        Some(UndoRing { words, head_words: 0, tail_words: 0 })
    }

    /// Position behind the last record.
    pub(crate) fn head(&self) -> u64 {
        self.head_words * 8
    }

    /// Position from which on history is whole.
    pub(crate) fn tail(&self) -> u64 {
        self.tail_words * 8
    }

    fn push_word(&mut self, word: u64) {
        let place = (self.head_words % self.words.len() as u64) as usize;
        self.words[place] = word;
        self.head_words += 1;
    }

    fn word_at(&self, position_words: u64) -> u64 {
        self.words[(position_words % self.words.len() as u64) as usize]
    }

    /// Writes a record with the payload given (at most a slot).
    pub(crate) fn push(&mut self, kind: UndoKind, tenant: u8, node: u32, aux: u64, payload: &[u64]) {
        debug_assert!(payload.len() <= SLOT_WORDS);
        payload.iter().for_each(|word| self.push_word(*word));
        if !payload.len().is_multiple_of(2) {
            self.push_word(0);
        }
        self.push_word(u64::from(node) << 32 | (payload.len() as u64) << 16 | u64::from(tenant) << 8 | kind as u64);
        self.push_word(aux);
        self.tail_words = self.tail_words.max(self.head_words.saturating_sub(self.words.len() as u64));
    }

    /// Takes the last record off. The head must be above the tail.
    pub(crate) fn pop(&mut self) -> UndoRecord {
        debug_assert!(self.head_words > self.tail_words);
        let (head, aux) = (self.word_at(self.head_words - 2), self.word_at(self.head_words - 1));
        let payload_words = head >> 16 & 0xffff;
        let start = self.head_words - 2 - payload_words.next_multiple_of(2);
        let mut image = [0; SLOT_WORDS];
        for (word, position) in image.iter_mut().zip(start..start + payload_words) {
            *word = self.word_at(position);
        }
        self.head_words = start;
        let kind = match head & 0xff {
            1 => UndoKind::Edge,
            2 => UndoKind::Write,
            3 => UndoKind::Acquire,
            4 => UndoKind::Release,
            other => unreachable!("undo record of kind {other}"),
        };
        UndoRecord { kind, tenant: (head >> 8) as u8, node: (head >> 32) as u32, aux, image }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_in_reverse_over_many_rounds_of_the_ring() {
        let mut ring = UndoRing::new(0).unwrap();
        let image: SlotImage = std::array::from_fn(|index| index as u64 + 1);
        for round in 0..5_000_u64 {
            ring.push(UndoKind::Edge, 0, 1, round, &[]);
            ring.push(UndoKind::Write, 3, 2, round, &image[..(round % 33) as usize]);
        }
        assert_eq!(ring.head() - ring.tail(), 64 * 1024);
        let mut round = 5_000;
        while ring.head() - ring.tail() >= 2 * (16 + 256) {
            round -= 1;
            let write = ring.pop();
            assert_eq!((write.kind, write.tenant, write.node, write.aux), (UndoKind::Write, 3, 2, round));
            let words = (round % 33) as usize;
            assert_eq!(write.image[..words], image[..words]);
            assert!(write.image[words..].iter().all(|word| *word == 0));
            let edge = ring.pop();
            assert_eq!((edge.kind, edge.node, edge.aux), (UndoKind::Edge, 1, round));
        }
        assert!(round < 4_800, "the ring held {} rounds", 5_000 - round);
    }
}
