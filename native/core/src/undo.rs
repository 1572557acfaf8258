//! The undo ring: what was there before, written down in order, read backwards.
//!
//! Two rings side by side. One holds records of 16 bytes, the other the used words of old slots, rounded up to 16 bytes.
//! Apart, because a rollback reads every record but of a slot's images only the oldest, and because records of one size
//! can be read ahead without asking one where the next lies. Neither ring grows: the oldest history is overwritten, and
//! [`UndoRing::tail`] says from where on it is whole.

use lodestone_memory::huge::{HugeSlice, prefetch};
use lodestone_memory::slots::{SLOT_WORDS, SlotImage, words_used};

use crate::edges::Before;

/// What to do to get the state from before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UndoKind {
    /// Set the edge `node → aux low half` to the mask in the high half of `aux`.
    Edge = 1,
    /// Put the image back into slot `aux`, which is the node's.
    Write = 2,
    /// The node had no slot: give it back; `aux` is its version from before.
    Acquire = 3,
    /// The node had slot `aux` of tenant entry `detail`: take it and put the image back.
    Release = 4,
}

/// A record as read back.
#[derive(Clone, Copy)]
pub(crate) struct UndoRecord {
    pub(crate) kind: UndoKind,
    /// The tenant entry of a slot, or an edge's step (see [`Before`]).
    pub(crate) detail: u8,
    pub(crate) node: u32,
    pub(crate) aux: u64,
    image_words: usize,
}

impl UndoRecord {
    /// What a buffer of records is filled with before they are read.
    pub(crate) const NONE: UndoRecord = UndoRecord { kind: UndoKind::Edge, detail: 0, node: 0, aux: 0, image_words: 0 };

    #[inline]
    fn decode(head: u64, aux: u64) -> UndoRecord {
        let kind = match head & 0xff {
            1 => UndoKind::Edge,
            2 => UndoKind::Write,
            3 => UndoKind::Acquire,
            4 => UndoKind::Release,
            other => unreachable!("undo record of kind {other}"),
        };
        let image_words = (head >> 16 & 0xffff) as usize;
        UndoRecord { kind, detail: (head >> 8) as u8, node: (head >> 32) as u32, aux, image_words }
    }
}

/// Words of a record.
const RECORD_WORDS: usize = 2;
/// Bytes of a record, and what images are rounded up to.
const RECORD_BYTES: u64 = 16;

/// How much was written into each of the two rings since the start. A rollback takes it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UndoPosition {
    /// Records.
    pub(crate) records: u64,
    /// Pairs of words of images.
    pub(crate) pairs: u64,
}

impl UndoPosition {
    /// Whether everything written from here on lies at or behind `tail`.
    pub(crate) fn is_whole_from(self, tail: UndoPosition) -> bool {
        tail.records <= self.records && tail.pairs <= self.pairs
    }
}

/// Where an image lies: which pair of words is its first.
pub(crate) type ImagePlace = u32;

/// Places are below this: those who note them need a few other numbers beside. 64 GiB of images, which no configuration
/// asks for, since a third of at most as much is for records.
pub(crate) const IMAGE_PLACES_MAX: ImagePlace = ImagePlace::MAX - 1;

pub(crate) struct UndoRing {
    records: HugeSlice<u64>,
    images: HugeSlice<u64>,
    head: UndoPosition,
    tail: UndoPosition,
    /// Where in `records` and `images` the head is, in words. Kept, since a division for each would cost more than the
    /// word.
    record_place: usize,
    image_place: usize,
}

fn step_on(place: usize, count: usize, length: usize) -> usize {
    let next = place + count;
    if next >= length { next - length } else { next }
}

fn step_back(place: usize, count: usize, length: usize) -> usize {
    if count <= place { place - count } else { place + length - count }
}

impl UndoRing {
    /// Rings of `bytes` in all (at least 64 KiB, so that any batch fits): a third for records and two for images, as a
    /// move with 40 bytes of payload fills them. `None` where the system has not the memory, or places of images would not
    /// fit into an [`ImagePlace`].
    pub(crate) fn new(bytes: usize) -> Option<UndoRing> {
        let records_max = bytes.max(64 * 1024) / 3 / RECORD_BYTES as usize;
        let pairs_max = 2 * records_max;
        if pairs_max > IMAGE_PLACES_MAX as usize {
            return None;
        }
        let records = HugeSlice::new(records_max * RECORD_WORDS)?;
        let images = HugeSlice::new(pairs_max * 2)?;
        let (head, tail) = (UndoPosition::default(), UndoPosition::default());
        Some(UndoRing { records, images, head, tail, record_place: 0, image_place: 0 })
    }

    /// Position behind the last record.
    pub(crate) fn head(&self) -> UndoPosition {
        self.head
    }

    /// Position from which on history is whole.
    pub(crate) fn tail(&self) -> UndoPosition {
        self.tail
    }

    /// Bytes of history held.
    pub(crate) fn bytes_used(&self) -> u64 {
        (self.head.records - self.tail.records + self.head.pairs - self.tail.pairs) * RECORD_BYTES
    }

    /// Writes what the edge was.
    #[inline]
    pub(crate) fn push_edge(&mut self, source: u32, target: u32, before: Before) {
        let head = u64::from(source) << 32 | u64::from(before.step) << 8 | UndoKind::Edge as u64;
        self.push_record(head, u64::from(before.mask) << 32 | u64::from(target));
    }

    /// Writes a record with the words of an image, none or as many as it uses.
    pub(crate) fn push(&mut self, kind: UndoKind, tenant: u8, node: u32, aux: u64, image: &[u64]) {
        debug_assert!(image.len() <= SLOT_WORDS && (image.is_empty() || image[0] as u32 == node));
        self.push_image(image);
        let head = u64::from(node) << 32 | (image.len() as u64) << 16 | u64::from(tenant) << 8 | kind as u64;
        self.push_record(head, aux);
    }

    #[inline]
    fn push_record(&mut self, head: u64, aux: u64) {
        self.records[self.record_place..][..RECORD_WORDS].copy_from_slice(&[head, aux]);
        self.record_place = step_on(self.record_place, RECORD_WORDS, self.records.len());
        self.head.records += 1;
        let held_max = (self.records.len() / RECORD_WORDS) as u64;
        self.tail.records = self.tail.records.max(self.head.records.saturating_sub(held_max));
    }

    fn push_image(&mut self, image: &[u64]) {
        let (front, behind) = image.split_at(image.len().min(self.images.len() - self.image_place));
        self.images[self.image_place..][..front.len()].copy_from_slice(front);
        self.images[..behind.len()].copy_from_slice(behind);
        self.image_place = step_on(self.image_place, image.len().next_multiple_of(2), self.images.len());
        self.head.pairs += image.len().div_ceil(2) as u64;
        let held_max = (self.images.len() / 2) as u64;
        self.tail.pairs = self.tail.pairs.max(self.head.pairs.saturating_sub(held_max));
    }

    /// Reads the last records behind `end`, newest first, as many as there are and fit; returns how many. `end` must be at
    /// or above the tail.
    pub(crate) fn read_back(&self, end: UndoPosition, records: &mut [UndoRecord]) -> usize {
        debug_assert!(end.is_whole_from(self.tail));
        let count = (self.head.records - end.records).min(records.len() as u64) as usize;
        let mut place = self.record_place;
        for record in &mut records[..count] {
            place = step_back(place, RECORD_WORDS, self.records.len());
            *record = UndoRecord::decode(self.records[place], self.records[place + 1]);
        }
        count
    }

    /// Takes the last record, as read back, off, and with it its image, whose place is returned. Until something is pushed,
    /// [`UndoRing::image`] still reads that.
    #[inline]
    pub(crate) fn take_off(&mut self, record: &UndoRecord) -> ImagePlace {
        self.record_place = step_back(self.record_place, RECORD_WORDS, self.records.len());
        self.head.records -= 1;
        self.image_place = step_back(self.image_place, record.image_words.next_multiple_of(2), self.images.len());
        self.head.pairs -= record.image_words.div_ceil(2) as u64;
        (self.image_place / 2) as ImagePlace
    }

    /// Asks for the lines that a small image may lie in.
    pub(crate) fn prefetch_image(&self, place: ImagePlace) {
        let first = place as usize * 2;
        prefetch(&self.images[first]);
        prefetch(&self.images[step_on(first, 7, self.images.len())]);
    }

    /// An image that was taken off, zero behind the words in use, and the number of these.
    pub(crate) fn image(&self, place: ImagePlace) -> (SlotImage, usize) {
        let first = place as usize * 2;
        let mut image = [0; SLOT_WORDS];
        // Pairs are never torn: the ring has an even number of words.
        image[..2].copy_from_slice(&self.images[first..][..2]);
        let words = words_used(&image);
        let (front, behind) = image[..words].split_at_mut(words.min(self.images.len() - first));
        front.copy_from_slice(&self.images[first..][..front.len()]);
        behind.copy_from_slice(&self.images[..behind.len()]);
        (image, words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image of node 2 with so many words in use, 3 at least.
    fn image_of(words: u64) -> SlotImage {
        let mut image: SlotImage =
            std::array::from_fn(|index| if (index as u64) < words { index as u64 + 1 } else { 0 });
        image[0] = 2;
        image[1] = ((words - 3) * 8) << 48;
        image
    }

    #[test]
    fn records_come_back_in_reverse_over_many_rounds_of_the_ring() {
        let mut ring = UndoRing::new(0).unwrap();
        let mut ends = vec![];
        for round in 0..5_000_u64 {
            let words = 3 + round % 30;
            ring.push(UndoKind::Edge, 0, 1, round, &[]);
            ring.push(UndoKind::Write, 3, 2, round, &image_of(words)[..words as usize]);
            ends.push(ring.head());
        }
        assert!(ring.bytes_used() <= 64 * 1024 && ring.bytes_used() > 32 * 1024);
        let (tail, mut round) = (ring.tail(), 5_000);
        let mut ahead = [UndoRecord::NONE; 7];
        while ends[round - 2].is_whole_from(tail) {
            let end = ends[round - 2];
            assert_eq!(ring.read_back(end, &mut ahead), 2);
            round -= 1;
            let words = 3 + round as u64 % 30;
            assert_eq!((ahead[0].kind, ahead[0].detail, ahead[0].node), (UndoKind::Write, 3, 2));
            assert_eq!((ahead[0].aux, ahead[0].image_words as u64), (round as u64, words));
            let place = ring.take_off(&ahead[0]);
            assert_eq!(ring.image(place), (image_of(words), words as usize));
            assert_eq!((ahead[1].kind, ahead[1].node, ahead[1].aux), (UndoKind::Edge, 1, round as u64));
            ring.take_off(&ahead[1]);
            assert_eq!(ring.head(), end);
        }
        assert!(round < 4_900, "the ring held {} rounds", 5_000 - round);
    }
}
