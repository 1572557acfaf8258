//! Slots that a rollback has still to restore, and where their content stands in the undo ring.
//!
//! A slot that changed a hundred times in the window has a hundred before-images there, of which the oldest is what it
//! goes back to. So a rollback, which walks from the newest to the oldest, only notes where the last one it met stands,
//! and restores each slot once, at the end.

use lodestone_memory::huge::prefetch;

use crate::undo::{IMAGE_PLACES_MAX, ImagePlace};

/// No image noted, and not in the list.
const UNTOUCHED: u32 = 0;
/// In the list, but nothing to restore: the slot was given back or restored since.
const SETTLED: u32 = 1;
/// Added to the place of an image, so that it is neither of the above.
const PLACES: u32 = 2;
const _: () = assert!(IMAGE_PLACES_MAX as u64 - 1 + PLACES as u64 <= u32::MAX as u64);

/// What is still to be restored. All memory is taken at the start: 8 bytes a slot.
pub(crate) struct SlotRestores {
    /// By slot: one of the above, or [`PLACES`] and the place.
    notes: Vec<u32>,
    /// Every slot whose note is not [`UNTOUCHED`], each once.
    touched: Vec<u32>,
}

impl SlotRestores {
    /// For `capacity` slots; `None` where memory is short.
    pub(crate) fn new(capacity: u32) -> Option<SlotRestores> {
        let (mut notes, mut touched) = (Vec::new(), Vec::new());
        notes.try_reserve_exact(capacity as usize).ok()?;
        touched.try_reserve_exact(capacity as usize).ok()?;
        notes.resize(capacity as usize, UNTOUCHED);
        // Written to once, so that no rollback waits for a page.
        touched.resize(capacity as usize, 0);
        touched.clear();
        Some(SlotRestores { notes, touched })
    }

    /// Asks for the slot's note.
    pub(crate) fn prefetch(&self, slot: u32) {
        prefetch(&self.notes[slot as usize]);
    }

    /// The slot goes back to the image at this place, unless an older one is noted later.
    pub(crate) fn note(&mut self, slot: u32, place: ImagePlace) {
        let before = std::mem::replace(&mut self.notes[slot as usize], PLACES + place);
        if before == UNTOUCHED {
            self.touched.push(slot);
        }
    }

    /// The slot needs nothing of what was noted so far.
    pub(crate) fn settle(&mut self, slot: u32) {
        let note = &mut self.notes[slot as usize];
        if *note != UNTOUCHED {
            *note = SETTLED;
        }
    }

    /// Takes some of the slots that are to be restored; returns how many, 0 when all are done.
    pub(crate) fn take(&mut self, into: &mut [(u32, ImagePlace)]) -> usize {
        let mut count = 0;
        while count < into.len()
            && let Some(slot) = self.touched.pop()
        {
            let note = std::mem::replace(&mut self.notes[slot as usize], UNTOUCHED);
            if note >= PLACES {
                into[count] = (slot, note - PLACES);
                count += 1;
            }
        }
        count
    }
}
