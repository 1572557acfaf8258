//! What others use for the same: the standard library's hash map, and petgraph.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use lodestone_core::weight_of;
use petgraph::graph::{DiGraph, NodeIndex};

use super::Contender;
use crate::Scale;
use crate::figures::Figures;
use crate::graphs::Graph;
use crate::world::{BATCH, mix};

/// Times `change` alone over so many random arcs with a random mask; nanoseconds each.
fn change_ns(
    graph: &Graph,
    seed: &mut u64,
    changes: u64,
    mut change: impl FnMut(u32, u32, u32),
) -> f64 {
    let (mut arcs, mut spent) = (Vec::with_capacity(BATCH as usize), Duration::ZERO);
    for _ in 0..changes / BATCH {
        arcs.clear();
        arcs.extend((0..BATCH).map(|_| {
            *seed += 1;
            let arc = graph.arc(mix(*seed) % graph.arcs);
            (arc.source, arc.target, 0x1_0000 | *seed as u32 & 0xffff)
        }));
        let start = Instant::now();
        for (source, target, mask) in &arcs {
            change(*source, *target, *mask);
        }
        spent += start.elapsed();
    }
    spent.as_nanos() as f64 / (changes / BATCH * BATCH) as f64
}

/// A map from both ends to the mask: no routes, no way back, no hash of the whole.
pub(super) struct StdHashMap<'a> {
    graph: &'a Graph,
    map: HashMap<(u32, u32), u32>,
    seed: u64,
    changes: u64,
}

impl<'a> StdHashMap<'a> {
    pub(super) fn loaded(graph: &'a Graph, scale: &Scale, figures: &mut Figures) -> StdHashMap<'a> {
        eprintln!("  {}: loading a HashMap", graph.name);
        let mut map = HashMap::with_capacity(graph.arcs as usize);
        let start = Instant::now();
        for place in 0..graph.arcs {
            let arc = graph.scattered(place);
            map.insert((arc.source, arc.target), arc.mask);
        }
        let name = format!("{}.std_hash_map.load", graph.name);
        figures.add(&name, "s", start.elapsed().as_secs_f64());
        StdHashMap {
            graph,
            map,
            seed: 0,
            changes: scale.changes,
        }
    }
}

impl Contender for StdHashMap<'_> {
    fn round(&mut self, figures: &mut Figures) {
        let map = &mut self.map;
        let spent = change_ns(
            self.graph,
            &mut self.seed,
            self.changes,
            |source, target, mask| {
                map.insert((source, target), mask);
            },
        );
        figures.add(
            &format!("{}.std_hash_map.change", self.graph.name),
            "ns",
            spent,
        );
        black_box(&self.map);
    }
}

/// petgraph's graph with a list of arcs for each node.
pub(super) struct Petgraph<'a> {
    graph: &'a Graph,
    peer: DiGraph<(), u32, u32>,
    seed: u64,
    changes: u64,
}

/// The graph as petgraph holds it, by weight. Arcs that stand twice do so here as well.
pub(super) fn petgraph(graph: &Graph) -> DiGraph<(), u32, u32> {
    let mut peer = DiGraph::with_capacity(graph.nodes as usize, graph.arcs as usize);
    for _ in 0..graph.nodes {
        peer.add_node(());
    }
    for place in 0..graph.arcs {
        let arc = graph.scattered(place);
        peer.add_edge(
            NodeIndex::new(arc.source as usize),
            NodeIndex::new(arc.target as usize),
            weight_of(arc.mask),
        );
    }
    peer
}

impl<'a> Petgraph<'a> {
    pub(super) fn loaded(graph: &'a Graph, scale: &Scale) -> Petgraph<'a> {
        eprintln!("  {}: loading petgraph", graph.name);
        Petgraph {
            graph,
            peer: petgraph(graph),
            seed: 0,
            changes: scale.petgraph_changes,
        }
    }
}

impl Contender for Petgraph<'_> {
    fn round(&mut self, figures: &mut Figures) {
        let peer = &mut self.peer;
        let spent = change_ns(
            self.graph,
            &mut self.seed,
            self.changes,
            |source, target, mask| {
                let ends = (
                    NodeIndex::new(source as usize),
                    NodeIndex::new(target as usize),
                );
                peer.update_edge(ends.0, ends.1, weight_of(mask));
            },
        );
        figures.add(&format!("{}.petgraph.change", self.graph.name), "ns", spent);
    }
}
