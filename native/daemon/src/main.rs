//! `lodestoned`: an engine in a process of its own, from the configuration file that Java reads, with its shared region as
//! a file to which any number of Java processes attach.
#![forbid(unsafe_code)]

mod config;
#[cfg(test)]
mod config_tests;
mod log;
mod options;
mod schema;
mod serve;
mod signals;
mod yaml;

use std::process::ExitCode;

use options::Wish;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args_os().skip(1)) {
        Ok(Wish::Serve(options)) => options,
        Ok(Wish::Help) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Wish::Version) => {
            println!("lodestoned {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("lodestoned: {wrong}\nTry 'lodestoned --help'.");
            return ExitCode::from(2);
        }
    };
    match serve::serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("lodestoned: {problem}");
            ExitCode::FAILURE
        }
    }
}
