//! From the first command to the end of the session.

use std::io::BufRead;
use std::time::Duration;

use lodestone_client::command_line::{Failure, Output};
use lodestone_client::{Client, ClientError, ClientOptions, Session, Status};
use tokio::sync::mpsc;

use crate::answers::{end_line, welcome_line};
use crate::command;
use crate::options::{NAME, ProbeOptions};
use crate::probe::{Probe, Trouble};

/// Lines that are read ahead of the commands being carried out.
const LINES_AHEAD: usize = 1_024;
/// How long to wait after a CLOSE of ours for the server to close the connection.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// Opens a session and carries out the commands of standard input.
pub(crate) async fn run(options: ProbeOptions) -> Result<(), Failure> {
    let session = connect(&options).await?;
    Output::new().line(&welcome_line(session.welcome()))?;
    let mut probe = Probe::new(session)?;
    let mut lines = read_lines()?;
    let mut exit = 0;
    for number in 1_u64.. {
        let line = tokio::select! {
            line = lines.recv() => line,
            trouble = probe.trouble() => return Err(give_up(&mut probe, &trouble).await),
        };
        let Some(line) = line else { break };
        let complain = |words: &str| eprintln!("{NAME}: line {number}: {words}");
        match obey(&mut probe, &line).await {
            Ok(false) => {}
            Ok(true) => return await_close(&mut probe, exit).await,
            Err(Refusal::Unknown(words)) => {
                complain(&words);
                exit = 2;
            }
            Err(Refusal::Trouble(trouble)) if trouble.is_end_of_session() => {
                return Err(give_up(&mut probe, &trouble).await);
            }
            Err(Refusal::Trouble(trouble)) => {
                complain(&trouble.words());
                exit = exit.max(1);
            }
        }
    }
    match probe.finish().await {
        Ok(()) => outcome(exit),
        Err(trouble) => Err(give_up(&mut probe, &trouble).await),
    }
}

async fn connect(options: &ProbeOptions) -> Result<Session, Failure> {
    let server = &options.server;
    let client_options = ClientOptions { updates: options.updates, ..ClientOptions::default() };
    let (address, trust, token) = (server.address()?, server.trust_anchor()?, server.token()?);
    let identity = server.identity()?;
    match Client::connect_with(address, &trust, identity.as_ref(), token.as_deref(), &client_options).await {
        Ok(session) => Ok(session),
        Err(error) => {
            // A refusing WELCOME and the close behind it say the same; the close may overtake.
            if let ClientError::Refused { status } | ClientError::Closed { status, .. } = error {
                Output::new().line(&end_line("refused", status, ""))?;
            }
            Err(error.to_string().into())
        }
    }
}

/// Why a line was not carried out.
enum Refusal {
    Unknown(String),
    Trouble(Trouble),
}

async fn obey(probe: &mut Probe, line: &str) -> Result<bool, Refusal> {
    match command::parse(line).map_err(Refusal::Unknown)? {
        Some(command) => probe.obey(command).await.map_err(Refusal::Trouble),
        None => Ok(false),
    }
}

/// Standard input, line by line. Its thread may wait for a line that never comes; it ends with the process.
fn read_lines() -> Result<mpsc::Receiver<String>, String> {
    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
    let read = move || {
        for line in std::io::stdin().lock().lines() {
            let sent = match line {
                Ok(line) => sender.blocking_send(line).is_ok(),
                Err(error) => {
                    eprintln!("{NAME}: standard input: {error}");
                    false
                }
            };
            if !sent {
                return;
            }
        }
    };
    let started = std::thread::Builder::new().name("stdin".into()).spawn(read);
    started.map(|_| receiver).map_err(|error| format!("cannot start a thread: {error}"))
}

/// After a CLOSE of ours: the server closes the connection, with status 0.
async fn await_close(probe: &mut Probe, exit: u8) -> Result<(), Failure> {
    match tokio::time::timeout(CLOSE_WAIT, probe.trouble()).await {
        Ok(Trouble::Client(ClientError::Closed { status: Status::OK, text })) => {
            probe.print_rest().await;
            Output::new().line(&end_line("close", Status::OK, &text))?;
            outcome(exit)
        }
        Ok(trouble) => Err(give_up(probe, &trouble).await),
        Err(_) => Err(format!("the server did not close within {} ms", CLOSE_WAIT.as_millis()).into()),
    }
}

/// Prints what is left after the session ended by itself, and how it ended.
async fn give_up(probe: &mut Probe, trouble: &Trouble) -> Failure {
    if trouble.is_end_of_session() {
        probe.print_rest().await;
    }
    if let Trouble::Client(ClientError::Closed { status, text }) = trouble
        && let Err(problem) = Output::new().line(&end_line("close", *status, text))
    {
        return problem.into();
    }
    trouble.words().into()
}

fn outcome(exit: u8) -> Result<(), Failure> {
    if exit == 0 { Ok(()) } else { Err(Failure { exit, problems: Vec::new() }) }
}
