//! The bridge's parts in one mapping, and the engine's end of them.

use crate::rings::doorbell::{Doorbell, ORDER_ALL, ORDER_NONE, ORDER_STRANGERS, sign_up_for_barriers};
use crate::rings::drain::RingConsumer;
use crate::rings::front::{Drained, Take};
use crate::rings::lane::{LaneConsumer, RingWords};
use crate::rings::layout::{CELL_BYTES, RING_CELLS};
use crate::rings::pace::Pace;
use crate::rings::producers::Producers;
use crate::rings::replies::Replies;
use crate::rings::{RingRecord, process::ProcessIdentity};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// All words of the bridge; `Copy`, any thread.
#[derive(Clone, Copy)]
pub struct Bridge {
    pub(crate) producers: Producers,
    pub(crate) replies: Replies,
    pub(crate) lanes: &'static [AtomicU64],
    pub(crate) lane_words: usize,
    pub(crate) ring: &'static [AtomicU64],
    pub(crate) bell: Doorbell,
    pub(crate) order: &'static AtomicU32,
}

/// The words from which a bridge is made.
pub(crate) struct BridgeWords {
    pub(crate) producers: &'static [AtomicU64],
    pub(crate) producer_halves: &'static [AtomicU32],
    pub(crate) lanes: &'static [AtomicU64],
    pub(crate) lane_item_bytes: usize,
    pub(crate) ring: &'static [AtomicU64],
    pub(crate) replies: &'static [AtomicU64],
    pub(crate) bell: &'static AtomicU32,
    pub(crate) order: &'static AtomicU32,
    /// In which the engine's process has its number.
    pub(crate) namespace: u64,
}

impl Bridge {
    pub(crate) fn new(words: &BridgeWords) -> Bridge {
        Bridge {
            producers: Producers::new(words.producers, words.producer_halves, words.namespace),
            replies: Replies::new(words.replies),
            lanes: words.lanes,
            lane_words: words.lane_item_bytes / 8,
            ring: words.ring,
            bell: Doorbell::new(words.bell),
            order: words.order,
        }
    }

    /// The table of producers.
    pub fn producers(&self) -> Producers {
        self.producers
    }

    /// The reply areas.
    pub fn replies(&self) -> Replies {
        self.replies
    }

    /// The doorbell on which the engine sleeps.
    pub fn bell(&self) -> Doorbell {
        self.bell
    }

    /// The engine's doorbell for producers of this process, which is signed up for the engine's barrier if there is one.
    pub(crate) fn producers_bell(&self) -> Doorbell {
        let ordered = match self.order.load(Ordering::Acquire) {
            ORDER_NONE => true,
            ORDER_STRANGERS => sign_up_for_barriers(),
            _ => false,
        };
        if ordered { self.bell.ordered() } else { self.bell }
    }

    /// Number of lanes.
    pub fn lanes(&self) -> usize {
        self.lanes.len() / self.lane_words
    }

    pub(crate) fn lane_words(&self, lane: usize) -> RingWords {
        RingWords::new(&self.lanes[lane * self.lane_words..][..self.lane_words])
    }

    pub(crate) fn ring_words(&self) -> RingWords {
        RingWords::new(self.ring)
    }
}

/// The engine's end: the one reader of all lanes and of the ring.
pub struct BridgeEnd {
    pub(crate) bridge: Bridge,
    pub(crate) lanes: Vec<LaneConsumer>,
    pub(crate) ring: RingConsumer,
    pub(crate) own: Option<ProcessIdentity>,
    /// For each entry that is leaving: how far the ring has to be read before it is free.
    pub(crate) leaving: Vec<Option<u64>>,
    /// What producers that left had counted.
    pub(crate) full_before: u64,
    pace: Pace,
}

impl BridgeEnd {
    pub(crate) fn new(bridge: Bridge) -> BridgeEnd {
        BridgeEnd {
            bridge,
            lanes: (0..bridge.lanes()).map(|lane| LaneConsumer::new(bridge.lane_words(lane))).collect(),
            ring: RingConsumer::new(bridge.ring_words(), bridge.producers.claims()),
            own: ProcessIdentity::own(),
            leaving: vec![None; bridge.producers.len()],
            full_before: 0,
            pace: Pace::default(),
        }
    }

    /// The bridge that this is an end of.
    pub fn bridge(&self) -> Bridge {
        self.bridge
    }

    /// Says, before anyone registers, whether the engine ever sleeps. Where it does and the system has barriers for other
    /// processors, it is the engine who orders producers: `true`, and [`super::barrier_everywhere`] has to come between
    /// its announcement and its last look.
    pub fn announce_order(&self, sleeps: bool) -> bool {
        let order = match sleeps {
            false => ORDER_NONE,
            true if sign_up_for_barriers() => ORDER_STRANGERS,
            true => ORDER_ALL,
        };
        self.bridge.order.store(order, Ordering::Release);
        order == ORDER_STRANGERS
    }

    /// Number of lanes.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Cells of the largest lane or ring: no more records are in any of them.
    pub fn cells_max(&self) -> u64 {
        let lane = self.bridge.lane_words * 8 - RING_CELLS;
        (self.bridge.ring_words().cells.capacity().max(lane as u64)) / CELL_BYTES as u64
    }

    /// Whether a record waits anywhere. Cheap: one word a lane and one of the ring.
    pub fn has_some(&self) -> bool {
        self.ring.has_some() || self.lanes.iter().any(|lane| lane.has_some() && lane.owner() != 0)
    }

    /// Gives back the cells of all that was taken; of the last record of each lane and of the ring they are kept until
    /// then, or until a drain that finds nothing, so that the answers to it are not behind that. To be called before any
    /// sleep.
    pub fn settle(&mut self) {
        self.ring.settle();
        self.lanes.iter_mut().for_each(LaneConsumer::settle);
    }

    /// Whether the ring stands still before cells that are claimed and not committed.
    pub fn is_waiting(&self) -> bool {
        self.ring.is_waiting()
    }

    /// Shows the records of a lane to `take`, with their producer's entry, at most `limit`.
    pub fn drain_lane(&mut self, lane: usize, limit: u32, mut take: impl FnMut(usize, &RingRecord) -> Take) -> Drained {
        let producers = self.bridge.producers.len();
        let lane = &mut self.lanes[lane];
        if !lane.has_some() {
            lane.settle();
            return Drained::default();
        }
        match (lane.owner() as u32).checked_sub(1).map(|entry| entry as usize) {
            Some(entry) if entry < producers => {
                let drained = lane.drain(limit, |record| take(entry, record));
                self.pace.took(drained.records);
                drained
            }
            // Freed a moment ago: whatever stands there is nobody's.
            _ => Drained::default(),
        }
    }

    /// What to do after a look into everything brought nothing, before the next one: some nanoseconds of rest, or most of
    /// a microsecond while records stream in, which then come faster than if each were waited for.
    pub fn rest(&mut self) {
        self.pace.rest();
    }

    /// Shows the records of the ring to `take`, with their producer's entry, at most `limit`. Records that name no live
    /// entry are skipped and counted as garbage.
    pub fn drain_ring(&mut self, limit: u32, mut take: impl FnMut(usize, &RingRecord) -> Take) -> Drained {
        let producers = self.bridge.producers;
        let mut nobodys = 0;
        let mut drained = self.ring.drain(limit, |record| {
            let entry = record.producer as usize;
            if producers.is_free(entry) {
                nobodys += 1;
                return Take::Next;
            }
            take(entry, record)
        });
        self.pace.took(drained.records);
        drained.records -= nobodys;
        drained.garbage += nobodys;
        drained
    }
}
