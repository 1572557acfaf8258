//! What strangers may send: each place where bytes of somebody else come in, as a function of those bytes that fails where
//! a promise is broken.
//!
//! `native/fuzz` makes a target for libFuzzer of each, which needs a nightly compiler. Here they need nothing: a test of
//! every day replays the kept inputs, `native/fuzz/corpus` with seeds made by `seeds`, and `native/fuzz/found` with inputs
//! that once broke something.
#![forbid(unsafe_code)]

mod bridge;
mod configuration;
mod graph_file;
mod hello;
mod script;
mod stream;
mod token;

pub mod seeds;

/// A target: its name, and what it does with an input. It panics where a promise is broken.
pub type Target = (&'static str, fn(&[u8]));

/// All targets; the name is that of the file in `native/fuzz/fuzz_targets` and of the folders of inputs.
pub const TARGETS: [Target; 7] = [
    ("bridge", bridge::run),
    ("configuration", configuration::run),
    ("frame", stream::run_whole),
    ("graph_file", graph_file::run),
    ("hello", hello::run),
    ("stream", stream::run_split),
    ("token", token::run),
];

/// Gives an input to the target of this name.
///
/// # Panics
/// When there is no such target, and where a promise is broken.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, run) = target.unwrap_or_else(|| panic!("there is no target {name}"));
    run(input);
}
