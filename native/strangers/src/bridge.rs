//! The bridge: a process that may write into every word of lanes, ring, table of producers and replies does so, while the
//! engine drains and sweeps and while well-behaved producers send. Nobody stops, and nothing is read outside its place.

use lodestone_memory::page::PAGE_BYTES;
use lodestone_memory::rings::layout::{
    PRODUCER_ANSWERS, PRODUCER_BYTES, PRODUCER_CLAIM, PRODUCER_FULL, PRODUCER_NAMESPACE, PRODUCER_PLACE,
    PRODUCER_REJECTED, PRODUCER_REJECTING, PRODUCER_START, PRODUCER_STATE, PRODUCERS_MAX, RING_CELLS, RING_CLOSED,
    RING_HEAD, RING_OWNER, RING_TAIL,
};
use lodestone_memory::rings::{
    Acknowledged, Bridge, BridgeEnd, BridgeSizes, Drained, ProcessIdentity, Producer, Registration, Rejection,
    RingRecord, Take,
};
use lodestone_memory::{PagePool, RecordHead, RecordKind, Region, RegionOptions, RegionPlace, Status};

use std::sync::atomic::Ordering;

use crate::script::Script;

const SIZES: BridgeSizes = BridgeSizes { lanes: 2, lane_bytes: 512, ring_bytes: 1_024 };
const CELL_BYTES: usize = 64;

/// Kinds of the sections that belong to the bridge.
const PRODUCERS: usize = 7;
const LANES: usize = 8;
const RING: usize = 9;
const REPLIES: usize = 10;

/// Most well-behaved producers at once.
const GOOD_MAX: usize = 4;

/// Words of an entry that mean something to the engine.
const ENTRY_WORDS: [usize; 14] = [
    PRODUCER_STATE,
    PRODUCER_START,
    PRODUCER_NAMESPACE,
    PRODUCER_PLACE,
    PRODUCER_CLAIM,
    PRODUCER_FULL,
    PRODUCER_ANSWERS,
    PRODUCER_ANSWERS + 8,
    PRODUCER_ANSWERS + 16,
    PRODUCER_ANSWERS + 24,
    PRODUCER_ANSWERS + 32,
    PRODUCER_REJECTING,
    PRODUCER_REJECTED,
    PRODUCER_BYTES - 8,
];

/// Words of a lane or of the ring before its cells.
const RING_WORDS: [usize; 4] = [RING_OWNER, RING_TAIL, RING_HEAD, RING_CLOSED];

struct Scene {
    region: Region,
    bridge: Bridge,
    end: BridgeEnd,
    pages: PagePool,
    good: Vec<Producer>,
    busy: u64,
}

pub(crate) fn run(input: &[u8]) {
    let mut scene = Scene::new();
    let mut script = Script(input);
    while !script.is_empty() {
        scene.step(&mut script);
    }
    // Whatever was done, the engine goes on, and ends.
    scene.drain(u32::MAX, Take::Next);
    scene.end.sweep(|_| false);
}

impl Scene {
    fn new() -> Scene {
        let mut region = Region::create(&RegionOptions {
            place: RegionPlace::Anonymous,
            nodes_max: 2,
            slots_max: 1,
            watches_max: 0,
            bridge: SIZES,
            log_bytes: 8_192,
            touch: false,
            abi_fingerprint: 0,
            start_unix_ms: 1,
        })
        .unwrap_or_else(|error| panic!("{error}"));
        let (bridge, end) = (region.bridge(), region.take_bridge_end());
        let pages = PagePool::new(2 * PAGE_BYTES, false).unwrap_or_else(|| panic!("no memory for two pages"));
        Scene { region, bridge, end, pages, good: Vec::new(), busy: 0 }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match script.u8() % 16 {
            0..=6 => self.write(script),
            7 => {
                let limit = u32::from(script.u8());
                let take = [Take::Next, Take::Last, Take::Leave][usize::from(script.u8() % 3)];
                self.drain(limit, take);
            }
            8 => {
                let busy = self.busy;
                let sweep = self.end.sweep(|entry| busy >> entry & 1 == 1);
                assert!(sweep.live <= PRODUCERS_MAX as u32 && sweep.live_in_ring <= sweep.live);
                assert!(sweep.repaired <= 1);
            }
            9 => self.busy = script.u64(),
            10 => self.register(script.u8() < 128),
            11 | 12 => self.send(script),
            13 => {
                if !self.good.is_empty() {
                    self.good.swap_remove(usize::from(script.u8()) % self.good.len());
                }
            }
            14 => self.answer(script),
            _ => {
                let _ = (self.end.has_some(), self.end.is_waiting(), self.end.cells_max());
            }
        }
    }

    /// Writes a word as somebody who was never checked.
    fn write(&mut self, script: &mut Script<'_>) {
        let place = script.u8();
        let (section, offset) = match place % 8 {
            0..=2 => (PRODUCERS, entry_word(script)),
            3 | 4 => {
                (LANES, usize::from(place / 8) % SIZES.lanes * (RING_CELLS + SIZES.lane_bytes) + ring_word(script, 8))
            }
            5 | 6 => (RING, ring_word(script, 16)),
            _ => (REPLIES, usize::from(script.u16()) * 8),
        };
        let words = self.region.words_of(section).unwrap_or_default();
        let Some(word) = words.get(offset / 8) else { return };
        let now = word.load(Ordering::Relaxed);
        let value = match script.u8() % 8 {
            0 => script.u64(),
            1 => u64::from(script.u8()),
            2 => u64::from(script.u8()) * CELL_BYTES as u64,
            // The header of a record or of padding.
            3 => u64::from(script.u16()) | u64::from(script.u8() % 4) << 32,
            // A claim near the beginning: cell, cells, stage.
            4 => u64::from(script.u8()) | u64::from(script.u8()) << 50 | u64::from(script.u8() % 4) << 62,
            5 => u64::MAX - u64::from(script.u8()),
            6 => now.wrapping_add(u64::from(script.u8())),
            // A live producer of this very process.
            _ => u64::from(script.u8() % 4) | 1 << 8 | u64::from(std::process::id()) << 32,
        };
        word.store(value, Ordering::Relaxed);
    }

    fn drain(&mut self, limit: u32, then: Take) {
        let pages = &self.pages;
        let mut seen = 0;
        for lane in 0..self.end.lanes() {
            let before = seen;
            let drained = self.end.drain_lane(lane, limit, |entry, record| take(pages, &mut seen, entry, record, then));
            check(drained, seen - before, limit);
        }
        let before = seen;
        let drained = self.end.drain_ring(limit, |entry, record| take(pages, &mut seen, entry, record, then));
        check(drained, seen - before, limit);
    }

    fn register(&mut self, lane: bool) {
        let process = ProcessIdentity::own().unwrap_or(ProcessIdentity { pid: 1, start_ticks: 0, namespace: 0 });
        if self.good.len() < GOOD_MAX
            && let Ok(producer) = self.bridge.register(&Registration { process, tenant: 0, lane, unix_ms: 1 })
        {
            assert!(producer.entry() < PRODUCERS_MAX && producer.lane().is_none_or(|lane| lane < SIZES.lanes));
            self.good.push(producer);
        }
    }

    fn send(&mut self, script: &mut Script<'_>) {
        let (who, kind, bytes, count) =
            (usize::from(script.u8()), script.u8(), usize::from(script.u16()) % 257, usize::from(script.u8()) % 8);
        let body = vec![kind; bytes];
        if self.good.is_empty() {
            return;
        }
        let who = who % self.good.len();
        if let Ok(mut batch) = self.good[who].batch(bytes, count) {
            for _ in 0..count {
                batch.put(kind, &body);
            }
            if kind % 4 > 0 {
                batch.commit();
            }
        }
    }

    /// Says something to an entry, whatever stands in it.
    fn answer(&mut self, script: &mut Script<'_>) {
        let entry = usize::from(script.u8()) % PRODUCERS_MAX;
        let answers = self.bridge.producers().answers(entry);
        answers.reject(&Rejection { counter: 1, node: 2, status: 3 });
        let line = answers.mine();
        answers.acknowledge(&Acknowledged { revision: 5, ..line });
        assert_eq!(answers.mine().revision, 5);
        self.bridge.replies().write(entry, 7, 1, &[1; 20], &[9; 9_000]);
        let reply = self.bridge.replies().read(entry, 7).unwrap_or_else(|| panic!("the reply was written just now"));
        assert_eq!((reply.status, reply.list.len()), (1, 8_192));
    }
}

fn entry_word(script: &mut Script<'_>) -> usize {
    // The first few entries and the last.
    let entry = [0, 1, 2, PRODUCERS_MAX - 1][usize::from(script.u8() % 4)];
    entry * PRODUCER_BYTES + ENTRY_WORDS[usize::from(script.u8()) % ENTRY_WORDS.len()]
}

fn ring_word(script: &mut Script<'_>, cells: usize) -> usize {
    let place = usize::from(script.u8());
    match place % 3 {
        0 => RING_WORDS[place / 3 % RING_WORDS.len()],
        1 => RING_CELLS + place / 3 % cells * CELL_BYTES,
        // The record's own header, behind that of its cell.
        _ => RING_CELLS + place / 3 % cells * CELL_BYTES + 8,
    }
}

/// What the runtime does with a record: one copy into a page.
fn take(pages: &PagePool, seen: &mut u32, entry: usize, record: &RingRecord, then: Take) -> Take {
    assert!(entry < PRODUCERS_MAX && record.body_bytes <= 256);
    let head = RecordHead {
        kind: RecordKind::Move,
        ack_each: false,
        status: Status::Ok,
        tenant: 0,
        node_first: 0,
        node_last: u32::MAX,
        counter: record.counter,
        node: 0,
        argument: 0,
    };
    let mut page = pages.try_take().unwrap_or_else(|| panic!("a page came back from the record before"));
    assert!(record.push_to(&mut page, head).is_ok(), "an empty page has room for any record");
    assert_eq!(page.record(0).packet.len(), record.body_bytes);
    *seen += u32::from(then != Take::Leave);
    then
}

fn check(drained: Drained, seen: u32, limit: u32) {
    assert_eq!(drained.records, seen, "records are counted as they were shown");
    assert!(drained.records <= limit, "no more than the limit");
}
