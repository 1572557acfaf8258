//! `lodestoned`: see the library of this crate.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    lodestone_daemon::run()
}
