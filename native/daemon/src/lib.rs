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

use std::path::Path;
use std::process::ExitCode;

use options::Wish;

/// Does what the command line asks for; returns when the engine was told to end.
pub fn run() -> ExitCode {
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

/// Turns the text of a configuration file into the lines that the engine takes, for tests that feed it whatever they like.
/// Relative paths in it begin in the folder of `file`, which need not be there.
///
/// # Errors
/// What is wrong, with its place.
#[doc(hidden)]
pub fn flat_lines(text: &str, file: &Path) -> Result<String, String> {
    config::translate(text, file, None).map(|loaded| loaded.flat).map_err(|refusal| refusal.to_string())
}
