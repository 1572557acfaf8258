//! Measures the Rust parts of Lodestone without a network: `make bench-core` runs it.
//!
//! Prints one JSON object: for each figure its unit and one value a round (or a second). Progress goes to standard error.
//! Left out: sockets, TLS, digests, Java. The engine's thread has the processor for itself as far as the machine allows;
//! nothing is pinned.

mod allocations;
mod channel;
mod engine;
mod figures;
mod limit;
mod pages;
mod world;

use std::process::ExitCode;

use figures::Figures;

const USAGE: &str = "usage: lodestone-bench [--quick]   (--quick: a small graph and short rounds, to try the program)";

/// How much is measured.
#[derive(Clone, Copy)]
struct Scale {
    /// Rounds of everything that is compared; contenders alternate.
    rounds: usize,
    /// Edges that leave each node.
    degree: u32,
    /// Moves of one round of the engine.
    moves: u64,
    /// Moves before a rollback.
    history_moves: u64,
    /// Seconds of each paced run.
    paced_seconds: u64,
}

/// 256,000 nodes with 184 edges each are the 47 million edges of the published figure; 4,800,000 moves are a minute at
/// 80,000 moves a second.
const FULL: Scale = Scale {
    rounds: 5,
    degree: 184,
    moves: 1_000_000,
    history_moves: 4_800_000,
    paced_seconds: 10,
};
const QUICK: Scale = Scale {
    rounds: 2,
    degree: 8,
    moves: 100_000,
    history_moves: 200_000,
    paced_seconds: 2,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let scale = match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [] => FULL,
        ["--quick"] => QUICK,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut figures = Figures::default();
    pages::measure(scale, &mut figures);
    channel::measure(scale, &mut figures);
    engine::measure(scale, &mut figures);
    println!("{}", figures.to_json());
    ExitCode::SUCCESS
}
