//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
lodestone-load: walks hunters along the roads of a map against a Lodestone server, at a fixed schedule.

Usage: lodestone-load --target HOST:PORT --certificate FILE --map FILE [options]

Server
  --target HOST:PORT         UDP address of the server
  --certificate FILE         PEM file with the server's certificate or the authority that signed it
  --fingerprint HEX          instead of --certificate: SHA-256 of the server's certificate
  --server-name NAME         name in the certificate (default: the IP address)
  --token-file FILE          file with the session token in hexadecimal, for servers that ask for one

Load
  --map FILE                 road network (.lsg); hunters walk its real arcs only
  --connections N            QUIC connections, one hunter each, 1..=60000 (default 1000)
  --rate N                   moves per second of all hunters together, 1..=10000000 (default 20000)
  --seconds N                length of the run, 1..=86400 (default 15)
  --seed N                   same seed, same walks (default 1)
  --handshakes-at-once N     connections being opened at the same time, 1..=1000 (default 8)

Output
  --report FILE              also writes the final JSON object to this file
  --help                     prints this text

The schedule is fixed before the run: moves are spread evenly over a grid of half a millisecond and measured from the
instant they were due, however late they left, to the ACK. No hunter visits more than 200 crossings. Nothing slows
the schedule down: a server that falls behind shows as latency.

Standard output carries one JSON object per line: \"connecting\" while connections open; \"tick\" after each second, with
totals so far and the percentiles of that second; \"done\" at the end. Times are in microseconds. An interrupt (SIGINT,
SIGTERM) ends the run early, with the report.

Exit status: 0 every move sent was acknowledged or refused; 1 the run failed (standard error says why); 2 wrong usage.
";

/// How the server proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// A PEM file.
    Certificate(PathBuf),
    /// SHA-256 of the certificate, in hexadecimal.
    Fingerprint(String),
}

/// A run, as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) target: String,
    pub(crate) trust: Trust,
    pub(crate) server_name: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) map: PathBuf,
    pub(crate) connections: u32,
    pub(crate) rate: u64,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    pub(crate) handshakes_at_once: usize,
    pub(crate) report: Option<PathBuf>,
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print the help.
    Help,
    /// Run.
    Run(Box<Options>),
}

/// Everything given so far.
#[derive(Default)]
struct Given {
    target: Option<String>,
    certificate: Option<PathBuf>,
    fingerprint: Option<String>,
    server_name: Option<String>,
    token_file: Option<PathBuf>,
    map: Option<PathBuf>,
    connections: Option<u64>,
    rate: Option<u64>,
    seconds: Option<u64>,
    seed: Option<u64>,
    handshakes_at_once: Option<u64>,
    report: Option<PathBuf>,
}

/// Reads the arguments (without the program's name); the error says what is wrong in one line.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut given = Given::default();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let Long(name) = argument else {
            if matches!(argument, Short('h')) {
                return Ok(Command::Help);
            }
            return Err(argument.unexpected().to_string());
        };
        let name = name.to_owned();
        if name == "help" {
            return Ok(Command::Help);
        }
        take_option(&mut given, &name, &mut parser)?;
    }
    given.complete().map(|options| Command::Run(Box::new(options)))
}

fn take_option(given: &mut Given, name: &str, parser: &mut lexopt::Parser) -> Result<(), String> {
    let mut value = || parser.value().map_err(|_| format!("--{name} needs a value"));
    match name {
        "target" => given.target = Some(text(name, value()?)?),
        "certificate" => given.certificate = Some(value()?.into()),
        "fingerprint" => given.fingerprint = Some(text(name, value()?)?),
        "server-name" => given.server_name = Some(text(name, value()?)?),
        "token-file" => given.token_file = Some(value()?.into()),
        "map" => given.map = Some(value()?.into()),
        "connections" => given.connections = Some(number(name, value()?, 1, 60_000)?),
        "rate" => given.rate = Some(number(name, value()?, 1, 10_000_000)?),
        "seconds" => given.seconds = Some(number(name, value()?, 1, 86_400)?),
        "seed" => given.seed = Some(number(name, value()?, 0, u64::MAX)?),
        "handshakes-at-once" => given.handshakes_at_once = Some(number(name, value()?, 1, 1_000)?),
        "report" => given.report = Some(value()?.into()),
        unknown => return Err(format!("unknown option --{unknown}")),
    }
    Ok(())
}

impl Given {
    fn complete(self) -> Result<Options, String> {
        let trust = match (self.certificate, self.fingerprint) {
            (Some(file), None) => Trust::Certificate(file),
            (None, Some(hex)) => Trust::Fingerprint(hex),
            (None, None) => return Err("--certificate FILE is missing".into()),
            (Some(_), Some(_)) => return Err("--certificate and --fingerprint exclude each other".into()),
        };
        Ok(Options {
            target: self.target.ok_or("--target HOST:PORT is missing")?,
            trust,
            server_name: self.server_name,
            token_file: self.token_file,
            map: self.map.ok_or("--map FILE is missing")?,
            connections: self.connections.unwrap_or(1_000) as u32,
            rate: self.rate.unwrap_or(20_000),
            seconds: self.seconds.unwrap_or(15),
            seed: self.seed.unwrap_or(1),
            handshakes_at_once: self.handshakes_at_once.unwrap_or(8) as usize,
            report: self.report,
        })
    }
}

fn text(name: &str, value: OsString) -> Result<String, String> {
    value.into_string().map_err(|value| format!("--{name}: {value:?} is not valid text"))
}

fn number(name: &str, value: OsString, lowest: u64, highest: u64) -> Result<u64, String> {
    let value = text(name, value)?;
    let parsed = value.parse::<u64>().ok().filter(|number| (lowest..=highest).contains(number));
    parsed.ok_or_else(|| format!("--{name}: {value:?} is not a number from {lowest} to {highest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn takes_defaults_and_values() {
        let Command::Run(options) = parse_text("--target 127.0.0.1:4433 --certificate c.pem --map m.lsg").unwrap()
        else {
            panic!("no run");
        };
        assert_eq!((options.connections, options.rate, options.seconds), (1_000, 20_000, 15));
        let line =
            "--target a:1 --fingerprint 00 --map m --connections=5 --rate 6 --seconds 7 --seed 8 --report r.json";
        let Command::Run(options) = parse_text(line).unwrap() else { panic!("no run") };
        assert_eq!((options.connections, options.rate, options.seconds, options.seed), (5, 6, 7, 8));
        assert_eq!(options.trust, Trust::Fingerprint("00".into()));
        assert_eq!(options.report, Some("r.json".into()));
        assert_eq!(parse_text("--target x --help"), Ok(Command::Help));
    }

    #[test]
    fn says_what_is_wrong() {
        let cases = [
            ("", "--certificate FILE is missing"),
            ("--certificate c", "--target HOST:PORT is missing"),
            ("--certificate c --target t", "--map FILE is missing"),
            ("--certificate c --fingerprint 00 --target t", "exclude each other"),
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
