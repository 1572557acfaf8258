//! The engine's end of the bridge, alone: takes what a JVM sends through lanes and ring and answers it, without an engine
//! behind. It is the other side of the Java benchmark of rings, in a process of its own.
//!
//! It prints `region PATH`, then serves a line of standard input each: `lane N`, `ring`, `trips N`, `parked N` or `rests N`, followed
//! by the number of records and of words in each body. It says `ready`, takes the records, and answers: streams once, with
//! the sum of all words in place of the revision; trips record by record, with the sum so far. Left out: pages and decisions.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;

use lodestone_memory::header::EngineState;
use lodestone_memory::rings::{
    Acknowledged, BridgeEnd, BridgeSizes, Drained, RingRecord, Take, barrier_everywhere,
};
use lodestone_memory::{Region, RegionOptions, RegionPlace};
use rustix::thread::CpuSet;

/// As in the engine: records taken in one turn.
const TURN_RECORDS_MAX: u32 = 512;
/// Looks between two questions whether the benchmark is still there: some seconds, spinning or with a sleep in each.
const LOOKS_SPINNING: u64 = 1 << 26;
const LOOKS_PARKED: u64 = 64;
/// The same size as the rings of all peers.
const RING_BYTES: usize = 1 << 20;
/// Looks before the side that rests sleeps, as many as the engine has with `runtime.idle_strategy: park`; the parked one has none.
const LOOKS_BEFORE_SLEEP: u32 = 2_000;
/// Longest sleep of the parked side.
const SLEEP_MS: u64 = 50;

/// What one line asks for.
struct Trial {
    lane: Option<usize>,
    each: bool,
    parked: bool,
    rests: bool,
    records: u64,
    words: usize,
}

/// Serves trials until standard input ends; pinned to `core`.
pub(crate) fn serve(folder: &str, core: usize) {
    pin(core);
    let mut region = Region::create(&options(folder)).unwrap_or_else(|error| panic!("{error}"));
    region.header().set_state(EngineState::Running);
    let mut end = region.take_bridge_end();
    // As an engine that parks: it orders producers when it goes to sleep, and they need no fence of their own.
    let orders = end.announce_order(true);
    say(&format!(
        "region {}",
        region.path().expect("the region is a file").display()
    ));
    for line in io::stdin().lock().lines() {
        let line = line.expect("standard input can be read");
        let trial = parse(&line).unwrap_or_else(|| panic!("no trial: {line}"));
        say("ready");
        match trial.words {
            4 => run::<4>(&mut end, &trial, orders),
            _ => run::<8>(&mut end, &trial, orders),
        }
    }
}

pub(crate) fn options(folder: &str) -> RegionOptions {
    RegionOptions {
        place: RegionPlace::File(PathBuf::from(folder)),
        nodes_max: 64,
        slots_max: 64,
        watches_max: 0,
        bridge: BridgeSizes {
            lanes: 2,
            lane_bytes: RING_BYTES,
            ring_bytes: RING_BYTES,
        },
        log_bytes: 4_096,
        touch: true,
        abi_fingerprint: 0,
        start_unix_ms: 1,
    }
}

/// A machine with one core, or a container that forbids it: everything still works, the figures mean nothing.
pub(crate) fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
        eprintln!("cannot pin to core {core}: {error}");
    }
}

pub(crate) fn say(text: &str) {
    println!("{text}");
    io::stdout().flush().expect("standard output is open");
}

fn parse(line: &str) -> Option<Trial> {
    let mut parts = line.split(' ');
    let kind = parts.next()?;
    let lane = match kind {
        "ring" => None,
        "lane" | "trips" | "parked" | "rests" => Some(parts.next()?.parse().ok()?),
        _ => return None,
    };
    let (records, words) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    if words != 4 && words != 8 {
        return None;
    }
    let rests = kind == "rests";
    let parked = rests || kind == "parked";
    Some(Trial {
        lane,
        each: parked || kind == "trips",
        parked,
        rests,
        records,
        words,
    })
}

fn run<const WORDS: usize>(end: &mut BridgeEnd, trial: &Trial, orders: bool) {
    let bridge = end.bridge();
    let parent = std::os::unix::process::parent_id();
    let looks_alone = if trial.parked {
        LOOKS_PARKED
    } else {
        LOOKS_SPINNING
    };
    let (mut taken, mut sum, mut looks) = (0, 0_u64, 0_u64);
    while taken < trial.records {
        let (mut from, mut counter) = (0, 0);
        let limit = TURN_RECORDS_MAX.min((trial.records - taken) as u32);
        let drained = drain(end, trial.lane, limit, |entry, record| {
            (from, counter) = (entry, record.counter);
            sum = (0..WORDS).fold(sum, |sum, word| sum.wrapping_add(record.word(word)));
            Take::Next
        });
        assert_eq!(drained.garbage, 0, "only one producer writes here");
        taken += u64::from(drained.records);
        if drained.records == 0 {
            looks += 1;
            wait(end, trial, orders);
            assert!(
                looks % looks_alone != 0 || std::os::unix::process::parent_id() == parent,
                "the benchmark that started this is gone"
            );
        } else if trial.each || taken == trial.records {
            let line = Acknowledged {
                decided: counter,
                revision: sum,
                accepted: taken,
                rejected: 0,
            };
            bridge.producers().answers(from).acknowledge(&line);
            bridge.producers().bell(from).ring();
        }
    }
}

fn drain(
    end: &mut BridgeEnd,
    lane: Option<usize>,
    limit: u32,
    take: impl FnMut(usize, &RingRecord) -> Take,
) -> Drained {
    match lane {
        Some(lane) => end.drain_lane(lane, limit, take),
        None => end.drain_ring(limit, take),
    }
}

/// Nothing is there: sleeps as the engine does, or looks again.
fn wait(end: &mut BridgeEnd, trial: &Trial, orders: bool) {
    if !trial.parked {
        end.rest();
        return;
    }
    end.settle();
    let looks = if trial.rests { LOOKS_BEFORE_SLEEP } else { 0 };
    for _ in 0..looks {
        end.rest();
        if end.has_some() {
            return;
        }
    }
    let bell = end.bridge().bell();
    bell.announce();
    if orders && !barrier_everywhere() || end.has_some() {
        bell.awake();
    } else {
        bell.sleep(SLEEP_MS);
    }
}
