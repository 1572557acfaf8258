//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lodestone_client::command_line::{
    SERVER_HELP, ServerGiven, ServerOptions, Wish, each_option, number, text, value_of,
};

/// What `--help` prints.
pub(crate) fn help() -> String {
    format!("{HELP_USAGE}{SERVER_HELP}{HELP_OPTIONS}")
}

const HELP_USAGE: &str = "\
lodestone-load: moves nodes of a Lodestone server at a fixed schedule, and tells how long each move took.

Usage: lodestone-load --target HOST:PORT --certificate FILE (--map FILE | --nodes FIRST-LAST) [options]

It moves real nodes and sets real edges of that server: use one that nobody needs as it is.

";

const HELP_OPTIONS: &str = "
Load
  --map FILE                 road network (.lsg); hunters walk its real arcs only
  --nodes FIRST-LAST         instead of --map: hunters walk a grid over these nodes, at least two; a token has to cover them
  --connections N            QUIC connections, one hunter each, 1..=60000 (default 1000)
  --rate N                   moves per second of all hunters together, 1..=10000000 (default 20000)
  --seconds N                length of the run, 1..=86400 (default 15)
  --seed N                   same seed, same walks (default 1)
  --subscribe N              each session is told of N nodes of the ground, from its hunter's number on, 1..=100000; the
                             server has to allow it (fanout.policy)
  --latest                   by datagram instead of by stream
  --handshakes-at-once N     connections being opened at the same time, 1..=1000 (default 8)

Output
  --report FILE              also writes the final JSON object to this file
  --histogram FILE           also writes the latencies as an HdrHistogram percentile file (.hgrm), in microseconds
  --progress                 a line for people after each second, on standard error
  --help                     prints this text

The schedule is fixed before the run: moves are spread evenly over a grid of half a millisecond and measured from the
instant they were due, however late they left, to the ACK. No hunter visits more than 200 crossings. Nothing slows
the schedule down: a server that falls behind shows as latency. With --subscribe, \"delivery_us\" in the report is the time
from the instant a move was due until a subscriber had the state, and \"updates_missed\" how many states were passed over
because a newer one was there already.

Standard output carries one JSON object per line: \"connecting\" while connections open; \"tick\" after each second, with
totals so far and the percentiles of that second; \"done\" at the end. Times are in microseconds. An interrupt (SIGINT,
SIGTERM) ends the run early, with the report.

Exit status: 0 every move sent was acknowledged or refused; 1 the run failed (standard error says why); 2 wrong usage.
";

/// Most nodes of a grid: about 400 MiB of the generator's memory.
const GRID_NODES_MAX: u32 = 10_000_000;

/// A run, as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) server: ServerOptions,
    pub(crate) ground: Ground,
    pub(crate) connections: u32,
    pub(crate) rate: u64,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    pub(crate) watching: Watching,
    pub(crate) handshakes_at_once: usize,
    pub(crate) report: Option<PathBuf>,
    pub(crate) histogram: Option<PathBuf>,
    pub(crate) progress: bool,
}

/// What each session is told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watching {
    /// Nodes of each session; 0: nobody is told of anything.
    pub(crate) nodes: u32,
    /// By datagram.
    pub(crate) latest: bool,
}

/// Where the hunters walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// The roads of a map file.
    Map(PathBuf),
    /// A grid over these nodes, both included.
    Nodes { first: u32, last: u32 },
}

/// Everything given so far.
#[derive(Default)]
struct Given {
    server: ServerGiven,
    map: Option<PathBuf>,
    nodes: Option<(u32, u32)>,
    connections: Option<u64>,
    rate: Option<u64>,
    seconds: Option<u64>,
    seed: Option<u64>,
    subscribe: Option<u64>,
    latest: bool,
    handshakes_at_once: Option<u64>,
    report: Option<PathBuf>,
    histogram: Option<PathBuf>,
    progress: bool,
}

/// Reads the arguments (without the program's name); the error says what is wrong in one line.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Wish<Box<Options>>, String> {
    let mut given = Given::default();
    match each_option(arguments, |name, parser| take_option(&mut given, name, parser))? {
        Wish::Help => Ok(Wish::Help),
        Wish::Run(()) => given.complete().map(|options| Wish::Run(Box::new(options))),
    }
}

fn take_option(given: &mut Given, name: &str, parser: &mut lexopt::Parser) -> Result<(), String> {
    let mut value = || value_of(name, parser);
    match name {
        "map" => given.map = Some(value()?.into()),
        "nodes" => given.nodes = Some(range(&text(name, value()?)?)?),
        "connections" => given.connections = Some(number(name, value()?, 1, 60_000)?),
        "rate" => given.rate = Some(number(name, value()?, 1, 10_000_000)?),
        "seconds" => given.seconds = Some(number(name, value()?, 1, 86_400)?),
        "seed" => given.seed = Some(number(name, value()?, 0, u64::MAX)?),
        "subscribe" => given.subscribe = Some(number(name, value()?, 1, 100_000)?),
        "latest" => given.latest = true,
        "handshakes-at-once" => given.handshakes_at_once = Some(number(name, value()?, 1, 1_000)?),
        "report" => given.report = Some(value()?.into()),
        "histogram" => given.histogram = Some(value()?.into()),
        "progress" => given.progress = true,
        other => given.server.take(other, parser)?,
    }
    Ok(())
}

/// First and last of at least two nodes, and of no more than fit into memory as a grid.
fn range(value: &str) -> Result<(u32, u32), String> {
    let ends = value.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    let fits = |(first, last): &(u32, u32)| first < last && last - first < GRID_NODES_MAX;
    ends.filter(fits).ok_or_else(|| {
        format!("--nodes: {value:?} is not FIRST-LAST, for example 0-9999, of 2 to {GRID_NODES_MAX} nodes")
    })
}

impl Given {
    fn complete(self) -> Result<Options, String> {
        let server = self.server.complete()?;
        let ground = match (self.map, self.nodes) {
            (Some(map), None) => Ground::Map(map),
            (None, Some((first, last))) => Ground::Nodes { first, last },
            (None, None) => return Err("--map FILE or --nodes FIRST-LAST is missing".into()),
            (Some(_), Some(_)) => return Err("--map and --nodes exclude each other".into()),
        };
        let nodes = self.subscribe.unwrap_or(0) as u32;
        if self.latest && nodes == 0 {
            return Err("--latest goes with --subscribe".into());
        }
        Ok(Options {
            watching: Watching { nodes, latest: self.latest },
            server,
            ground,
            connections: self.connections.unwrap_or(1_000) as u32,
            rate: self.rate.unwrap_or(20_000),
            seconds: self.seconds.unwrap_or(15),
            seed: self.seed.unwrap_or(1),
            handshakes_at_once: self.handshakes_at_once.unwrap_or(8) as usize,
            report: self.report,
            histogram: self.histogram,
            progress: self.progress,
        })
    }
}

#[cfg(test)]
mod tests {
    use lodestone_client::command_line::Trust;

    use super::*;

    fn parse_text(line: &str) -> Result<Wish<Box<Options>>, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn takes_defaults_and_values() {
        let Wish::Run(options) = parse_text("--target 127.0.0.1:4433 --certificate c.pem --map m.lsg").unwrap() else {
            panic!("no run");
        };
        assert_eq!((options.connections, options.rate, options.seconds), (1_000, 20_000, 15));
        let line =
            "--target a:1 --fingerprint 00 --map m --connections=5 --rate 6 --seconds 7 --seed 8 --report r.json";
        let Wish::Run(options) = parse_text(line).unwrap() else { panic!("no run") };
        assert_eq!((options.connections, options.rate, options.seconds, options.seed), (5, 6, 7, 8));
        assert_eq!(options.server.trust, Trust::Fingerprint("00".into()));
        assert_eq!((options.report, options.ground), (Some("r.json".into()), Ground::Map("m".into())));
        let line = "--target a:1 --fingerprint 00 --nodes 4294960000-4294967295 --histogram h.hgrm --progress";
        let Wish::Run(options) = parse_text(line).unwrap() else { panic!("no run") };
        assert_eq!(options.ground, Ground::Nodes { first: 4_294_960_000, last: u32::MAX });
        assert_eq!((options.histogram, options.progress), (Some("h.hgrm".into()), true));
        assert_eq!(options.watching, Watching::default());
        let line = "--target a:1 --fingerprint 00 --nodes 0-9 --subscribe 3 --latest";
        let Wish::Run(options) = parse_text(line).unwrap() else { panic!("no run") };
        assert_eq!(options.watching, Watching { nodes: 3, latest: true });
        assert_eq!(parse_text("--target x --help"), Ok(Wish::Help));
    }

    #[test]
    fn says_what_is_wrong() {
        let cases = [
            ("", "--certificate FILE is missing"),
            ("--certificate c", "--target HOST:PORT is missing"),
            ("--certificate c --target t", "--map FILE or --nodes FIRST-LAST is missing"),
            ("--certificate c --target t --map m --nodes 0-9", "exclude each other"),
            ("--certificate c --target t --client-key k", "go together"),
            ("--nodes 9-9", "--nodes: \"9-9\" is not FIRST-LAST"),
            ("--nodes many", "is not FIRST-LAST"),
            ("--nodes 0-10000000", "of 2 to 10000000 nodes"),
            ("--certificate c --fingerprint 00 --target t", "exclude each other"),
            ("--certificate c --target t --nodes 0-9 --latest", "--latest goes with --subscribe"),
            ("--subscribe 0", "--subscribe: \"0\" is not a number from 1 to 100000"),
            ("--rate 0", "--rate: \"0\" is not a number from 1 to 10000000"),
            ("--connections many", "--connections: \"many\""),
            ("--seconds", "--seconds needs a value"),
            ("--speed 3", "unknown option --speed"),
            ("extra", "extra"),
        ];
        for (line, expected) in cases {
            let error = parse_text(line).unwrap_err();
            assert!(error.contains(expected), "{line:?}: {error}");
        }
    }
}
