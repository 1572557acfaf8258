//! What the programs of this crate share: options that name a server, JSON lines, exit codes. No part of the client's
//! API: it changes with the programs.

mod json;
mod output;
mod server;

use std::ffi::OsString;
use std::process::ExitCode;

use lexopt::prelude::*;

pub use json::Object;
pub use output::Output;
pub use server::{SERVER_HELP, ServerGiven, ServerOptions, Trust};

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish<O> {
    /// Print the help.
    Help,
    /// Run with these options.
    Run(O),
}

/// Why a program does not end with exit status 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit status: 1 the run failed, 2 wrong usage.
    pub exit: u8,
    /// What went wrong, in plain words, a line each.
    pub problems: Vec<String>,
}

impl From<Vec<String>> for Failure {
    fn from(problems: Vec<String>) -> Failure {
        Failure { exit: 1, problems }
    }
}

impl From<String> for Failure {
    fn from(problem: String) -> Failure {
        vec![problem].into()
    }
}

/// Runs a program on one thread and says on standard error what went wrong.
///
/// One thread for everything: the server at the other end needs the other cores more than a client does, and tasks that
/// share a thread wake each other without a system call.
pub fn program<O>(
    name: &str,
    help: &str,
    wish: Result<Wish<O>, String>,
    run: impl AsyncFnOnce(O) -> Result<(), Failure>,
) -> ExitCode {
    let options = match wish {
        Ok(Wish::Run(options)) => options,
        Ok(Wish::Help) => {
            print!("{help}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{name}: {error}\nTry '{name} --help'.");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{name}: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let Err(failure) = runtime.block_on(run(options)) else { return ExitCode::SUCCESS };
    for problem in failure.problems {
        eprintln!("{name}: {problem}");
    }
    ExitCode::from(failure.exit)
}

/// Hands every long option to `take`, which fetches its value with [`value_of`].
///
/// # Errors
/// What is wrong with the arguments, in one line.
pub fn each_option(
    arguments: impl IntoIterator<Item = OsString>,
    mut take: impl FnMut(&str, &mut lexopt::Parser) -> Result<(), String>,
) -> Result<Wish<()>, String> {
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let name = match argument {
            Short('h') | Long("help") => return Ok(Wish::Help),
            Long(name) => name.to_owned(),
            other => return Err(other.unexpected().to_string()),
        };
        take(&name, &mut parser)?;
    }
    Ok(Wish::Run(()))
}

/// The value of the option just met.
///
/// # Errors
/// When it has none.
pub fn value_of(name: &str, parser: &mut lexopt::Parser) -> Result<OsString, String> {
    parser.value().map_err(|_| format!("--{name} needs a value"))
}

/// A value that is text.
///
/// # Errors
/// When it is not UTF-8.
pub fn text(name: &str, value: OsString) -> Result<String, String> {
    value.into_string().map_err(|value| format!("--{name}: {value:?} is not valid text"))
}

/// A value that is a number in a range.
///
/// # Errors
/// When it is none, with the range.
pub fn number(name: &str, value: OsString, lowest: u64, highest: u64) -> Result<u64, String> {
    let value = text(name, value)?;
    let parsed = value.parse::<u64>().ok().filter(|number| (lowest..=highest).contains(number));
    parsed.ok_or_else(|| format!("--{name}: {value:?} is not a number from {lowest} to {highest}"))
}

/// The bytes that these hexadecimal digits stand for; `None` for anything else. No digits, no bytes.
pub fn bytes_of_hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        digits.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect::<Option<_>>()?;
    digits.len().is_multiple_of(2).then(|| digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
