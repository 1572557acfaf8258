//! The load generator of `make bench-quic`: one program for every server, over QUIC and over TLS on TCP.
//!
//! It is not `lodestone-load`, the tool for users: it has to cost less than the servers it measures, so it drives
//! `quinn-proto` and `rustls` from one thread without tasks, and it can do what no user needs, such as moves one after the
//! other or handshakes for their own sake. See docs/decisions/0019-peers-and-one-load-generator.md.
#![forbid(unsafe_code)]

mod certificate;
mod check;
mod drive;
mod figures;
mod handshakes;
mod options;
mod overload;
mod quic;
mod session;
mod tcp;
mod tls;
mod transport;

use std::process::ExitCode;

use options::{Options, TransportKind, Wish};
use transport::Transport;

fn main() -> ExitCode {
    let wish = options::parse(std::env::args_os().skip(1));
    let outcome = match wish {
        Ok(Wish::Help) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Wish::Certificate(folder)) => certificate::write(&folder),
        Ok(Wish::Run(options)) => run(&options),
        Err(error) => {
            eprintln!("lodestone-quic-load: {error}\nTry 'lodestone-quic-load --help'.");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lodestone-quic-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let tls = tls::Tls::new(&options.certificate, options.resume, options.early_data)?;
    match options.transport {
        TransportKind::Quic => run_over(quic::Quic::new(options, &tls)?, options, &tls),
        TransportKind::Tcp => run_over(tcp::Tcp::new(options, &tls)?, options, &tls),
    }
}

fn run_over(
    mut transport: impl Transport,
    options: &Options,
    tls: &tls::Tls,
) -> Result<(), String> {
    if let Some(count) = options.handshakes {
        handshakes::run(&mut transport, options, tls, count)?;
    } else {
        drive::run(&mut transport, options)?;
    }
    transport.close_all();
    Ok(())
}
