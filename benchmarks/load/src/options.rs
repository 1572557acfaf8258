//! The command line.

use std::ffi::OsString;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use lexopt::prelude::*;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
lodestone-quic-load: the load generator of make bench-quic, for Lodestone and its peers.

Usage: lodestone-quic-load --target HOST:PORT --certificate FILE [options]
       lodestone-quic-load certificate FOLDER

  --target HOST:PORT         the server
  --certificate FILE         its certificate, PEM
  --transport quic|tcp       QUIC, or the same frames over TLS 1.3 on TCP (default quic)
  --server-pid N             process whose processor time and memory are reported
  --connections N            connections to hold, 1..=60000 (default 100)
  --handshakes-at-once N     connections being opened at the same time, 1..=1024 (default 16)
  --sockets N                UDP sockets, 1..=64 (default 4)
  --payload-bytes N          bytes behind the head of a move's packet, 8..=232 (default 40: a packet of 64 bytes)
  --resume                   use the server's session tickets
  --early-data               ask for 0-RTT, and count the connections whose ticket allows it

What is done with the connections, each for --measure-ms N (default 3000, after up to 300 ms that do not count)
  --rates N,N,…              open loop: moves due at a fixed schedule of this many a second; ends early once the p99 of a
                             rate is above --stop-above-ms N (default 60000)
  --datagrams                the moves of --rates leave in datagrams, answered or not, while others try to connect
  --in-flight N              closed loop: so many moves of each connection are always under way
  --overload N               after --in-flight: moves at N percent of the rate that was found, 100..=1000, on streams, each
                             connection with at most --in-flight under way, each move counted from when it left
  --handshakes N             nothing but this many handshakes to WELCOME, each closed at once
  --hold-ms N                before all this, hold the connections idle for so long (default 0)

certificate FOLDER writes cert.pem and key.pem for the servers of a run.

Each run begins with a check that the server does the work: a good and a bad move, a slot read back; and ends with another:
the versions of slots are the numbers of moves that were acknowledged. Standard output carries JSON objects, a line each;
times in nanoseconds. Exit status: 0 all was answered or a rate was too high for it; 1 the server failed a check or a
connection; 2 wrong usage.
";

/// What a command line asks for.
pub(crate) enum Wish {
    Help,
    Certificate(PathBuf),
    Run(Box<Options>),
}

/// What carries the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransportKind {
    Quic,
    Tcp,
}

impl TransportKind {
    /// As it is written on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            TransportKind::Quic => "quic",
            TransportKind::Tcp => "tcp",
        }
    }
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: SocketAddr,
    pub(crate) certificate: PathBuf,
    pub(crate) transport: TransportKind,
    pub(crate) server_pid: Option<u32>,
    pub(crate) connections: usize,
    pub(crate) handshakes_at_once: usize,
    pub(crate) sockets: usize,
    pub(crate) payload_bytes: usize,
    pub(crate) resume: bool,
    pub(crate) early_data: bool,
    pub(crate) datagrams: bool,
    pub(crate) measure_ms: u64,
    pub(crate) rates: Vec<u64>,
    pub(crate) stop_above_ms: u64,
    pub(crate) in_flight: Option<usize>,
    pub(crate) overload_percent: Option<u64>,
    pub(crate) handshakes: Option<u64>,
    pub(crate) hold_ms: u64,
}

impl Options {
    fn new() -> Options {
        Options {
            target: SocketAddr::from(([127, 0, 0, 1], 0)),
            certificate: PathBuf::new(),
            transport: TransportKind::Quic,
            server_pid: None,
            connections: 100,
            handshakes_at_once: 16,
            sockets: 4,
            payload_bytes: 40,
            resume: false,
            early_data: false,
            datagrams: false,
            measure_ms: 3_000,
            rates: Vec::new(),
            stop_above_ms: 60_000,
            in_flight: None,
            overload_percent: None,
            handshakes: None,
            hold_ms: 0,
        }
    }

    fn take(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<(), String> {
        match name {
            "resume" => self.resume = true,
            "datagrams" => self.datagrams = true,
            "early-data" => self.early_data = true,
            _ => return self.take_value(name, parser),
        }
        Ok(())
    }

    fn take_value(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<(), String> {
        let value = parser
            .value()
            .map_err(|_| format!("--{name} needs a value"))?;
        let text = value
            .to_str()
            .ok_or_else(|| format!("--{name}: {value:?} is not text"))?;
        let number = |least: u64, most: u64| {
            let parsed = text
                .parse::<u64>()
                .ok()
                .filter(|number| (least..=most).contains(number));
            parsed
                .ok_or_else(|| format!("--{name}: {text:?} is not a number from {least} to {most}"))
        };
        match name {
            "target" => self.target = address(text)?,
            "certificate" => self.certificate = PathBuf::from(text),
            "transport" => self.transport = kind(text)?,
            "server-pid" => self.server_pid = Some(number(1, u64::from(u32::MAX))? as u32),
            "connections" => self.connections = number(1, 60_000)? as usize,
            "handshakes-at-once" => self.handshakes_at_once = number(1, 1_024)? as usize,
            "sockets" => self.sockets = number(1, 64)? as usize,
            "payload-bytes" => self.payload_bytes = number(8, 232)? as usize,
            "measure-ms" => self.measure_ms = number(50, 600_000)?,
            "stop-above-ms" => self.stop_above_ms = number(1, 60_000)?,
            "rates" => self.rates = rates(text)?,
            "in-flight" => self.in_flight = Some(number(1, 65_536)? as usize),
            "overload" => self.overload_percent = Some(number(100, 1_000)?),
            "handshakes" => self.handshakes = Some(number(1, 10_000_000)?),
            "hold-ms" => self.hold_ms = number(0, 600_000)?,
            unknown => return Err(format!("unknown option --{unknown}")),
        }
        Ok(())
    }
}

/// Reads the arguments, without the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Wish, String> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut options = Options::new();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Short('h') | Long("help") => return Ok(Wish::Help),
            Value(word) if word == "certificate" => {
                let folder = parser
                    .value()
                    .map_err(|_| "certificate needs a FOLDER".to_owned())?;
                return Ok(Wish::Certificate(folder.into()));
            }
            Long(name) => {
                let name = name.to_owned();
                options.take(&name, &mut parser)?;
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    if options.target.port() == 0 || options.certificate.as_os_str().is_empty() {
        return Err("--target and --certificate are needed".into());
    }
    if options.overload_percent.is_some() && options.in_flight.is_none() {
        return Err("--overload needs --in-flight".into());
    }
    Ok(Wish::Run(Box::new(options)))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let mut found = text
        .to_socket_addrs()
        .map_err(|error| format!("--target {text:?}: {error}"))?;
    found
        .next()
        .ok_or_else(|| format!("--target {text:?} has no address"))
}

fn kind(text: &str) -> Result<TransportKind, String> {
    match text {
        "quic" => Ok(TransportKind::Quic),
        "tcp" => Ok(TransportKind::Tcp),
        other => Err(format!("--transport: {other:?} is neither quic nor tcp")),
    }
}

fn rates(text: &str) -> Result<Vec<u64>, String> {
    let parsed: Option<Vec<u64>> = text
        .split(',')
        .map(|word| {
            word.parse()
                .ok()
                .filter(|rate| (1..=10_000_000).contains(rate))
        })
        .collect();
    parsed.ok_or_else(|| format!("--rates: {text:?} is not a list of numbers from 1 to 10000000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(line: &str) -> Result<Wish, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn reads_a_run() {
        let line = "--target 127.0.0.1:1 --certificate c --transport tcp --rates 5,60 --in-flight 7 --resume --measure-ms 50";
        let Ok(Wish::Run(options)) = parse_text(line) else {
            panic!("no run")
        };
        assert_eq!(
            (options.transport, options.in_flight, options.resume),
            (TransportKind::Tcp, Some(7), true)
        );
        assert_eq!(
            (options.rates, options.measure_ms, options.connections),
            (vec![5, 60], 50, 100)
        );
        assert!(
            matches!(parse_text("certificate folder"), Ok(Wish::Certificate(folder)) if folder.as_os_str() == "folder")
        );
    }

    #[test]
    fn says_what_is_wrong() {
        let cases = [
            ("", "--target and --certificate are needed"),
            ("--target 127.0.0.1:1", "--certificate"),
            ("--target nowhere", "--target \"nowhere\""),
            ("--transport sctp", "neither quic nor tcp"),
            ("--rates 1,x", "not a list of numbers"),
            ("--rates 0", "not a list of numbers"),
            ("--connections 0", "from 1 to 60000"),
            ("--speed 3", "unknown option --speed"),
            ("--payload-bytes 233", "from 8 to 232"),
            (
                "--target 127.0.0.1:1 --certificate c --overload 200",
                "--overload needs --in-flight",
            ),
        ];
        for (line, expected) in cases {
            let error = parse_text(line).err().unwrap_or_default();
            assert!(error.contains(expected), "{line:?}: {error:?}");
        }
    }
}
