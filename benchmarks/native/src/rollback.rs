//! Going back, and what stays behind: a minute of whole moves, a minute of changes of edges alone, a thousand small
//! windows, and the memory of the process over many moves.

use crate::figures::Figures;
use crate::graph;
use crate::host::resident_bytes;
use crate::limit::Memory;
use crate::world::{BATCH, EngineStore, Room, World};
use crate::{Scale, allocations};

/// Room for the history of one rollback: 96 bytes a move, 128 a revision.
const WINDOW_BYTES: usize = 768 << 20;
/// Rounds of each long rollback.
const ROLLBACKS: u64 = 3;
/// Small rollbacks, each over one batch more than the one before, at most this many.
const SMALL_BATCHES_MAX: u64 = 10;

pub(crate) fn measure(scale: &Scale, figures: &mut Figures) {
    let graph = graph::uniform(scale);
    let room = Room {
        slots: graph.nodes,
        nodes_more: 0,
        edges_more: 0,
        window_bytes: WINDOW_BYTES,
    };
    eprintln!("  rollback: loading {} arcs", graph.arcs);
    let mut world: World<'_, EngineStore> = World::new(&graph, room);
    world.load();
    let mut memory = Memory::new(scale.limit_words, scale.changes);
    // Gives every node its slot, so that the rounds below all do the same.
    world.move_ns(scale.moves.max(u64::from(graph.nodes) * 12));
    moves(&mut world, scale, figures);
    for round in 0..ROLLBACKS {
        eprintln!("  rollback: {} moves, then back", scale.history_moves);
        memory.measure("rollback.limit", round, figures);
        let mark = world.mark();
        world.move_ns(scale.history_moves);
        back("rollback.moves", &mut world, &mark, figures);
        memory.measure("rollback.limit", round + ROLLBACKS, figures);
        let mark = world.mark();
        world.change_ns(scale.history_moves, BATCH);
        back("rollback.edges", &mut world, &mark, figures);
    }
    small(&mut world, scale, figures);
}

/// Moves in batches of 128: their time, what they ask of the allocator, and whether the process grows.
fn moves(world: &mut World<'_, EngineStore>, scale: &Scale, figures: &mut Figures) {
    eprintln!(
        "  rollback: {} moves, and the memory of the process",
        scale.resident_moves
    );
    let resident = resident_bytes() as f64;
    for _ in 0..scale.resident_moves / scale.moves {
        let before = allocations::calls();
        figures.add("moves.time", "ns", world.move_ns(scale.moves));
        let calls = (allocations::calls() - before) as f64;
        figures.add(
            "moves.allocations",
            "calls/move",
            calls / scale.moves as f64,
        );
    }
    let grown = resident_bytes() as f64 - resident;
    figures.add("moves.resident", "MiB", resident / 1_048_576.0);
    figures.add("moves.resident_growth", "%", 100.0 * grown / resident);
}

fn back(
    name: &str,
    world: &mut World<'_, EngineStore>,
    mark: &crate::world::Mark,
    figures: &mut Figures,
) {
    let before = allocations::calls();
    let (spent_ns, records, equal) = world.back_to(mark, true);
    let calls = (allocations::calls() - before) as f64;
    figures.add(&format!("{name}.time"), "ms", spent_ns / 1e6);
    figures.add(&format!("{name}.record"), "ns", spent_ns / records as f64);
    figures.add(&format!("{name}.records"), "records", records as f64);
    figures.add("rollback.allocations", "calls", calls);
    figures.add("rollback.unequal", "hashes", f64::from(u8::from(!equal)));
}

/// Small windows, as a game that corrects itself goes back: what stays behind in the allocator and in the process.
fn small(world: &mut World<'_, EngineStore>, scale: &Scale, figures: &mut Figures) {
    eprintln!("  rollback: {} small windows", scale.small_rollbacks);
    let (bytes, resident) = (allocations::bytes(), resident_bytes() as f64);
    let (mut unequal, mut spent_ns, mut records) = (0, 0.0, 0);
    for number in 0..scale.small_rollbacks {
        let mark = world.mark();
        world.move_ns((number % SMALL_BATCHES_MAX + 1) * BATCH);
        let (spent, undone, equal) = world.back_to(&mark, false);
        spent_ns += spent;
        records += undone;
        unequal += u32::from(!equal);
    }
    // Before the figures, which take memory themselves.
    let leaked = allocations::bytes() - bytes;
    let growth = 100.0 * (resident_bytes() as f64 - resident) / resident;
    figures.add("rollback.small.record", "ns", spent_ns / records as f64);
    figures.add("rollback.small.unequal", "hashes", f64::from(unequal));
    figures.add("rollback.small.leaked", "B", leaked as f64);
    figures.add("rollback.small.resident_growth", "%", growth);
}
