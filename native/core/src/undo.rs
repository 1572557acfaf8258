//! The undo ring: what was there before, written down in order, read backwards.
//!
//! A record is its payload, then a 16-byte header, so that walking back meets the header first. An edge change is 16
//! bytes, a slot change 16 and the words in use of the old slot, rounded up to 16. The ring never grows: the oldest
//! history is overwritten, and [`UndoRing::tail`] says from where on it is whole. Positions are bytes written since the
//! start; a rollback takes the head back with it.

use lodestone_memory::huge::{HugeSlice, prefetch};
use lodestone_memory::slots::{SLOT_WORDS, SlotImage};

/// What to do to get the state from before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UndoKind {
    /// Set the edge `node → aux low half` to the mask in the high half of `aux`.
    Edge = 1,
    /// Put the payload back into slot `aux`, which is the node's.
    Write = 2,
    /// The node had no slot: give it back; `aux` is its version from before.
    Acquire = 3,
    /// The node had slot `aux` of tenant entry `tenant`: take it and put the payload back.
    Release = 4,
}

/// A record as read back; its payload is read apart.
#[derive(Clone, Copy)]
pub(crate) struct UndoRecord {
    pub(crate) kind: UndoKind,
    pub(crate) tenant: u8,
    pub(crate) node: u32,
    pub(crate) aux: u64,
    payload_words: usize,
}

impl UndoRecord {
    /// What a buffer of records is filled with before they are read.
    pub(crate) const NONE: UndoRecord =
        UndoRecord { kind: UndoKind::Edge, tenant: 0, node: 0, aux: 0, payload_words: 0 };

    fn decode(head: u64, aux: u64) -> UndoRecord {
        let kind = match head & 0xff {
            1 => UndoKind::Edge,
            2 => UndoKind::Write,
            3 => UndoKind::Acquire,
            4 => UndoKind::Release,
            other => unreachable!("undo record of kind {other}"),
        };
        let payload_words = (head >> 16 & 0xffff) as usize;
        UndoRecord { kind, tenant: (head >> 8) as u8, node: (head >> 32) as u32, aux, payload_words }
    }

    /// Bytes of the old slot that are recorded.
    pub(crate) fn payload_bytes(&self) -> usize {
        self.payload_words * 8
    }

    fn words(&self) -> usize {
        self.payload_words.next_multiple_of(2) + HEADER_WORDS
    }
}

/// Where the header of a record lies that was taken off the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UndoPlace {
    pub(crate) header: usize,
}

/// Words of a record's header.
const HEADER_WORDS: usize = 2;

pub(crate) struct UndoRing {
    words: HugeSlice<u64>,
    head_words: u64,
    tail_words: u64,
    /// Where in `words` the head is. Kept, since a division for each word would cost more than the word.
    head_place: usize,
}

impl UndoRing {
    /// A ring of `bytes` (rounded down to 16, at least 64 KiB, so that any batch fits); `None` where the system has
    /// not the memory.
    pub(crate) fn new(bytes: usize) -> Option<UndoRing> {
        let words = HugeSlice::new((bytes.max(64 * 1024) / 16) * 2)?;
        Some(UndoRing { words, head_words: 0, tail_words: 0, head_place: 0 })
    }

    /// Position behind the last record.
    pub(crate) fn head(&self) -> u64 {
        self.head_words * 8
    }

    /// Position from which on history is whole.
    pub(crate) fn tail(&self) -> u64 {
        self.tail_words * 8
    }

    /// The place `back` words before the head, at most once round.
    fn place_before(&self, back: usize) -> usize {
        if back <= self.head_place { self.head_place - back } else { self.head_place + self.words.len() - back }
    }

    fn push_words(&mut self, words: &[u64]) {
        let (first, second) = words.split_at(words.len().min(self.words.len() - self.head_place));
        self.words[self.head_place..][..first.len()].copy_from_slice(first);
        self.words[..second.len()].copy_from_slice(second);
        self.advance(words.len());
    }

    fn advance(&mut self, count: usize) {
        self.head_words += count as u64;
        self.head_place += count;
        if self.head_place >= self.words.len() {
            self.head_place -= self.words.len();
        }
    }

    /// Writes that the edge had this mask: [`UndoRing::push`] for the record that is written most.
    #[inline]
    pub(crate) fn push_edge(&mut self, source: u32, target: u32, mask: u32) {
        let head = u64::from(source) << 32 | UndoKind::Edge as u64;
        self.push_header(head, u64::from(mask) << 32 | u64::from(target));
    }

    #[inline]
    fn push_header(&mut self, head: u64, aux: u64) {
        // A record begins at an even place and the ring has an even number of words: the header is in one piece.
        self.words[self.head_place..][..HEADER_WORDS].copy_from_slice(&[head, aux]);
        self.advance(HEADER_WORDS);
        self.tail_words = self.tail_words.max(self.head_words.saturating_sub(self.words.len() as u64));
    }

    /// Writes a record with the payload given (at most a slot).
    pub(crate) fn push(&mut self, kind: UndoKind, tenant: u8, node: u32, aux: u64, payload: &[u64]) {
        debug_assert!(payload.len() <= SLOT_WORDS);
        if !payload.is_empty() {
            self.push_words(payload);
            if !payload.len().is_multiple_of(2) {
                self.push_words(&[0]);
            }
        }
        let head = u64::from(node) << 32 | (payload.len() as u64) << 16 | u64::from(tenant) << 8 | kind as u64;
        self.push_header(head, aux);
    }

    /// Reads the last records that end above `end`, newest first, as many as there are and fit; returns how many.
    /// `end` must be a record's boundary at or above the tail.
    pub(crate) fn read_back(&self, end: u64, records: &mut [UndoRecord]) -> usize {
        debug_assert!(self.tail() <= end);
        let (mut back, most) = (0, (self.head_words - end / 8) as usize);
        let mut count = 0;
        while back < most && count < records.len() {
            records[count] = self.record(self.head_words - back as u64);
            back += records[count].words();
            count += 1;
        }
        count
    }

    /// The record that ends at this position in words, which lies between tail and head.
    fn record(&self, end_words: u64) -> UndoRecord {
        // In one piece, as it was written.
        let place = self.place_before((self.head_words - end_words) as usize + HEADER_WORDS);
        UndoRecord::decode(self.words[place], self.words[place + 1])
    }

    /// Takes the last record, as read back, off. Until something is pushed, [`UndoRing::taken`] still reads it; the
    /// position for that is returned.
    pub(crate) fn take_off(&mut self, record: &UndoRecord) -> UndoPlace {
        let end = UndoPlace { header: self.place_before(HEADER_WORDS) };
        self.head_place = self.place_before(record.words());
        self.head_words -= record.words() as u64;
        end
    }

    /// Asks for the header of a record that was taken off.
    pub(crate) fn prefetch_taken(&self, place: UndoPlace) {
        prefetch(&self.words[place.header]);
    }

    /// A record that was taken off, with its payload as a slot image: zeros behind the words recorded.
    pub(crate) fn taken(&self, place: UndoPlace) -> (UndoRecord, SlotImage) {
        let record = UndoRecord::decode(self.words[place.header], self.words[place.header + 1]);
        let back = record.payload_words.next_multiple_of(2);
        let first = place.header.checked_sub(back).unwrap_or(place.header + self.words.len() - back);
        let mut image = [0; SLOT_WORDS];
        let payload = &mut image[..record.payload_words];
        let (front, behind) = payload.split_at_mut(payload.len().min(self.words.len() - first));
        front.copy_from_slice(&self.words[first..][..front.len()]);
        behind.copy_from_slice(&self.words[..behind.len()]);
        (record, image)
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
        let mut ahead = [UndoRecord::NONE; 7];
        let (mut round, mut edge_is_next) = (5_000, false);
        let end = ring.head() - 63 * 1024 / 16 * 16;
        // The last record may begin below the bound, where another would end: 288 bytes are the most of one.
        while ring.head() > end.max(ring.tail() + 288) {
            let count = ring.read_back(ring.head() - 16, &mut ahead);
            assert_eq!(count, 1, "one record ends above the last 16 bytes");
            let count = ring.read_back(end.max(ring.tail() + 288), &mut ahead);
            assert!(count > 0);
            for record in &ahead[..count] {
                let place = ring.take_off(record);
                let (again, found) = ring.taken(place);
                assert_eq!((again.kind, again.node, again.aux), (record.kind, record.node, record.aux));
                if edge_is_next {
                    assert_eq!((record.kind, record.node, record.aux), (UndoKind::Edge, 1, round));
                } else {
                    round -= 1;
                    let words = (round % 33) as usize;
                    assert_eq!((record.kind, record.tenant, record.node), (UndoKind::Write, 3, 2));
                    assert_eq!((record.aux, record.payload_bytes()), (round, words * 8));
                    assert_eq!(found[..words], image[..words]);
                    assert!(found[words..].iter().all(|word| *word == 0));
                }
                edge_is_next = !edge_is_next;
            }
        }
        assert!(round < 4_800, "the ring held {} rounds", 5_000 - round);
    }
}
