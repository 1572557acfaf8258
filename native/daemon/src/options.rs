//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
lodestoned: a Lodestone engine in a process of its own.

Usage: lodestoned --config FILE [--port N] [--graph FILE]

  --config FILE   the configuration, YAML: the file that Java reads, with the same keys; those of the Java side are
                  accepted and have no effect here
  --port N        the port to listen on instead of the configured one, 0..=65535; 0 means any free one
  --graph FILE    a graph to load before the READY line: a road graph (.lsg) or a list of arcs (.arcs)
  --version       prints the version and ends
  --help          prints this text and ends

When it takes connections it prints one line:
  LODESTONE READY quic=HOST:PORT cert=FILE pid=N region=FILE
Java reads the engine with Engine.attach(Path.of(\"FILE of region\")), or the folder it lies in.

SIGTERM and SIGINT end it: clients are told, what was accepted is committed, the region's file is removed.
SIGHUP reads the file again and takes up transport.certificate, transport.client_certificates, transport.client_ca_file and
transport.auth, all of it or, when something is wrong, nothing; standard error says which. Clients stay connected.
An engine that failed stays readable until then; standard error says why it failed. It also has the engine's log, one
record a line, from the level log.level of the configuration on.

Exit status: 0 a clean end; 1 it could not start, or failed (standard error says why); 2 wrong usage.
";

/// What is to be served.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) config: PathBuf,
    pub(crate) port: Option<u16>,
    pub(crate) graph: Option<PathBuf>,
}

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Help,
    Version,
    Serve(Options),
}

/// Reads the arguments (without the program's name); the error says what is wrong in one line.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Wish, String> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let (mut config, mut port, mut graph) = (None, None, None);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Short('h') | Long("help") => return Ok(Wish::Help),
            Long("version") => return Ok(Wish::Version),
            Long("config") => config = Some(file_of(&mut parser, "--config")?),
            Long("graph") => graph = Some(file_of(&mut parser, "--graph")?),
            Long("port") => {
                let value = parser.value().map_err(|_| "--port needs a number")?;
                let number = value.to_str().and_then(|text| text.parse().ok());
                port = Some(number.ok_or_else(|| format!("--port: {value:?} is not a number from 0 to 65535"))?);
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    let config = config.ok_or("--config FILE is missing")?;
    Ok(Wish::Serve(Options { config, port, graph }))
}

fn file_of(parser: &mut lexopt::Parser, name: &str) -> Result<PathBuf, String> {
    let value = parser.value().map_err(|_| format!("{name} needs a file"))?;
    if value.is_empty() { Err(format!("{name} needs a file")) } else { Ok(value.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Wish, String> {
        parse(words.iter().map(OsString::from))
    }

    #[test]
    fn takes_values() {
        let wish = parse_words(&["--config", "a b.yaml", "--port=0", "--graph", "g.lsg"]).unwrap();
        let wanted = Options { config: "a b.yaml".into(), port: Some(0), graph: Some("g.lsg".into()) };
        assert_eq!(wish, Wish::Serve(wanted));
        assert_eq!(parse_words(&["--port", "1", "-h"]), Ok(Wish::Help));
        assert_eq!(parse_words(&["--version"]), Ok(Wish::Version));
    }

    #[test]
    fn says_what_is_wrong() {
        let cases: [(&[&str], &str); 7] = [
            (&[], "--config FILE is missing"),
            (&["--config"], "--config needs a file"),
            (&["--config", ""], "--config needs a file"),
            (&["--config", "c", "--port", "65536"], "\"65536\" is not a number from 0 to 65535"),
            (&["--config", "c", "--port"], "--port needs a number"),
            (&["--config", "c", "--speed"], "--speed"),
            (&["extra"], "extra"),
        ];
        for (words, expected) in cases {
            let error = parse_words(words).unwrap_err();
            assert!(error.contains(expected), "{words:?}: {error}");
        }
    }
}
