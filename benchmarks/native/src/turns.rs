//! Turns: contenders in other processes measure while this one waits, so that rounds alternate also across languages.
//!
//! `TURN name round` on standard output asks for the turn; a line on standard input says that it is over.

use std::io::{self, Write};

/// Asks for turns, or never does.
#[derive(Clone, Copy)]
pub(crate) struct Turns {
    /// Whether there is somebody to ask.
    pub(crate) wanted: bool,
}

impl Turns {
    /// Lets the others measure one round, and returns when they are done.
    pub(crate) fn pass(self, name: &str, round: u64) {
        if !self.wanted {
            return;
        }
        println!("TURN {name} {round}");
        io::stdout().flush().expect("standard output is open");
        let read = io::stdin().read_line(&mut String::new());
        assert!(
            read.is_ok_and(|bytes| bytes > 0),
            "whoever gives the turns is gone"
        );
    }
}
