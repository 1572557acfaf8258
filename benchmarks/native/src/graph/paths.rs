//! Shortest paths: between two nodes, and from one node to all.

use std::time::{Duration, Instant};

use lodestone_core::PUT_ARCS_MAX;
use lodestone_core::pathfinder::{Pathfinder, PathfinderConfig, Route, RouteStatus, UNREACHED};
use petgraph::algo::dijkstra;
use petgraph::graph::{DiGraph, NodeIndex};

use super::peers::petgraph;
use crate::Scale;
use crate::figures::Figures;
use crate::graphs::Graph;
use crate::turns::Turns;
use crate::world::mix;

/// Nodes that the list of a route has room for; longer routes are found all the same.
const ROUTE_NODES_MAX: usize = 1 << 16;
/// Arcs of the walk that a target in the neighbourhood is the end of.
const WALK_ARCS: u32 = 20;
/// Bits of a label below the distance.
const LABEL_DISTANCE_SHIFT: u32 = 28;
/// Routes that are compared with what petgraph found.
const COMPARED: u64 = 16;

/// A pathfinder with every arc of the graph.
pub(crate) fn loaded(graph: &Graph, figures: &mut Figures) -> Pathfinder {
    let mut pathfinder = empty(graph);
    load(graph, &mut pathfinder, figures);
    pathfinder
}

/// A pathfinder with room for the graph.
pub(super) fn empty(graph: &Graph) -> Pathfinder {
    let config = PathfinderConfig {
        nodes_max: graph.nodes,
        edges_max: graph.arcs as u32,
        budget: u64::MAX,
        index_salt: 7,
        preallocate: true,
    };
    Pathfinder::new(&config).expect("memory for the pathfinder")
}

/// Feeds every arc to the pathfinder; how long that took.
pub(super) fn load(graph: &Graph, pathfinder: &mut Pathfinder, figures: &mut Figures) {
    let (mut arcs, mut spent) = (Vec::with_capacity(PUT_ARCS_MAX), Duration::ZERO);
    for first in (0..graph.arcs).step_by(PUT_ARCS_MAX) {
        arcs.clear();
        let end = graph.arcs.min(first + PUT_ARCS_MAX as u64);
        arcs.extend((first..end).map(|place| graph.scattered(place)));
        let start = Instant::now();
        pathfinder.apply_batch(&arcs);
        spent += start.elapsed();
    }
    let name = format!("{}.pathfinder.load", graph.name);
    figures.add(&name, "s", spent.as_secs_f64());
    let name = format!("{}.pathfinder.bytes", graph.name);
    figures.add(
        &name,
        "B/edge",
        pathfinder.bytes_used() as f64 / pathfinder.edges() as f64,
    );
}

pub(super) fn measure(
    graph: &Graph,
    with_peers: bool,
    turns: Turns,
    scale: &Scale,
    figures: &mut Figures,
) {
    eprintln!("  {}: loading the pathfinder", graph.name);
    let mut pathfinder = loaded(graph, figures);
    let mut route = Route::with_capacity(ROUTE_NODES_MAX).expect("memory for a route");
    for round in 0..scale.route_rounds(graph.name) {
        eprintln!("  {}: routes, round {}", graph.name, round + 1);
        let pairs = scale.route_pairs(graph.name);
        let any = (0..pairs).map(|pair| random_pair(graph, pair));
        routes("route", graph, any, &mut pathfinder, &mut route, figures);
        let near = (0..pairs).filter_map(|pair| graph.walk(WALK_ARCS, mix(pair)));
        routes(
            "route_near",
            graph,
            near,
            &mut pathfinder,
            &mut route,
            figures,
        );
    }
    one_to_all(
        graph,
        &mut pathfinder,
        with_peers,
        scale.one_to_all_rounds,
        turns,
        figures,
    );
    drop(pathfinder);
    if with_peers {
        let small = Graph::uniform("small", scale.small_nodes, scale.degree);
        let mut pathfinder = loaded(&small, figures);
        one_to_all(&small, &mut pathfinder, true, scale.rounds, turns, figures);
    }
}

/// Two nodes with an arc each: many nodes of R-MAT have none.
pub(crate) fn random_pair(graph: &Graph, number: u64) -> (u32, u32) {
    let arc = |random: u64| graph.arc(mix(random) % graph.arcs);
    (arc(number << 1).source, arc(number << 1 | 1).target)
}

/// Finds the routes and adds median, 90th percentile and maximum of their times, and how many there are none of.
fn routes(
    what: &str,
    graph: &Graph,
    pairs: impl Iterator<Item = (u32, u32)>,
    pathfinder: &mut Pathfinder,
    route: &mut Route,
    figures: &mut Figures,
) {
    let (mut times_us, mut unreachable) = (vec![], 0);
    for (source, target) in pairs {
        let start = Instant::now();
        let status = pathfinder.route(source, target, route);
        times_us.push(start.elapsed().as_nanos() as f64 / 1e3);
        unreachable += u32::from(status == RouteStatus::Unreachable);
    }
    times_us.sort_by(f64::total_cmp);
    if times_us.is_empty() {
        return;
    }
    let name = format!("{}.{what}", graph.name);
    for (percentile, share) in [("p50", 0.5), ("p90", 0.9), ("max", 1.0)] {
        let place = ((times_us.len() - 1) as f64 * share).round() as usize;
        figures.add(&format!("{name}.{percentile}"), "us", times_us[place]);
    }
    figures.add(
        &format!("{name}.unreachable"),
        "routes",
        f64::from(unreachable),
    );
}

/// From one source to all nodes, beside petgraph and those who take turns.
fn one_to_all(
    graph: &Graph,
    pathfinder: &mut Pathfinder,
    with_peers: bool,
    rounds: usize,
    turns: Turns,
    figures: &mut Figures,
) {
    let peer = with_peers.then(|| petgraph(graph));
    let mut labels = vec![UNREACHED; graph.nodes as usize];
    for round in 0..rounds as u64 {
        eprintln!(
            "  {}: one to all, round {} of {rounds}",
            graph.name,
            round + 1
        );
        let source = graph.arc(mix(round) % graph.arcs).source;
        own_one_to_all(graph, pathfinder, source, &mut labels, figures);
        if let Some(peer) = &peer {
            let distances = petgraph_one_to_all(graph, peer, source, figures);
            compare(graph, pathfinder, source, &distances);
            turns.pass(&format!("{}.one_to_all", graph.name), round);
        }
    }
}

/// The time of the pathfinder's own search, and the sum of all distances, which those of the peers must equal.
fn own_one_to_all(
    graph: &Graph,
    pathfinder: &mut Pathfinder,
    source: u32,
    labels: &mut [u64],
    figures: &mut Figures,
) {
    let start = Instant::now();
    pathfinder.distances(source, labels);
    let spent_ns = start.elapsed().as_nanos() as f64;
    let name = format!("{}.pathfinder", graph.name);
    figures.add(
        &format!("{name}.one_to_all"),
        "ns/arc",
        spent_ns / graph.arcs as f64,
    );
    let reached = labels.iter().filter(|label| **label != UNREACHED);
    let sum: u64 = reached.map(|label| label >> LABEL_DISTANCE_SHIFT).sum();
    figures.add(&format!("{name}.sum"), "units", sum as f64);
}

/// Distances as petgraph finds them; `u64::MAX` where there is no path.
fn petgraph_one_to_all(
    graph: &Graph,
    peer: &DiGraph<(), u32, u32>,
    source: u32,
    figures: &mut Figures,
) -> Vec<u64> {
    let start = Instant::now();
    let found = dijkstra(peer, NodeIndex::new(source as usize), None, |edge| {
        *edge.weight()
    });
    let spent_ns = start.elapsed().as_nanos() as f64;
    let name = format!("{}.petgraph.one_to_all", graph.name);
    figures.add(&name, "ns/arc", spent_ns / graph.arcs as f64);
    let mut distances = vec![u64::MAX; graph.nodes as usize];
    found
        .iter()
        .for_each(|(node, distance)| distances[node.index()] = u64::from(*distance));
    distances
}

/// The pathfinder's routes are as long as petgraph says.
fn compare(graph: &Graph, pathfinder: &mut Pathfinder, source: u32, distances: &[u64]) {
    let mut route = Route::with_capacity(1).expect("memory for a route");
    for number in 0..COMPARED {
        let (_, target) = random_pair(graph, number);
        pathfinder.route(source, target, &mut route);
        let expected = distances[target as usize];
        assert_eq!(
            route.distance, expected,
            "{}: from {source} to {target}",
            graph.name
        );
    }
}
