//! Measures the Rust parts of Lodestone without a network: `make bench-core` and `make bench-graph` run it.
//!
//! Prints one JSON object: for each figure its unit and one value a round (or a second). Progress goes to standard error.
//! Left out: sockets, TLS, digests, Java. The engine's thread has the processor for itself as far as the machine allows;
//! nothing is pinned.

mod allocations;
mod channel;
mod events;
mod figures;
mod graph;
mod graphs;
mod host;
mod limit;
mod paced;
mod pages;
mod rings;
mod rollback;
mod stream;
mod turns;
mod wakes;
mod world;

use std::process::ExitCode;

use figures::Figures;
use turns::Turns;

const USAGE: &str = "usage: lodestone-bench core|uniform|rmat|tiled|rollback|paced [--quick] [--turns]
       lodestone-bench rings|events|stream|wakes FOLDER CORE
  core      bump pages, channel
  uniform, rmat, tiled   one graph: load, changes, a growing hub, shortest paths; uniform with its peers
  rollback  going back, and memory over many moves
  paced     moves at a fixed schedule, alone and beside routes
  rings     the other side of the Java benchmark of rings: a region in this folder, the thread on this core
  events    the same of events: their writer
  stream    their limit: lines of shared memory and nothing else
  wakes     the limit of sides that sleep: two bare threads, the one that answers on this core; nothing goes to the folder
  --quick   small sizes and few rounds, to try the program
  --turns   ask for the rounds of contenders in other processes (see benchmarks/graph.py)";

/// How much is measured.
struct Scale {
    /// Rounds of everything that is compared; contenders alternate.
    rounds: usize,
    /// Nodes of the uniform graph, edges that leave each, and nodes of its small sister.
    nodes: u32,
    degree: u32,
    small_nodes: u32,
    /// Arcs of the other graphs, and 2^nodes of R-MAT.
    arcs: u64,
    rmat_scale: u32,
    /// Words of a field of the limits.
    limit_words: usize,
    /// Changes of one round, by us and by petgraph, which is slow.
    changes: u64,
    petgraph_changes: u64,
    /// Changes of one round while a source is watched, on a graph of short distances.
    watched_changes: u64,
    /// Edges of the hub that grows, and how often it does.
    hub_edges: u32,
    hub_growths: u32,
    /// Rounds of one source to all nodes on the large graph; petgraph takes ten seconds for one.
    one_to_all_rounds: usize,
    /// Moves of one round.
    moves: u64,
    /// Moves over which the process must not grow.
    resident_moves: u64,
    /// Moves before a rollback.
    history_moves: u64,
    small_rollbacks: u64,
    /// Seconds before the paced runs, of one slice of them, and slices for each rate and each side.
    warm_seconds: u64,
    slice_seconds: u64,
    paced_slices: u64,
}

impl Scale {
    /// Routes between random nodes; on a road graph of this size one takes the time of hundreds.
    fn route_pairs(&self, graph: &str) -> u64 {
        if graph == "tiled" { 12 } else { 60 }
    }

    /// Changes of one round while a source is watched; on a road graph each moves the distances of thousands of nodes.
    fn watched_changes(&self, graph: &str) -> u64 {
        self.watched_changes / if graph == "tiled" { 1_000 } else { 1 }
    }

    fn route_rounds(&self, graph: &str) -> usize {
        if graph == "uniform" { self.rounds } else { 1 }
    }
}

/// 256,000 nodes with 184 edges each are the 47 million edges of the published figure; 4,800,000 moves are a minute at
/// 80,000 moves a second.
const FULL: Scale = Scale {
    rounds: 5,
    nodes: 256_000,
    degree: 184,
    small_nodes: 16_384,
    arcs: 47_000_000,
    rmat_scale: 22,
    limit_words: 1 << 27,
    changes: 2_000_000,
    petgraph_changes: 4_096,
    watched_changes: 100_000,
    hub_edges: 100_000,
    hub_growths: 30,
    one_to_all_rounds: 2,
    moves: 1_000_000,
    resident_moves: 10_000_000,
    history_moves: 4_800_000,
    small_rollbacks: 1_000,
    warm_seconds: 3,
    slice_seconds: 10,
    paced_slices: 3,
};
const QUICK: Scale = Scale {
    rounds: 2,
    nodes: 20_000,
    degree: 16,
    small_nodes: 2_000,
    arcs: 650_000,
    rmat_scale: 15,
    limit_words: 1 << 20,
    changes: 100_000,
    petgraph_changes: 1_024,
    watched_changes: 5_000,
    hub_edges: 5_000,
    hub_growths: 3,
    one_to_all_rounds: 1,
    moves: 50_000,
    resident_moves: 100_000,
    history_moves: 50_000,
    small_rollbacks: 50,
    warm_seconds: 0,
    slice_seconds: 1,
    paced_slices: 1,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((what, options)) = arguments.split_first() else {
        return usage();
    };
    if ["rings", "events", "stream", "wakes"].contains(&what.as_str()) {
        let [folder, core] = options else {
            return usage();
        };
        let Ok(core) = core.parse() else {
            return usage();
        };
        match what.as_str() {
            "rings" => rings::serve(folder, core),
            "events" => events::serve(folder, core),
            "stream" => stream::serve(folder, core),
            _ => wakes::serve(core),
        }
        return ExitCode::SUCCESS;
    }
    if !options
        .iter()
        .all(|option| option == "--quick" || option == "--turns")
    {
        return usage();
    }
    let given = |option: &str| options.iter().any(|given| given == option);
    let (scale, turns) = (
        if given("--quick") { QUICK } else { FULL },
        Turns {
            wanted: given("--turns"),
        },
    );
    let mut figures = Figures::default();
    match what.as_str() {
        "core" => {
            pages::measure(&scale, &mut figures);
            channel::measure(&scale, &mut figures);
        }
        "uniform" => graph::measure(&graph::uniform(&scale), true, turns, &scale, &mut figures),
        "rmat" => graph::measure(&graph::rmat(&scale), false, turns, &scale, &mut figures),
        "tiled" => graph::measure(&graph::tiled(&scale), false, turns, &scale, &mut figures),
        "rollback" => rollback::measure(&scale, &mut figures),
        "paced" => paced::measure(&scale, &mut figures),
        _ => return usage(),
    }
    println!("{}", figures.to_json());
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}
