//! A tool to speak the protocol by hand or from a script: commands in, one JSON object per answer out.
#![forbid(unsafe_code)]

mod answers;
mod command;
mod options;
mod probe;
mod run;

use std::process::ExitCode;

use lodestone_client::command_line::program;

fn main() -> ExitCode {
    let wish = options::parse(std::env::args_os().skip(1));
    program(options::NAME, &options::help(), wish, run::run)
}
