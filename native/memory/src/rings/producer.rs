//! A producer written in Rust: the same steps as Java's, for other processes and for tests.

use crate::rings::bridge::Bridge;
use crate::rings::cells::{Command, span_of};
use crate::rings::claims::{Claim, Full, claim_bytes_max};
use crate::rings::doorbell::Doorbell;
use crate::rings::lane::LaneProducer;
use crate::rings::layout::{BODY_BYTES_MAX, RECORD_HEAD_BYTES};
use crate::rings::producers::{EntryState, Registration};
use crate::rings::ring::RingProducer;
use crate::rings::sweep::owner_word;
use crate::sync::Ordering;

/// All entries of the table are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoEntry;

/// Why a command was not sent; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// There is no room now.
    Full,
    /// The engine gave the lane or the ring up because it held what no producer writes.
    Closed,
}

enum Sender {
    Lane(LaneProducer),
    Ring(RingProducer),
}

/// A registered producer. One thread. It leaves when it is dropped.
pub struct Producer {
    bridge: Bridge,
    entry: usize,
    epoch: u32,
    lane: Option<usize>,
    sender: Sender,
    claim_bytes_max: u64,
    counter: u64,
    bell: Doorbell,
}

impl Bridge {
    /// Registers a producer.
    ///
    /// # Errors
    /// [`NoEntry`].
    pub fn register(&self, registration: &Registration) -> Result<Producer, NoEntry> {
        loop {
            let (entry, state) = self.producers.take(registration).ok_or(NoEntry)?;
            let lane = if registration.lane { self.take_lane(entry, state) } else { None };
            if self.producers.welcome(entry, state, lane, registration.tenant) {
                return Ok(self.producer(entry, state.epoch, lane));
            }
        }
    }

    fn take_lane(&self, entry: usize, state: EntryState) -> Option<usize> {
        let owner = owner_word(entry, state.epoch);
        (0..self.lanes()).find(|lane| {
            let word = self.lane_words(*lane).owner;
            word.compare_exchange(0, owner, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })
    }

    fn producer(&self, entry: usize, epoch: u32, lane: Option<usize>) -> Producer {
        let (sender, capacity) = match lane {
            Some(lane) => {
                let words = self.lane_words(lane);
                (Sender::Lane(LaneProducer::new(words)), words.cells.capacity())
            }
            None => {
                let words = self.ring_words();
                let claim = self.producers.claims().word(entry);
                (Sender::Ring(RingProducer::new(words, claim)), words.cells.capacity())
            }
        };
        let claim_bytes_max = claim_bytes_max(capacity);
        Producer { bridge: *self, entry, epoch, lane, sender, claim_bytes_max, counter: 0, bell: self.producers_bell() }
    }
}

impl Producer {
    /// Its entry in the table.
    pub fn entry(&self) -> usize {
        self.entry
    }

    /// Its lane, if it has one.
    pub fn lane(&self) -> Option<usize> {
        self.lane
    }

    /// The counter of its last command.
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// Sends a command and gives its counter.
    ///
    /// # Errors
    /// See [`SendError`].
    ///
    /// # Panics
    /// When the body is longer than 256 bytes.
    pub fn send(&mut self, kind: u8, body: &[u8]) -> Result<u64, SendError> {
        let mut batch = self.batch(body.len(), 1)?;
        let counter = batch.put(kind, body);
        batch.commit();
        Ok(counter)
    }

    /// Claims room for `count` commands with bodies of at most `body_bytes` each; they become visible together. At most
    /// half of a lane or ring can be claimed at once.
    ///
    /// # Errors
    /// See [`SendError`]; more than can be claimed at once is always full.
    ///
    /// # Panics
    /// When the bodies may be longer than 256 bytes.
    pub fn batch(&mut self, body_bytes: usize, count: usize) -> Result<Batch<'_>, SendError> {
        assert!(body_bytes <= BODY_BYTES_MAX, "a body has at most 256 bytes");
        if self.is_closed() {
            return Err(SendError::Closed);
        }
        let bytes = span_of((RECORD_HEAD_BYTES + body_bytes) as u64) * count as u64;
        let claimed = match &mut self.sender {
            _ if bytes > self.claim_bytes_max || bytes == 0 => Err(Full),
            Sender::Lane(lane) => lane.claim(bytes),
            Sender::Ring(ring) => ring.claim(bytes),
        };
        match claimed {
            Ok(claim) => {
                let counter_before = self.counter;
                Ok(Batch { producer: self, claim: Some(claim), counter_before })
            }
            Err(Full) => {
                self.bridge.producers.count_full(self.entry);
                Err(SendError::Full)
            }
        }
    }

    fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Lane(lane) => lane.is_closed(),
            Sender::Ring(ring) => ring.is_closed(),
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.bridge.producers.leave(self.entry, self.epoch);
        self.bridge.bell.ring();
    }
}

/// Room for some commands. Dropped without a commit, none of them was ever there.
pub struct Batch<'producer> {
    producer: &'producer mut Producer,
    claim: Option<Claim>,
    counter_before: u64,
}

impl Batch<'_> {
    /// Adds a command and gives its counter.
    ///
    /// # Panics
    /// When the room that was claimed is used up, or the body is longer than 256 bytes.
    pub fn put(&mut self, kind: u8, body: &[u8]) -> u64 {
        let producer = &mut *self.producer;
        let counter = producer.counter + 1;
        let command = Command { kind, producer: producer.entry as u32, counter, body };
        if let Some(claim) = &mut self.claim {
            match &producer.sender {
                Sender::Lane(lane) => lane.put(claim, &command),
                Sender::Ring(ring) => ring.put(claim, &command),
            }
            producer.counter = counter;
        }
        counter
    }

    /// Makes all of them visible and wakes the engine if it sleeps.
    pub fn commit(mut self) {
        if let Some(claim) = self.claim.take() {
            match &mut self.producer.sender {
                Sender::Lane(lane) => lane.commit(claim),
                Sender::Ring(ring) => ring.commit(claim),
            }
            self.producer.bell.ring();
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.producer.counter = self.counter_before;
            // In a lane nothing was published; in the ring the cells are this producer's and become padding.
            match &mut self.producer.sender {
                Sender::Lane(lane) => lane.abort(claim),
                Sender::Ring(ring) => ring.abort(claim),
            }
        }
    }
}
