//! The table of producers: who writes commands, from which process, and where what they are told lies.
//!
//! An entry is taken by a compare-and-set that says whose it is, and given back by the engine alone, once everything its
//! producer committed is taken. What names an entry carries its epoch, so that nothing of an earlier holder counts.

use crate::rings::answers::Answers;
use crate::rings::claims::{ClaimWord, Claims, STAGE_IDLE};
use crate::rings::doorbell::Doorbell;
use crate::rings::layout::{
    PRODUCER_BELL, PRODUCER_BYTES, PRODUCER_CLAIM, PRODUCER_FULL, PRODUCER_NAMESPACE, PRODUCER_PLACE, PRODUCER_SIGN,
    PRODUCER_START, PRODUCER_STATE,
};
use crate::rings::process::ProcessIdentity;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

const ENTRY_WORDS: usize = PRODUCER_BYTES / 8;
const EPOCH_MASK: u32 = 0x00ff_ffff;

/// What an entry is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// Nobody's.
    Free = 0,
    /// Taken, not filled in yet.
    Registering = 1,
    /// A producer's.
    Live = 2,
    /// Its producer left or died; the engine takes what is there and frees it.
    Leaving = 3,
}

/// The first word of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryState {
    /// What it is doing.
    pub stage: Stage,
    /// How often it was taken, modulo 2^24.
    pub epoch: u32,
    /// The process that holds it; 0 where its number is not one of the engine's namespace and tells the engine nothing.
    pub pid: u32,
}

impl EntryState {
    #[inline]
    fn word(self) -> u64 {
        self.stage as u64 | u64::from(self.epoch & EPOCH_MASK) << 8 | u64::from(self.pid) << 32
    }

    #[inline]
    fn of(word: u64) -> EntryState {
        let stage = match word as u8 {
            1 => Stage::Registering,
            2 => Stage::Live,
            3 => Stage::Leaving,
            _ => Stage::Free,
        };
        EntryState { stage, epoch: (word >> 8) as u32 & EPOCH_MASK, pid: (word >> 32) as u32 }
    }
}

/// A producer that called, told from a later one of the same entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its entry.
    pub entry: usize,
    /// The entry's epoch then.
    epoch: u32,
}

/// The table; `Copy`. Each word has one writer: the process that holds the entry, or the engine.
#[derive(Clone, Copy)]
pub struct Producers {
    words: &'static [AtomicU64],
    /// The same memory by halves; only the doorbells are used this way, and never as words.
    halves: &'static [AtomicU32],
    /// In which the engine's process has its number.
    engine_namespace: u64,
}

/// What a producer says of itself when it registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Its process.
    pub process: ProcessIdentity,
    /// On whose quota its moves count; 0 without tenants.
    pub tenant: u32,
    /// Whether it wants a lane of its own where one is free.
    pub lane: bool,
    /// Now.
    pub unix_ms: u64,
}

impl Producers {
    pub(crate) fn new(words: &'static [AtomicU64], halves: &'static [AtomicU32], engine_namespace: u64) -> Producers {
        Producers { words, halves, engine_namespace }
    }

    /// Number of entries.
    #[inline]
    pub fn len(&self) -> usize {
        self.words.len() / ENTRY_WORDS
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    #[inline]
    fn entry(&self, entry: usize) -> &'static [AtomicU64] {
        &self.words[entry * ENTRY_WORDS..][..ENTRY_WORDS]
    }

    #[inline]
    pub(super) fn word(&self, entry: usize, offset: usize) -> &'static AtomicU64 {
        &self.entry(entry)[offset / 8]
    }

    pub(crate) fn claims(&self) -> Claims {
        Claims::new(&self.words[PRODUCER_CLAIM / 8..], ENTRY_WORDS)
    }

    /// What the entry is doing.
    #[inline]
    pub fn state(&self, entry: usize) -> EntryState {
        EntryState::of(self.word(entry, PRODUCER_STATE).load(Ordering::Acquire))
    }

    /// Whether the entry is nobody's, or there is no such entry.
    #[inline]
    pub(crate) fn is_free(&self, entry: usize) -> bool {
        let word = self.words.get(entry.saturating_mul(ENTRY_WORDS));
        word.is_none_or(|word| EntryState::of(word.load(Ordering::Acquire)).stage == Stage::Free)
    }

    /// What is told to the entry's producer.
    pub fn answers(&self, entry: usize) -> Answers {
        Answers::new(self.entry(entry))
    }

    /// The doorbell on which the entry's producer sleeps.
    pub fn bell(&self, entry: usize) -> Doorbell {
        Doorbell::new(&self.halves[(entry * PRODUCER_BYTES + PRODUCER_BELL) / 4])
    }

    /// The entry's tenant.
    #[inline]
    pub fn tenant(&self, entry: usize) -> u32 {
        (self.word(entry, PRODUCER_PLACE).load(Ordering::Relaxed) >> 32) as u32
    }

    /// The entry's lane, if it has one.
    pub fn lane(&self, entry: usize) -> Option<usize> {
        (self.word(entry, PRODUCER_PLACE).load(Ordering::Relaxed) as u32).checked_sub(1).map(|lane| lane as usize)
    }

    /// How often the entry's producer found no room.
    pub fn full(&self, entry: usize) -> u64 {
        self.word(entry, PRODUCER_FULL).load(Ordering::Relaxed)
    }

    pub(crate) fn count_full(&self, entry: usize) {
        let word = self.word(entry, PRODUCER_FULL);
        word.store(word.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// The process of a live entry.
    pub fn process(&self, entry: usize) -> ProcessIdentity {
        ProcessIdentity {
            pid: self.state(entry).pid,
            start_ticks: self.word(entry, PRODUCER_START).load(Ordering::Relaxed),
            namespace: self.word(entry, PRODUCER_NAMESPACE).load(Ordering::Relaxed),
        }
    }

    /// Who holds the entry.
    pub fn caller(&self, entry: usize) -> Caller {
        Caller { entry, epoch: self.state(entry).epoch }
    }

    /// Whether the caller still holds its entry: it has neither left nor been found dead.
    pub fn is_there(&self, caller: &Caller) -> bool {
        let state = self.state(caller.entry);
        state.epoch == caller.epoch && state.stage == Stage::Live
    }

    /// Takes a free entry for this process; what else it says of itself follows before [`Producers::welcome`].
    pub(crate) fn take(&self, registration: &Registration) -> Option<(usize, EntryState)> {
        let process = &registration.process;
        // Said with the very step that takes the entry: a process that the engine cannot see must never be taken for dead
        // before it has said where it lives.
        let pid = if process.namespace == self.engine_namespace { process.pid } else { 0 };
        let (entry, state) = (0..self.len()).find_map(|entry| {
            let found = self.state(entry);
            let epoch = (found.epoch + 1) & EPOCH_MASK;
            let wanted = EntryState { stage: Stage::Registering, epoch, pid };
            (found.stage == Stage::Free && self.change(entry, found, wanted)).then_some((entry, wanted))
        })?;
        self.word(entry, PRODUCER_START).store(process.start_ticks, Ordering::Relaxed);
        self.word(entry, PRODUCER_NAMESPACE).store(process.namespace, Ordering::Relaxed);
        self.word(entry, PRODUCER_SIGN).store(registration.unix_ms, Ordering::Relaxed);
        Some((entry, state))
    }

    /// The entry is filled in: it lives from here on. `false`: the engine took the registration for a dead one's.
    pub(crate) fn welcome(&self, entry: usize, state: EntryState, lane: Option<usize>, tenant: u32) -> bool {
        let place = lane.map_or(0, |lane| lane as u64 + 1) | u64::from(tenant) << 32;
        self.word(entry, PRODUCER_PLACE).store(place, Ordering::Relaxed);
        self.change(entry, state, EntryState { stage: Stage::Live, ..state })
    }

    /// Says that a live producer goes, or that it died. `false`: it was said before.
    pub(crate) fn leave(&self, entry: usize, epoch: u32) -> bool {
        let state = self.state(entry);
        let same = state.epoch == epoch && matches!(state.stage, Stage::Live | Stage::Registering);
        same && self.change(entry, state, EntryState { stage: Stage::Leaving, ..state })
    }

    /// Engine: the entry is nobody's, and empty.
    pub(crate) fn free(&self, entry: usize) {
        let state = self.state(entry);
        self.claims().word(entry).store(ClaimWord::new(0, 0, STAGE_IDLE).0, Ordering::Relaxed);
        for offset in [PRODUCER_START, PRODUCER_NAMESPACE, PRODUCER_PLACE, PRODUCER_SIGN, PRODUCER_FULL] {
            self.word(entry, offset).store(0, Ordering::Relaxed);
        }
        self.answers(entry).clear();
        self.bell(entry).awake();
        self.change(entry, state, EntryState { stage: Stage::Free, pid: 0, ..state });
    }

    fn change(&self, entry: usize, from: EntryState, to: EntryState) -> bool {
        // Release: what was written into the entry before is seen by whoever sees the new state.
        let word = self.word(entry, PRODUCER_STATE);
        word.compare_exchange(from.word(), to.word(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}
