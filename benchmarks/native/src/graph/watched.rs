//! A watched source: what repairing its distances costs for each change, and whether they stay right.

use std::time::{Duration, Instant};

use lodestone_core::EdgeChange;
use lodestone_core::pathfinder::{Pathfinder, UNREACHED, WatchConfig};
use lodestone_memory::watched::{WatchReader, WatchTable};

use super::paths::{empty, load};
use crate::Scale;
use crate::figures::Figures;
use crate::graphs::Graph;
use crate::world::{BATCH, mix};

/// Vertices that a repair may touch: more than there are, so that none is cut short.
const BUDGET: u64 = u64::MAX;
/// Vertices of one slice of the first fill.
const SLICE_VERTICES: u32 = 4_096;

/// Changes come one at a time, a revision each, and in batches of 128; a repair of the one source follows each revision.
pub(super) fn measure(graph: &Graph, scale: &Scale, figures: &mut Figures) {
    let name = format!("{}.watched", graph.name);
    eprintln!("  {name}: loading");
    let table = WatchTable::detached(1, graph.nodes, true).expect("memory for the labels");
    let labels = table.reader();
    let mut pathfinder = empty(graph);
    let config = WatchConfig {
        budget: BUDGET,
        preallocate: true,
    };
    pathfinder
        .keep_watched(table, &config)
        .expect("memory for repairs");
    load(graph, &mut pathfinder, figures);
    pathfinder.repair_watched(1, 0);
    let source = graph.arc(mix(0) % graph.arcs).source;
    let start = Instant::now();
    pathfinder.watch(source).expect("the one watch is free");
    while pathfinder.fill_watched(SLICE_VERTICES) {}
    figures.add(
        &format!("{name}.fill"),
        "ns/arc",
        start.elapsed().as_nanos() as f64 / graph.arcs as f64,
    );
    let (mut drawn, mut revision) = (0, 1);
    for round in 0..scale.rounds {
        eprintln!("  {name}: round {} of {}", round + 1, scale.rounds);
        for (what, batch) in [("repair", 1), ("repair_batch", BATCH)] {
            let spent = repairs(
                graph,
                &mut pathfinder,
                scale.watched_changes(graph.name),
                batch,
                (&mut drawn, &mut revision),
            );
            figures.add(&format!("{name}.{what}"), "ns", spent);
        }
        let wrong = differences(graph, &mut pathfinder, source, &labels, figures);
        figures.add(&format!("{name}.differences"), "labels", wrong as f64);
    }
}

/// Nanoseconds of repair a change; applying the change is not in, a change that touches no shortest path is.
fn repairs(
    graph: &Graph,
    pathfinder: &mut Pathfinder,
    changes: u64,
    batch: u64,
    (drawn, revision): (&mut u64, &mut u64),
) -> f64 {
    let (mut some, mut spent) = (Vec::with_capacity(BATCH as usize), Duration::ZERO);
    let runs = (changes / batch).max(1);
    for _ in 0..runs {
        some.clear();
        some.extend((0..batch).map(|_| {
            *drawn += 1;
            let random = mix(*drawn);
            let mask = 0x1_0000 | (random >> 40) as u32 & 0xff;
            EdgeChange {
                mask,
                ..graph.arc(random % graph.arcs)
            }
        }));
        pathfinder.apply_batch(&some);
        *revision += 1;
        let start = Instant::now();
        pathfinder.repair_watched(*revision, 0);
        spent += start.elapsed();
    }
    spent.as_nanos() as f64 / (runs * batch) as f64
}

/// Labels that differ from those of a search over the whole graph, whose time is taken.
fn differences(
    graph: &Graph,
    pathfinder: &mut Pathfinder,
    source: u32,
    labels: &WatchReader,
    figures: &mut Figures,
) -> usize {
    let mut expected = vec![UNREACHED; graph.nodes as usize];
    let start = Instant::now();
    pathfinder.distances(source, &mut expected);
    let name = format!("{}.watched.recompute", graph.name);
    figures.add(&name, "ns", start.elapsed().as_nanos() as f64);
    let differs = |(node, label): &(u32, u64)| {
        let (_, found) = labels.read(0, *node).expect("nobody writes meanwhile");
        found != *label
    };
    (0..graph.nodes).zip(expected).filter(differs).count()
}
