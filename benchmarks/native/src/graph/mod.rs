//! One graph: how it loads, how fast its edges change, what the worst batch costs while a hub grows, shortest paths.
//!
//! The contenders of a row take turns, round by round, so that a slow minute of the machine hits each of them alike;
//! those that live in other processes get theirs through [`Turns`].

mod changes;
pub(crate) mod paths;
mod peers;
mod watched;

use lodestone_core::edges::VLine;

use crate::figures::Figures;
use crate::graphs::Graph;
use crate::limit::Memory;
use crate::turns::Turns;
use crate::world::EngineStore;
use crate::{Scale, host};

use changes::Engine;

/// Takes part in the rounds of changes.
trait Contender {
    fn round(&mut self, figures: &mut Figures);

    /// After all rounds: a hub grows, in contenders of which that is measured.
    fn hub(&mut self, _scale: &Scale, _figures: &mut Figures) {}
}

/// The road graph that the tiles are copies of; the program runs in the top folder of the repository.
const MAP: &str = "data/delaware.lsg";

pub(crate) fn uniform(scale: &Scale) -> Graph {
    Graph::uniform("uniform", scale.nodes, scale.degree)
}

pub(crate) fn rmat(scale: &Scale) -> Graph {
    Graph::rmat(scale.rmat_scale, scale.arcs)
}

pub(crate) fn tiled(scale: &Scale) -> Graph {
    let bytes = std::fs::read(MAP).unwrap_or_else(|error| panic!("cannot read {MAP}: {error}"));
    let map = lodestone_map::decode(&bytes).unwrap_or_else(|error| panic!("{MAP}: {error}"));
    Graph::tiled(&map, scale.arcs)
}

/// Measures all rows of one graph; `peers` brings in the structures that others use.
pub(crate) fn measure(
    graph: &Graph,
    with_peers: bool,
    turns: Turns,
    scale: &Scale,
    figures: &mut Figures,
) {
    let name = graph.name;
    figures.add(&format!("{name}.arcs"), "arcs", graph.arcs as f64);
    eprintln!("  {name}: {} nodes, {} arcs", graph.nodes, graph.arcs);
    changes::store::<EngineStore>("engine", graph, figures);
    changes::store::<VLine>("vline", graph, figures);
    rounds(graph, with_peers, turns, scale, figures);
    paths::measure(graph, with_peers, turns, scale, figures);
    watched::measure(graph, scale, figures);
}

fn rounds(graph: &Graph, with_peers: bool, turns: Turns, scale: &Scale, figures: &mut Figures) {
    let name = graph.name;
    let mut memory = Memory::new(scale.limit_words, scale.changes);
    let engine = Engine::<EngineStore>::loaded("engine", graph, scale, figures);
    let vline = Engine::<VLine>::loaded("vline", graph, scale, figures);
    let mut contenders: Vec<Box<dyn Contender + '_>> = vec![Box::new(engine), Box::new(vline)];
    if with_peers {
        contenders.push(Box::new(peers::StdHashMap::loaded(graph, scale, figures)));
        contenders.push(Box::new(peers::Petgraph::loaded(graph, scale)));
    }
    for round in 0..scale.rounds {
        eprintln!("  {name}: changes, round {} of {}", round + 1, scale.rounds);
        memory.measure(&format!("{name}.limit"), round as u64, figures);
        for contender in &mut contenders {
            contender.round(figures);
        }
        if with_peers {
            turns.pass("changes", round as u64);
        }
    }
    figures.add(
        &format!("{name}.resident"),
        "MiB",
        host::resident_bytes() as f64 / 1_048_576.0,
    );
    // The others may go: what comes next needs their memory.
    turns.pass("none", 0);
    for contender in &mut contenders {
        contender.hub(scale, figures);
    }
}
