//! Load generator: an open loop of hunters who walk real roads against a Lodestone server.
#![forbid(unsafe_code)]

mod connect;
mod hunter;
mod interrupt;
mod options;
mod pacer;
mod percentiles;
mod random;
mod roads;
mod run;
mod schedule;
mod totals;
mod tracker;
mod watcher;

use std::process::ExitCode;

use lodestone_client::command_line::program;

fn main() -> ExitCode {
    let wish = options::parse(std::env::args_os().skip(1));
    program("lodestone-load", &options::help(), wish, async |options| Ok(run::run(*options).await?))
}
