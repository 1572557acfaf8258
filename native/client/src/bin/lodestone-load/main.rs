//! Load generator: an open loop of hunters who walk real roads against a Lodestone server.
#![forbid(unsafe_code)]

mod connect;
mod hunter;
mod interrupt;
mod json;
mod options;
mod output;
mod pacer;
mod random;
mod roads;
mod run;
mod schedule;
mod totals;
mod tracker;

use std::process::ExitCode;

use options::Command;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args_os().skip(1)) {
        Ok(Command::Run(options)) => *options,
        Ok(Command::Help) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("lodestone-load: {error}\nTry 'lodestone-load --help'.");
            return ExitCode::from(2);
        }
    };
    // One thread for everything: the server under test needs the other cores more than the generator does, and tasks
    // that share a thread wake each other without a system call.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("lodestone-load: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run::run(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            for problem in problems {
                eprintln!("lodestone-load: {problem}");
            }
            ExitCode::FAILURE
        }
    }
}
