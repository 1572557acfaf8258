//! The steady state of core and memory takes no memory: counted by the test's own allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use lodestone_core::pathfinder::{Pathfinder, PathfinderConfig, Route, RouteStatus, WATCH_CHANGES_MAX, WatchConfig};
use lodestone_core::{BATCH_RECORDS_MAX, EdgeChange, Outcome, State, StateConfig, TenantQuota};
use lodestone_memory::events::Event;
use lodestone_memory::outbox::{Outbox, Subscriptions};
use lodestone_memory::page::PAGE_BYTES;
use lodestone_memory::{
    CounterId, HistogramId, Page, PagePool, RecordHead, RecordKind, Region, RegionOptions, RegionPlace, Status,
    WatchTable,
};

struct Counting;

thread_local! {
    // By thread, so that tests in parallel do not count each other; `const` and without a destructor, so that the
    // counter itself needs no memory.
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    CALLS.with(|calls| calls.set(calls.get() + 1));
}

fn calls() -> u64 {
    CALLS.with(Cell::get)
}

// SAFETY: every call is handed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about the layout is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: the pointer came from `alloc` above with this layout, hence from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count();
        // SAFETY: the pointer came from `alloc` above with this layout, hence from the system's allocator.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn telling_subscribers_of_changes_takes_no_memory() {
    let (table, outbox) = (Subscriptions::new(1_000).unwrap(), Outbox::default());
    (0..1_000).for_each(|entry| table.begin(entry, entry));
    let before = calls();
    for round in 0..20 {
        (0..1_000).for_each(|entry| _ = table.mark(entry, &outbox));
        while let Some(news) = table.news(&outbox) {
            news.sent(round);
        }
    }
    assert_eq!(calls(), before);
    assert!((0..1_000).all(|entry| table.has_seen(entry, 19)));
}

#[test]
fn the_counter_counts() {
    let before = calls();
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert_eq!(calls(), before + 2);
}

#[test]
fn changes_and_routes_of_the_pathfinder_allocate_nothing() {
    for preallocate in [false, true] {
        let config =
            PathfinderConfig { nodes_max: 2_500, edges_max: 10_000, budget: 5_000, index_salt: 9, preallocate };
        let mut pathfinder = Pathfinder::new(&config).unwrap();
        let mut route = Route::with_capacity(2_500).unwrap();
        let before = calls();
        let mut found = 0;
        for round in 0..4 {
            for node in 0..2_450 {
                pathfinder.apply(node, node + 1, 3 + round);
                pathfinder.apply(node, node + 50, 4);
                pathfinder.apply(node + 50, node, 0x1_0000);
            }
            for query in 0..40 {
                found += u64::from(pathfinder.route(query * 7, 2_400 - query * 5, &mut route) == RouteStatus::Found);
            }
            (0..2_450).for_each(|node| pathfinder.apply(node, node + 50, 0));
        }
        assert_eq!(calls(), before, "no allocator call after new, preallocate {preallocate}");
        assert_eq!(found, 160);
    }
}

#[test]
fn watched_sources_allocate_nothing_once_they_have_their_room() {
    for preallocate in [false, true] {
        let nodes_max = 2_500;
        let config = PathfinderConfig { nodes_max, edges_max: 10_000, budget: 1, index_salt: 9, preallocate };
        let mut pathfinder = Pathfinder::new(&config).unwrap();
        let table = WatchTable::detached(4, nodes_max, preallocate).unwrap();
        pathfinder.keep_watched(table, &WatchConfig { budget: 1_500, preallocate }).unwrap();
        let before = calls();
        let mut revision = 0;
        for round in 0..6 {
            let ids = [0, 1_249, 2_499].map(|source| pathfinder.watch(source).unwrap());
            for node in 0..2_450 {
                pathfinder.apply(node, node + 1, 3 + round);
                pathfinder.apply(node, node + 50, 4);
                pathfinder.apply(node + 50, node, 0x1_0000);
                if node % 100 < round * 20 {
                    revision += 1;
                    pathfinder.repair_watched(revision, 0);
                    pathfinder.fill_watched(round * 500);
                }
            }
            (0..2_450).for_each(|node| pathfinder.apply(node, node + 50, 0));
            pathfinder.repair_watched(revision, u64::from(round));
            while pathfinder.fill_watched(1_000) {}
            ids.into_iter().for_each(|id| assert!(pathfinder.unwatch(id)));
        }
        assert_eq!(calls(), before, "no allocator call after the room was taken, preallocate {preallocate}");
        let totals = pathfinder.watch_totals();
        assert!(totals.stale > 3 && totals.fills > 20 && totals.labels_written > 10_000, "{totals:?}");
        // Some revisions are larger than one repair.
        const { assert!(WATCH_CHANGES_MAX < 2 * 2_450) };
    }
}

/// 128 records as ingress would push them: moves with payloads of all lengths, releases, and refused ones.
fn fill(page: &mut Page, round: u64) {
    let mut packet = [0; 256];
    for index in 0..BATCH_RECORDS_MAX as u64 {
        let seed = round * 131 + index * 17;
        let (source, payload) = ((seed % 500) as u32, (seed % 100) as usize);
        let mut head = RecordHead {
            kind: RecordKind::Move,
            ack_each: false,
            status: if index == 77 { Status::BadDigest } else { Status::Ok },
            tenant: (seed % 3) as u32,
            node_first: 0,
            node_last: 490,
            counter: index,
            node: 0,
            argument: 0,
        };
        if index % 9 == 4 {
            (head.kind, head.node) = (RecordKind::Release, source);
            page.push(head, &[]).unwrap();
            continue;
        }
        packet[..4].copy_from_slice(&source.to_le_bytes());
        packet[4..8].copy_from_slice(&((source + 1 + (seed % 7) as u32) % 500).to_le_bytes());
        packet[8..12].copy_from_slice(&((round % 5) as u32).to_le_bytes());
        packet[14..16].copy_from_slice(&(payload as u16).to_le_bytes());
        page.push(head, &packet[..24 + payload]).unwrap();
    }
}

#[test]
fn moves_releases_loads_and_rollbacks_allocate_nothing() {
    let options = RegionOptions {
        place: RegionPlace::Anonymous,
        nodes_max: 500,
        slots_max: 300,
        watches_max: 0,
        bridge: lodestone_memory::rings::BridgeSizes::default(),
        log_bytes: 4_096,
        touch: false,
        abi_fingerprint: 1,
        start_unix_ms: 1,
    };
    let mut region = Region::create(&options).unwrap();
    let mut ends = region.take_engine_ends();
    let tenants = vec![TenantQuota { tenant: 1, guaranteed_slots: 50, slots_max: 200 }];
    let config = StateConfig { edges_max: 1_500, window_bytes: 1 << 20, tenants, start_unix_ms: 0, index_salt: 0x5a17 };
    let mut state = State::new(&config, ends.nodes, ends.slots).unwrap();
    let pool = PagePool::new(4 * PAGE_BYTES, false).unwrap();
    let mut outcomes = [Outcome::NONE; BATCH_RECORDS_MAX];
    let arcs: [EdgeChange; 64] =
        std::array::from_fn(|index| EdgeChange { source: index as u32, target: 499, mask: index as u32 + 1 });
    let (header, counters, histograms, reader) =
        (region.header(), region.counters(), region.histograms(), region.reader());

    let before = calls();
    let (mut accepted, mut undone, mut seen) = (0, 0, 0);
    for round in 0..400 {
        let mut page = pool.try_take().unwrap();
        fill(&mut page, round);
        let records: [_; BATCH_RECORDS_MAX] = std::array::from_fn(|index| page.record(index));
        accepted += u64::from(state.step(round, &records, &mut outcomes).accepted);
        drop(page);
        header.publish(&state.to_commit());
        counters.add(CounterId::Batches, 1);
        histograms.record(HistogramId::Engine, 1_000 + round);
        seen += u64::from(reader.read((round % 500) as u32).unwrap().0.version > 0);
        if round % 10 == 9 {
            let loaded = state.put_arcs(round, &arcs).unwrap_or(state.revision());
            undone += state.rollback(loaded - 3, |_| {}).unwrap().records;
            ends.events.publish(Event::RolledBack { revision: loaded - 3, branch: round, revisions: 3 });
        }
    }
    assert_eq!(calls(), before, "no allocator call in the steady state");
    assert!(accepted > 20_000 && undone > 1_000 && seen > 100, "{accepted} accepted, {undone} undone, {seen} seen");
    assert_eq!(state.hash(), state.recompute_hash());
}
