//! The event ring: what the engine tells Java, 64 bytes an event, written once, never waiting for a reader.
//!
//! Cell: `{u64 sequence, 16-byte record header, 40-byte body}`. The cell of position `p` is `p mod 16,384`. Its sequence
//! is 0 while it is written and `p + 1` once it may be read, so a reader needs no tail: it polls the cell of its own
//! position, copies, and looks at the sequence again. A higher sequence than expected means that the ring went round:
//! the reader was overtaken and knows by how much. Several readers each keep their own position.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::huge::prefetch_to_write;
use crate::layout::{EVENT_BODY_BYTES, EVENT_BYTES};

/// How far ahead the lines are asked for that readers have in their caches. With it a reader on a core nearby gets 2.3 times as
/// many events as through Agrona's ring, without it 2.1 times.
const AHEAD_CELLS: u64 = 32;

const CELL_WORDS: usize = EVENT_BYTES / 8;
const BODY_WORDS: usize = EVENT_BODY_BYTES / 8;

/// What happened. The body holds little-endian words as listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session was welcomed: `{u64 tenant}`.
    SessionOpened {
        /// The session.
        session: u32,
        /// Its tenant.
        tenant: u32,
    },
    /// A session ended: `{u64 status}`.
    SessionClosed {
        /// The session.
        session: u32,
        /// Why: a status number, 0 when the client left.
        status: u16,
    },
    /// The state went back: `{u64 revision, u64 branch, u64 revisions undone}`.
    RolledBack {
        /// The revision now.
        revision: u64,
        /// The branch now.
        branch: u64,
        /// How many revisions were undone.
        revisions: u64,
    },
    /// A move found no slot for this tenant; told once until a slot comes back: `{u64 tenant}`.
    SlotsExhausted {
        /// The tenant.
        tenant: u32,
    },
    /// The share of holes below the highest used slot passed the configured threshold: `{u64 holes}`.
    Fragmented {
        /// Free slots below the highest used one.
        holes: u64,
    },
    /// The engine failed and is frozen.
    Poisoned,
}

impl Event {
    #[inline]
    fn encode(self) -> (u8, u32, usize, [u64; BODY_WORDS]) {
        match self {
            Event::SessionOpened { session, tenant } => (0x80, session, 1, [u64::from(tenant), 0, 0, 0, 0]),
            Event::SessionClosed { session, status } => (0x81, session, 1, [u64::from(status), 0, 0, 0, 0]),
            Event::RolledBack { revision, branch, revisions } => (0x82, 0, 3, [revision, branch, revisions, 0, 0]),
            Event::SlotsExhausted { tenant } => (0x83, 0, 1, [u64::from(tenant), 0, 0, 0, 0]),
            Event::Fragmented { holes } => (0x84, 0, 1, [holes, 0, 0, 0, 0]),
            Event::Poisoned => (0x85, 0, 0, [0; BODY_WORDS]),
        }
    }
}

/// The engine's hold on the ring: the one writer.
pub struct EventRing {
    words: &'static [AtomicU64],
    position: u64,
}

impl EventRing {
    pub(crate) fn new(words: &'static [AtomicU64]) -> EventRing {
        assert!((words.len() / CELL_WORDS).is_power_of_two());
        EventRing { words, position: 0 }
    }

    /// Masked, since their number is a power of two: a division for each event would take longer than the event.
    #[inline]
    fn first_word(&self, position: u64) -> usize {
        position as usize * CELL_WORDS & (self.words.len() - 1)
    }

    /// Writes the event into the next cell and returns its position.
    #[inline]
    pub fn publish(&mut self, event: Event) -> u64 {
        let (kind, session, body_words, body) = event.encode();
        let position = self.position;
        prefetch_to_write(&self.words[self.first_word(position + AHEAD_CELLS)]);
        let cell = &self.words[self.first_word(position)..][..CELL_WORDS];
        cell[0].store(0, Ordering::Relaxed);
        // Pairs with the acquire fence of readers: whoever sees a byte of this event sees that the cell is not theirs.
        fence(Ordering::Release);
        let length = (body_words * 8) as u64;
        cell[1].store(u64::from(session) << 32 | length << 16 | u64::from(kind), Ordering::Relaxed);
        cell[2].store(position, Ordering::Relaxed);
        for (word, value) in cell[3..].iter().zip(body) {
            word.store(value, Ordering::Relaxed);
        }
        cell[0].store(position + 1, Ordering::Release);
        self.position += 1;
        position
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Mapping;

    #[test]
    fn cells_carry_position_header_and_body_and_go_round() {
        let words = Mapping::anonymous(4 * EVENT_BYTES, false).unwrap().words(0, 4 * CELL_WORDS);
        let mut ring = EventRing::new(words);
        for session in 0..6 {
            assert_eq!(ring.publish(Event::SessionOpened { session, tenant: 9 }), u64::from(session));
        }
        let cell: Vec<u64> =
            words[CELL_WORDS..][..CELL_WORDS].iter().map(|word| word.load(Ordering::Relaxed)).collect();
        assert_eq!(cell, [6, 5 << 32 | 8 << 16 | 0x80, 5, 9, 0, 0, 0, 0]);
        ring.publish(Event::RolledBack { revision: 1, branch: 2, revisions: 3 });
        let cell: Vec<u64> =
            words[2 * CELL_WORDS..][..CELL_WORDS].iter().map(|word| word.load(Ordering::Relaxed)).collect();
        assert_eq!(cell, [7, 24 << 16 | 0x82, 6, 1, 2, 3, 0, 0]);
    }
}
