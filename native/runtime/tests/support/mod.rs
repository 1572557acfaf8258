//! What tests of a whole engine share.
#![allow(dead_code)]

use lodestone_memory::CounterId;
use lodestone_runtime::{Engine, LocalDecision, LocalKind, LocalMove};

/// Who finds the routes: every test of routes runs with both.
pub(crate) const PLACES: [&str; 2] = ["graph.pathfinder=thread\n", "graph.pathfinder=inline\n"];

/// An engine with these sizes on a free port, in anonymous memory.
pub(crate) fn open(nodes: u32, edges: u32, more: &str) -> Engine {
    let config = format!(
        "transport.listen=127.0.0.1:0\nruntime.shared_region=anonymous\narena.capacity=1000\ngraph.nodes_max={nodes}\n\
         graph.edges_max={edges}\nrollback.window_mib=32\narena.bump_mib=1\narena.preallocate=false\n{more}"
    );
    Engine::open(&config, 1).unwrap()
}

/// Submits one move for each (source, target, mask).
pub(crate) fn submit(engine: &Engine, moves: &[(u32, u32, u32)]) -> Vec<LocalDecision> {
    let packets: Vec<[u8; 24]> = moves
        .iter()
        .map(|(source, target, mask)| {
            let mut packet = [0; 24];
            packet[..4].copy_from_slice(&source.to_le_bytes());
            packet[4..8].copy_from_slice(&target.to_le_bytes());
            packet[8..12].copy_from_slice(&mask.to_le_bytes());
            packet
        })
        .collect();
    let moves: Vec<LocalMove> = packets.iter().map(|packet| LocalMove { kind: LocalKind::Move, packet }).collect();
    engine.submit(&moves, 0).unwrap()
}

pub(crate) fn counter(engine: &Engine, id: CounterId) -> u64 {
    engine.counters().get(id)
}

/// Two chains of `nodes / 2` nodes that do not meet, the even ones and the odd ones: a route from 0 to the last node
/// settles all of them.
pub(crate) fn two_chains(engine: &Engine, nodes: u32) {
    let arcs: Vec<u32> = (0..nodes - 2).flat_map(|node| [node, node + 2, 0x1_0001]).collect();
    engine.put_arcs(&arcs).unwrap();
}
