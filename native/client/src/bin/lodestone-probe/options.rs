//! The command line.

use std::ffi::OsString;

use lodestone_client::command_line::{SERVER_HELP, ServerGiven, ServerOptions, Wish, each_option};

/// The name in messages.
pub(crate) const NAME: &str = "lodestone-probe";

/// What `--help` prints.
pub(crate) fn help() -> String {
    format!("{HELP_USAGE}{SERVER_HELP}{HELP_COMMANDS}")
}

const HELP_USAGE: &str = "\
lodestone-probe: speaks the Lodestone protocol by hand or from a script.

Usage: lodestone-probe --target HOST:PORT --certificate FILE [options] < COMMANDS

";

const HELP_COMMANDS: &str = "
  --updates                  speaks protocol version 3 (2 with an older server), with subscriptions
  --help                     prints this text

Commands, one a line on standard input; numbers are decimal or 0x hexadecimal
  move SOURCE TARGET MASK [version N] [payload HEX] [each]
                             moves a node along an edge; 'version' expects the node's version, 'each' asks for an ACK
                             of exactly this frame
  release NODE [each]        gives the node's slot back
  read NODE                  asks for the node's slot
  route SOURCE TARGET        asks for a shortest path
  subscribe NODE...          asks to be told of nodes, 1 to 64 of them; needs --updates
  subscribe-latest NODE...   the same, by datagram
  unsubscribe [NODE...]      asks to be told of them no more; of none at all where no node is named
  stream N                   what follows goes to stream N, opened at its first use; 0 is the one of HELLO
  datagram FRAME             sends a move, a release or a read as a datagram
  datagram counter N         the next datagram has this counter
  hold                       frames for streams wait from here on ...
  go                         ... until here, and then leave together; without 'hold' each leaves at once
  finish                     ends this side of the current stream; the server answers all and ends its side
  close [TEXT]               ends the session with a CLOSE frame; nothing more is answered
Empty lines and lines that begin with # mean nothing. At the end of the input all streams are finished, all answers
awaited, and the session is closed.

Standard output carries one JSON object per line, its kind under \"event\": welcome or refused; frame (the counter under
which the answer to the last command will come); ack, reject, rolled_back, state, path, subscribed, with \"stream\":N or
\"datagram\":true; ended, for a stream; update; close. Payload and slot are hexadecimal.

Exit status: 0 the session ended as asked for; 1 it could not be opened, the server closed it, or a frame could not be
sent; 2 wrong usage, or a command that is none (the others were carried out). Standard error says which and why.

Example
  printf 'move 7 8 0x1002a\\nread 7\\n' | lodestone-probe --target 127.0.0.1:4433 --certificate lodestone.pem
";

/// How the probe is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProbeOptions {
    /// Where to.
    pub(crate) server: ServerOptions,
    /// Whether to be told of changes.
    pub(crate) updates: bool,
}

/// Reads the arguments (without the program's name); the error says what is wrong in one line.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Wish<ProbeOptions>, String> {
    let (mut given, mut updates) = (ServerGiven::default(), false);
    let take = |name: &str, parser: &mut lexopt::Parser| match name {
        "updates" => {
            updates = true;
            Ok(())
        }
        name => given.take(name, parser),
    };
    match each_option(arguments, take)? {
        Wish::Help => Ok(Wish::Help),
        Wish::Run(()) => Ok(Wish::Run(ProbeOptions { server: given.complete()?, updates })),
    }
}
