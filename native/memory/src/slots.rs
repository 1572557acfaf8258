//! The slot arena: `capacity` slots of 256 bytes in the shared region, and which of them are free.
//!
//! A new slot is always the free one with the lowest number, so the same moves give the same slots everywhere. The
//! free set is a tree of bitmaps, 64 to a word: finding, taking and returning cost one word a level.

use crate::huge::prefetch;
use crate::layout::SLOT_BYTES;
use crate::sync::{AtomicU64, Ordering};

/// Words in a slot.
pub const SLOT_WORDS: usize = SLOT_BYTES / 8;
/// Bytes before the payload.
pub const SLOT_HEAD_BYTES: usize = 24;
/// Most bytes of payload.
pub const PAYLOAD_BYTES_MAX: usize = SLOT_BYTES - SLOT_HEAD_BYTES;
/// Words before the payload.
pub const SLOT_HEAD_WORDS: usize = SLOT_HEAD_BYTES / 8;

/// The content of a slot as words: byte 0 is the low byte of word 0.
pub type SlotImage = [u64; SLOT_WORDS];

/// Number of words in use in an image: the head and the payload its length field tells, at most all.
pub fn words_used(image: &SlotImage) -> usize {
    let payload_bytes = usize::from((image[1] >> 48) as u16).min(PAYLOAD_BYTES_MAX);
    SLOT_HEAD_WORDS + payload_bytes.div_ceil(8)
}

/// The slots as words; `Copy`. Only the engine thread stores.
#[derive(Clone, Copy)]
pub struct SlotWords {
    words: &'static [AtomicU64],
}

impl SlotWords {
    pub(crate) fn new(words: &'static [AtomicU64]) -> SlotWords {
        assert!(words.len().is_multiple_of(SLOT_WORDS));
        SlotWords { words }
    }

    /// Number of slots.
    pub fn len(&self) -> usize {
        self.words.len() / SLOT_WORDS
    }

    /// Whether there is no slot.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The content of the slot. Consistent only for the engine thread, or under a node's sequence.
    pub fn load(&self, slot: u32) -> SlotImage {
        let words = &self.words[slot as usize * SLOT_WORDS..][..SLOT_WORDS];
        std::array::from_fn(|index| words[index].load(Ordering::Relaxed))
    }

    /// The content of the slot up to the last word in use, zero behind it, and the number of words in use. Reads only
    /// what is in use: a slot has four cache lines and a small payload fills one or two.
    pub fn load_used(&self, slot: u32) -> (SlotImage, usize) {
        let words = &self.words[slot as usize * SLOT_WORDS..][..SLOT_WORDS];
        let mut image = [0; SLOT_WORDS];
        image[1] = words[1].load(Ordering::Relaxed);
        let used = words_used(&image);
        for (value, word) in image.iter_mut().zip(words).take(used) {
            *value = word.load(Ordering::Relaxed);
        }
        (image, used)
    }

    /// Asks for the first `bytes` of the slot, which are going to be used soon.
    pub fn prefetch(&self, slot: u32, bytes: usize) {
        let words = &self.words[slot as usize * SLOT_WORDS..][..SLOT_WORDS];
        words.chunks(8).take(bytes.div_ceil(64)).for_each(|line| prefetch(&line[0]));
    }

    /// Writes the first `count` words; the rest of the slot stays. Under a node's sequence: see `NodeTable::update`.
    pub fn store(&self, slot: u32, image: &SlotImage, count: usize) {
        let words = &self.words[slot as usize * SLOT_WORDS..][..SLOT_WORDS];
        for (word, value) in words.iter().zip(image).take(count) {
            word.store(*value, Ordering::Relaxed);
        }
    }
}

/// The set of free slots.
pub struct FreeSlots {
    /// Bit set: something free below. Level 0 has a bit a slot, each further one a bit a word of the one before.
    levels: Vec<Vec<u64>>,
    capacity: u32,
    used: u32,
}

impl FreeSlots {
    /// A set of `capacity` slots, all free. Memory is taken here and never again; `None` where there is none.
    pub fn new(capacity: u32) -> Option<FreeSlots> {
        let mut levels = Vec::new();
        let mut bits = capacity as usize;
        loop {
            let mut words = Vec::new();
            words.try_reserve_exact(bits.div_ceil(64).max(1)).ok()?;
            words.resize(bits.div_ceil(64).max(1), u64::MAX);
            if let Some(last) = words.last_mut().filter(|_| !bits.is_multiple_of(64) || bits == 0) {
                *last = (1 << (bits % 64)) - 1;
            }
            bits = words.len();
            levels.push(words);
            if bits == 1 {
                return Some(FreeSlots { levels, capacity, used: 0 });
            }
        }
    }

    /// Number of slots there are.
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Number of slots in use.
    pub fn used(&self) -> u32 {
        self.used
    }

    /// One more than the highest slot in use, 0 when all are free.
    pub fn high_water(&self) -> u32 {
        let words = &self.levels[0];
        for (index, word) in words.iter().enumerate().rev() {
            let bits = if index + 1 == words.len() { self.capacity as usize - index * 64 } else { 64 };
            let all = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
            let taken = !word & all;
            if taken != 0 {
                return (index * 64) as u32 + 64 - taken.leading_zeros();
            }
        }
        0
    }

    /// The free slot with the lowest number, without taking it.
    pub fn lowest(&self) -> Option<u32> {
        let mut index = 0_usize;
        for level in self.levels.iter().rev() {
            let word = level[index];
            if word == 0 {
                return None;
            }
            index = index * 64 + word.trailing_zeros() as usize;
        }
        Some(index as u32)
    }

    /// Takes this free slot.
    pub fn take(&mut self, slot: u32) {
        debug_assert!(self.is_free(slot));
        self.used += 1;
        let mut index = slot as usize;
        for level in &mut self.levels {
            let word = &mut level[index / 64];
            *word &= !(1 << (index % 64));
            if *word != 0 {
                return;
            }
            index /= 64;
        }
    }

    /// Returns this used slot.
    pub fn give(&mut self, slot: u32) {
        debug_assert!(slot < self.capacity && !self.is_free(slot));
        self.used -= 1;
        let mut index = slot as usize;
        for level in &mut self.levels {
            let word = &mut level[index / 64];
            let had = *word != 0;
            *word |= 1 << (index % 64);
            if had {
                return;
            }
            index /= 64;
        }
    }

    /// Whether the slot is free.
    pub fn is_free(&self, slot: u32) -> bool {
        self.levels[0][slot as usize / 64] >> (slot % 64) & 1 == 1
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::mapping::Mapping;

    #[test]
    fn the_lowest_free_slot_comes_first_like_in_an_ordered_set() {
        for capacity in [1_u32, 2, 63, 64, 65, 4_095, 4_096, 4_097, 300_000] {
            let mut slots = FreeSlots::new(capacity).unwrap();
            let mut model: BTreeSet<u32> = (0..capacity.min(5_000)).collect();
            let mut taken = Vec::new();
            let mut random = u64::from(capacity) | 1;
            for step in 0..4_000 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if random >> 62 != 0 {
                    let lowest = slots.lowest();
                    assert_eq!(lowest, model.first().copied(), "capacity {capacity}, step {step}");
                    if let Some(slot) = lowest {
                        slots.take(slot);
                        model.remove(&slot);
                        taken.push(slot);
                    }
                } else if !taken.is_empty() {
                    let slot = taken.swap_remove((random >> 20) as usize % taken.len());
                    slots.give(slot);
                    model.insert(slot);
                }
                assert_eq!(slots.used() as usize, taken.len());
                assert_eq!(slots.high_water(), taken.iter().max().map_or(0, |slot| slot + 1));
            }
        }
    }

    #[test]
    fn what_is_loaded_is_what_was_stored_up_to_the_last_word_in_use() {
        let slots = SlotWords::new(Mapping::anonymous(4096, false).unwrap().words(0, 2 * SLOT_WORDS));
        for payload_bytes in 0..=PAYLOAD_BYTES_MAX as u64 {
            let mut image: SlotImage = std::array::from_fn(|index| index as u64 + 7);
            image[1] = payload_bytes << 48 | 3;
            slots.store(1, &image, SLOT_WORDS);
            slots.prefetch(1, 256);
            let (found, used) = slots.load_used(1);
            assert_eq!(used, words_used(&image));
            assert_eq!(found[..used], image[..used]);
            assert!(found[used..].iter().all(|word| *word == 0));
        }
    }

    #[test]
    fn words_used_covers_head_and_payload_and_never_more_than_the_slot() {
        let mut image = [0; SLOT_WORDS];
        for (payload_bytes, words) in [(0_u64, 3), (1, 4), (8, 4), (9, 5), (232, 32), (65_535, 32)] {
            image[1] = payload_bytes << 48;
            assert_eq!(words_used(&image), words);
        }
    }
}
