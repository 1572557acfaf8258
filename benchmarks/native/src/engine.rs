//! The engine's state alone: moves, changes of edges, paced moves, rollback.

use std::time::{Duration, Instant};

use lodestone_core::BATCH_RECORDS_MAX;

use crate::Scale;
use crate::allocations;
use crate::figures::{Figures, nanoseconds, record};
use crate::limit::Memory;
use crate::world::World;

/// Moves a second of the paced runs: the published rate, and the rate that the goals add.
const PACED_RATES: [(&str, u64); 2] = [("paced_80k", 80_000), ("paced_1m", 1_000_000)];
const BATCH: u64 = BATCH_RECORDS_MAX as u64;
/// Rollbacks measured.
const ROLLBACKS: usize = 3;

pub(crate) fn measure(scale: Scale, figures: &mut Figures) {
    eprintln!(
        "  engine: loading {} edges",
        u64::from(crate::world::NODES) * u64::from(scale.degree)
    );
    let mut world = World::new(scale.degree);
    let start = Instant::now();
    world.load();
    figures.add("engine.load", "s", start.elapsed().as_secs_f64());
    figures.add(
        "engine.edges",
        "edges",
        world.state.to_commit().edges as f64,
    );
    let mut memory = Memory::new();
    // Gives every node its slot, so that the rounds below all do the same.
    moves(&mut world, scale.moves.max(3_000_000));
    for round in 0..scale.rounds {
        eprintln!("  engine: round {} of {}", round + 1, scale.rounds);
        limit(&mut memory, "limit.line", round, figures);
        let before = allocations::calls();
        figures.add("engine.move", "ns", moves(&mut world, scale.moves));
        let calls = allocations::calls() - before;
        figures.add(
            "engine.allocations",
            "calls/move",
            calls as f64 / scale.moves as f64,
        );
        figures.add(
            "engine.edge_change",
            "ns",
            edge_changes(&mut world, scale.moves),
        );
    }
    for (name, rate) in PACED_RATES {
        eprintln!("  engine: {rate} moves/s for {} s", scale.paced_seconds);
        paced(
            &mut world,
            &format!("engine.{name}"),
            rate,
            scale.paced_seconds,
            figures,
        );
    }
    for round in 0..ROLLBACKS {
        eprintln!("  engine: {} moves, then back", scale.history_moves);
        limit(&mut memory, "rollback.line", round, figures);
        rollback(&mut world, scale.history_moves, figures);
    }
}

fn limit(memory: &mut Memory, name: &str, round: usize, figures: &mut Figures) {
    let (huge_pages_ns, small_pages_ns) = memory.line_ns(round as u64);
    figures.add(name, "ns", huge_pages_ns);
    figures.add(&format!("{name}_small_pages"), "ns", small_pages_ns);
}

/// Nanoseconds a move, from taken to published, in batches of 128. Filling the page is not timed: ingress does it.
fn moves(world: &mut World, count: u64) -> f64 {
    let mut spent = Duration::ZERO;
    for _ in 0..count / BATCH {
        let page = world.fill(BATCH);
        let start = Instant::now();
        world.step(&page);
        spent += start.elapsed();
    }
    spent.as_nanos() as f64 / (count / BATCH * BATCH) as f64
}

/// Nanoseconds a change of an edge that is there, in batches of 128, with undo and hash, without a slot.
fn edge_changes(world: &mut World, count: u64) -> f64 {
    let mut arcs = Vec::with_capacity(BATCH_RECORDS_MAX);
    let mut spent = Duration::ZERO;
    for _ in 0..count / BATCH {
        arcs.clear();
        arcs.extend((0..BATCH).map(|_| world.any_edge()));
        let start = Instant::now();
        world.put(&arcs);
        spent += start.elapsed();
    }
    spent.as_nanos() as f64 / (count / BATCH * BATCH) as f64
}

/// Moves at a fixed schedule, taken in batches of what is due. Measured from the instant a move was due to the
/// publication of its revision, so a stall counts for every move that it delays; percentiles of each second apart.
fn paced(world: &mut World, name: &str, rate: u64, seconds: u64, figures: &mut Figures) {
    let mut histogram = nanoseconds();
    let gap_ns = 1e9 / rate as f64;
    let start = Instant::now();
    let mut done = 0;
    for second in 1..=seconds {
        histogram.reset();
        while done < rate * second {
            let due = ((start.elapsed().as_nanos() as f64 / gap_ns) as u64 + 1).min(rate * second);
            let count = due.saturating_sub(done).min(BATCH);
            if count == 0 {
                std::hint::spin_loop();
                continue;
            }
            let page = world.fill(count);
            world.step(&page);
            let now_ns = start.elapsed().as_nanos() as f64;
            (done..done + count).for_each(|number| {
                record(&mut histogram, (now_ns - number as f64 * gap_ns) as u64)
            });
            done += count;
        }
        figures.add_percentiles(name, &histogram);
    }
}

fn rollback(world: &mut World, count: u64, figures: &mut Figures) {
    let (revision, hash, edges) = (
        world.state.revision(),
        world.state.hash(),
        world.state.to_commit().edges,
    );
    moves(world, count);
    assert!(
        world.state.oldest_revision() <= revision,
        "the rollback window is too small for {count} moves"
    );
    let before = allocations::calls();
    let start = Instant::now();
    let report = world
        .state
        .rollback(revision, |_| {})
        .expect("the revision is in the window");
    let spent_ns = start.elapsed().as_nanos() as f64;
    figures.add(
        "rollback.allocations",
        "calls",
        (allocations::calls() - before) as f64,
    );
    figures.add("rollback.time", "ms", spent_ns / 1e6);
    figures.add("rollback.record", "ns", spent_ns / report.records as f64);
    figures.add("rollback.records", "records", report.records as f64);
    let whole =
        report.hash == hash && report.edges == edges && world.state.recompute_hash() == hash;
    figures.add("rollback.unequal", "hashes", f64::from(u8::from(!whole)));
}
