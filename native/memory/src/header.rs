//! The header page of the shared region: who owns it, whether it lives, and the last commit.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::layout::{
    HEADER_BYTES, HEADER_COMMIT, HEADER_GENERATION, HEADER_HEARTBEAT, HEADER_POISON, HEADER_STATE_PID, POISON_TEXT_MAX,
};

/// What the engine is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EngineState {
    /// Sections are being prepared.
    Starting = 1,
    /// Moves are taken.
    Running = 2,
    /// The engine failed: the state is frozen at its last commit and stays readable.
    Poisoned = 3,
    /// Closing: no new work.
    Closing = 4,
    /// Closed.
    Closed = 5,
}

/// What a commit publishes, all of it belonging to one revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// The revision.
    pub revision: u64,
    /// First lane of the state hash.
    pub hash_low: u64,
    /// Second lane of the state hash.
    pub hash_high: u64,
    /// Edges in the graph.
    pub edges: u64,
    /// Slots in use.
    pub slots_used: u64,
    /// Oldest revision that a rollback can reach.
    pub oldest_revision: u64,
    /// Time of the commit, Unix milliseconds.
    pub commit_unix_ms: u64,
    /// Number of rollbacks before this revision.
    pub branch: u64,
    /// Moves and releases accepted since the start.
    pub moves_accepted: u64,
}

/// A handle on the header page; `Copy`. `publish`, `set_state` and `poison` belong to the engine thread (or to the
/// thread that opens and closes, while there is no engine thread); everything else to anyone.
#[derive(Clone, Copy)]
pub struct Header {
    words: &'static [AtomicU64],
}

impl Header {
    pub(crate) fn new(words: &'static [AtomicU64]) -> Header {
        assert_eq!(words.len(), HEADER_BYTES / 8);
        Header { words }
    }

    fn word(&self, offset: usize) -> &'static AtomicU64 {
        &self.words[offset / 8]
    }

    pub(crate) fn store(&self, offset: usize, value: u64) {
        // Release: what was written before, sections and table, is visible to whoever sees this word.
        self.word(offset).store(value, Ordering::Release);
    }

    /// The state of the engine; `None` once closed and given back.
    pub fn state(&self) -> Option<EngineState> {
        match self.word(HEADER_STATE_PID).load(Ordering::Acquire) as u32 {
            1 => Some(EngineState::Starting),
            2 => Some(EngineState::Running),
            3 => Some(EngineState::Poisoned),
            4 => Some(EngineState::Closing),
            5 => Some(EngineState::Closed),
            _ => None,
        }
    }

    /// Sets the state, keeping the process id beside it.
    pub fn set_state(&self, state: EngineState) {
        let pid = u64::from(std::process::id());
        self.store(HEADER_STATE_PID, pid << 32 | state as u64);
    }

    /// The generation: not 0 while the engine is open.
    pub fn generation(&self) -> u64 {
        self.word(HEADER_GENERATION).load(Ordering::Acquire)
    }

    /// Writes the time of the last sign of life.
    pub fn beat(&self, now_unix_ms: u64) {
        self.word(HEADER_HEARTBEAT).store(now_unix_ms, Ordering::Relaxed);
    }

    /// The published revision, alone.
    pub fn revision(&self) -> u64 {
        // Acquire pairs with the release in `publish`: whoever sees a revision sees the slots of that revision.
        self.word(HEADER_COMMIT + 8).load(Ordering::Acquire)
    }

    /// Publishes a commit: readers see all of the old one or all of the new one.
    pub fn publish(&self, commit: &Commit) {
        let line = &self.words[HEADER_COMMIT / 8..][..10];
        let sequence = line[0].load(Ordering::Relaxed);
        line[0].store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        for (word, value) in line[1..].iter().zip(commit.words()) {
            word.store(value, Ordering::Release);
        }
        line[0].store(sequence.wrapping_add(2), Ordering::Release);
    }

    /// The last commit as one consistent whole.
    pub fn commit(&self) -> Commit {
        let line = &self.words[HEADER_COMMIT / 8..][..10];
        loop {
            let before = line[0].load(Ordering::Acquire);
            let values: [u64; 9] = std::array::from_fn(|index| line[index + 1].load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if before & 1 == 0 && line[0].load(Ordering::Relaxed) == before {
                return Commit::from_words(values);
            }
            std::hint::spin_loop();
        }
    }

    /// Freezes the engine: writes why (cut at a character to fit), then the state. The first reason stays.
    pub fn poison(&self, text: &str) {
        if self.state() == Some(EngineState::Poisoned) {
            return;
        }
        let mut end = text.len().min(POISON_TEXT_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let mut bytes = [0_u8; POISON_TEXT_MAX + 4];
        bytes[..4].copy_from_slice(&(end as u32).to_le_bytes());
        bytes[4..4 + end].copy_from_slice(&text.as_bytes()[..end]);
        for (word, chunk) in self.words[HEADER_POISON / 8..].iter().zip(bytes.chunks_exact(8)) {
            word.store(chunk.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)), Ordering::Relaxed);
        }
        self.set_state(EngineState::Poisoned);
    }

    /// Why the engine was poisoned, if it was.
    pub fn poison_text(&self) -> Option<String> {
        (self.state() == Some(EngineState::Poisoned)).then(|| {
            let words = &self.words[HEADER_POISON / 8..][..(POISON_TEXT_MAX + 4) / 8];
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect();
            let length = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
            String::from_utf8_lossy(&bytes[4..][..length.min(POISON_TEXT_MAX)]).into_owned()
        })
    }
}

impl Commit {
    fn words(&self) -> [u64; 9] {
        [
            self.revision,
            self.hash_low,
            self.hash_high,
            self.edges,
            self.slots_used,
            self.oldest_revision,
            self.commit_unix_ms,
            self.branch,
            self.moves_accepted,
        ]
    }

    fn from_words(words: [u64; 9]) -> Commit {
        let [revision, hash_low, hash_high, edges, slots_used, oldest_revision, commit_unix_ms, branch, moves_accepted] =
            words;
        Commit {
            revision,
            hash_low,
            hash_high,
            edges,
            slots_used,
            oldest_revision,
            commit_unix_ms,
            branch,
            moves_accepted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Mapping;

    fn header() -> Header {
        Header::new(Mapping::anonymous(HEADER_BYTES, false).unwrap().words(0, HEADER_BYTES / 8))
    }

    fn commit_of(revision: u64) -> Commit {
        Commit::from_words(std::array::from_fn(|index| revision * (index as u64 + 1)))
    }

    #[test]
    fn a_commit_is_read_whole_while_it_is_being_replaced() {
        let header = header();
        let writer = std::thread::spawn(move || (1..200_000).for_each(|revision| header.publish(&commit_of(revision))));
        let mut last = 0;
        while !writer.is_finished() {
            let commit = header.commit();
            assert_eq!(commit, commit_of(commit.revision));
            assert!(commit.revision >= last);
            last = commit.revision;
        }
        writer.join().unwrap();
        assert_eq!(header.commit(), commit_of(199_999));
    }

    #[test]
    fn poison_keeps_its_text_and_cuts_it_at_a_character() {
        let header = header();
        header.set_state(EngineState::Running);
        assert_eq!(header.poison_text(), None);
        header.poison(&"ü".repeat(600));
        assert_eq!(header.state(), Some(EngineState::Poisoned));
        assert_eq!(header.poison_text(), Some("ü".repeat(510)));
    }
}
