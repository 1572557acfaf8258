//! Drives the core alone, without threads or network, for tools that watch memory:
//! `valgrind --tool=massif core_driver --moves 1000000`. Prints the final revision and state hash.

use std::process::ExitCode;

use lodestone_core::pathfinder::{Pathfinder, PathfinderConfig, Route, WatchConfig};
use lodestone_core::{BATCH_RECORDS_MAX, Outcome, State, StateConfig};
use lodestone_memory::{PagePool, Record, RecordHead, RecordKind, Region, RegionOptions, RegionPlace, Status};

const NODES_MAX: u32 = 5_000;
const SLOTS_MAX: u32 = 4_000;
const EDGES_MAX: u32 = 50_000;
const WATCHES_MAX: u32 = 1;
const START_UNIX_MS: u64 = 1;
const USAGE: &str = "usage: core_driver [--moves N]   (default 1000000)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let moves = match arguments.as_slice() {
        [] => Some(1_000_000),
        [flag, number] if flag == "--moves" => number.parse().ok(),
        _ => None,
    };
    let Some(moves) = moves else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut region = Region::create(&region_options()).expect("memory for the region");
    let state = drive(&mut region, moves);
    println!("revision {} hash {} after {moves} moves", state.revision(), state.hash());
    if state.hash() == state.recompute_hash() {
        return ExitCode::SUCCESS;
    }
    eprintln!("the hash is {} when computed anew: the state is damaged", state.recompute_hash());
    ExitCode::FAILURE
}

fn region_options() -> RegionOptions {
    let (nodes_max, slots_max, touch, abi_fingerprint, start_unix_ms) = (NODES_MAX, SLOTS_MAX, true, 0, START_UNIX_MS);
    RegionOptions {
        place: RegionPlace::Anonymous,
        nodes_max,
        slots_max,
        watches_max: WATCHES_MAX,
        bridge: lodestone_memory::rings::BridgeSizes::default(),
        log_bytes: 4_096,
        touch,
        abi_fingerprint,
        start_unix_ms,
    }
}

fn drive(region: &mut Region, moves: u64) -> State {
    let ends = region.take_engine_ends();
    let config = StateConfig {
        edges_max: EDGES_MAX,
        window_bytes: 1 << 20,
        tenants: vec![],
        start_unix_ms: START_UNIX_MS,
        index_salt: 7,
    };
    let mut state = State::new(&config, ends.nodes, ends.slots).expect("memory for the state");
    let sizes = PathfinderConfig {
        nodes_max: NODES_MAX,
        edges_max: EDGES_MAX,
        budget: 10_000,
        index_salt: 0,
        preallocate: true,
    };
    let mut pathfinder = Pathfinder::new(&sizes).expect("memory for the pathfinder");
    let watching = WatchConfig { budget: 1_000, preallocate: true };
    pathfinder.keep_watched(region.take_watch_table(), &watching).expect("memory for the watched sources");
    (0..WATCHES_MAX).for_each(|source| _ = pathfinder.watch(source * 1_000));
    let mut route = Route::with_capacity(NODES_MAX as usize).expect("memory for a route");
    let pages = PagePool::new(1 << 20, true).expect("memory for the pages");
    let (mut random, mut done, mut batches) = (7_u64, 0, 0_u64);
    while done < moves {
        let count = (moves - done).min(BATCH_RECORDS_MAX as u64);
        batch(&mut state, &pages, &mut random, count, done);
        done += count;
        batches += 1;
        state.changes().iter().for_each(|edge| pathfinder.apply(edge.source, edge.target, edge.mask));
        keep_watched_right(&mut pathfinder, &state);
        if batches.is_multiple_of(1_000) {
            pathfinder.route(1, 2, &mut route);
        }
        if batches.is_multiple_of(500) {
            let back = state.revision().saturating_sub(20).max(state.oldest_revision());
            let report = state.rollback(back, |edge| pathfinder.apply(edge.source, edge.target, edge.mask));
            report.expect("the revision is in the window");
            keep_watched_right(&mut pathfinder, &state);
        }
    }
    state
}

/// What the pathfinder's thread does after each revision.
fn keep_watched_right(pathfinder: &mut Pathfinder, state: &State) {
    pathfinder.repair_watched(state.revision(), state.to_commit().branch);
    pathfinder.fill_watched(256);
}

fn batch(state: &mut State, pages: &PagePool, random: &mut u64, count: u64, now: u64) {
    let mut page = pages.try_take().expect("one page at a time is out");
    for counter in 0..count {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let source = (*random >> 33) as u32 % NODES_MAX;
        // Eight edges a node, so that they are set, changed and removed over and over.
        let target = (source + 1 + (*random >> 20) as u32 % 8) % NODES_MAX;
        let mask = if *random >> 24 & 7 == 0 { 0 } else { (*random >> 50) as u32 };
        let kind = if *random >> 61 == 0 { RecordKind::Release } else { RecordKind::Move };
        let mut packet = [0_u8; 64];
        packet[..4].copy_from_slice(&source.to_le_bytes());
        packet[4..8].copy_from_slice(&target.to_le_bytes());
        packet[8..12].copy_from_slice(&mask.to_le_bytes());
        packet[14..16].copy_from_slice(&40_u16.to_le_bytes());
        let head = RecordHead {
            kind,
            ack_each: false,
            status: Status::Ok,
            tenant: 0,
            node_first: 0,
            node_last: u32::MAX,
            counter,
            node: source,
            argument: 0,
        };
        let packet = if kind == RecordKind::Move { packet.as_slice() } else { &[] };
        page.push(head, packet).expect("128 packets of 64 bytes fit a page");
    }
    let last = page.len() - 1;
    let records: [Record<'_>; BATCH_RECORDS_MAX] = std::array::from_fn(|index| page.record(index.min(last)));
    let mut outcomes = [Outcome::NONE; BATCH_RECORDS_MAX];
    state.step(now, &records[..page.len()], &mut outcomes);
}
