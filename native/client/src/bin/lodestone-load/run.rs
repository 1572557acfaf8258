//! The run: connect, send at the schedule's pace, wait for the last answers, report.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lodestone_client::Session;
use lodestone_client::command_line::{Object, Output};
use tokio::task::JoinSet;

use crate::connect::{Connected, connect_all};
use crate::hunter::{Clock, Hunt, Hunter};
use crate::interrupt::Interrupt;
use crate::options::{Ground, Options};
use crate::pacer::Pacer;
use crate::percentiles;
use crate::roads::{Roads, Walker};
use crate::schedule::Schedule;
use crate::totals::{Totals, percentiles as percentiles_of};
use crate::watcher::{Asking, Watcher, subscribe};

/// Time between the last connection and the first move, for the connections' own packets to settle.
const SETTLE_MS: u64 = 100;
/// Longest wait for answers after the last move.
const ANSWER_WAIT_MS: u64 = 10_000;
/// Moves sent in one go before answers are read again. Only a scheduler that fell behind gets that far.
const MOVES_PER_PASS_MAX: u64 = 256;

/// Runs as asked and prints the lines; the errors are for the user.
pub(crate) async fn run(options: Options) -> Result<(), Vec<String>> {
    let single = |error: String| vec![error];
    let mut output = Output::new();
    let mut interrupt = Interrupt::new().map_err(single)?;
    let roads = match &options.ground {
        Ground::Map(file) => read_roads(file).map_err(single)?,
        Ground::Nodes { first, last } => Roads::grid(*first, *last),
    };
    let address = options.server.address().map_err(single)?;
    let trust = options.server.trust_anchor().map_err(single)?;
    let token = options.server.token().map_err(single)?;
    let mut connected =
        connect_all(&options, address, &trust, token, &mut output, &mut interrupt).await.map_err(single)?;
    check_map_fits(&roads, &connected.sessions).map_err(single)?;

    // Ahead of the clock: so many questions and answers must not delay the first moves.
    let asking = ask_all(&options, &roads, &connected).await.map_err(single)?;
    let schedule = Schedule::new(options.rate, options.seconds, options.connections);
    let hunt = Arc::new(Hunt { roads, schedule, clock: clock_from_now(), totals: Totals::new().map_err(single)? });
    let mut readers = JoinSet::new();
    let end = if connected.interrupted {
        End { due: 0, seconds: 0, interrupted: true }
    } else {
        watch(&options, &hunt, &mut connected.sessions, &mut readers).map_err(single)?;
        let hunters = send_out(&options, &hunt, &mut connected.sessions, &mut readers).map_err(single)?;
        drive(&hunt, hunters, &mut output, &mut interrupt, options.progress).await.map_err(single)?
    };
    let elapsed = hunt.clock.start.elapsed();
    // First the readers, so that closing the sessions is not taken for a loss.
    readers.shutdown().await;
    drop(asking);
    say_goodbye(&connected).await;
    report(&options, &hunt, &connected, &end, elapsed, &mut output)
}

fn read_roads(path: &Path) -> Result<Roads, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read the map {}: {error}", path.display()))?;
    let map = lodestone_map::decode(&bytes).map_err(|error| format!("the map {}: {error}", path.display()))?;
    Roads::new(&map).map_err(|error| format!("{}: {error}", path.display()))
}

fn check_map_fits(roads: &Roads, sessions: &[Session]) -> Result<(), String> {
    let nodes_max = sessions.iter().map(|session| session.welcome().nodes_max).min().unwrap_or(u32::MAX);
    if roads.node_of(0) > 0 && roads.node_of(roads.crossings() - 1) >= nodes_max {
        return Err(format!("--nodes ends beyond the server's last node, {}", nodes_max - 1));
    }
    if roads.crossings() > nodes_max {
        return Err(format!("the map has {} crossings, but the server takes only {nodes_max}", roads.crossings()));
    }
    Ok(())
}

fn clock_from_now() -> Clock {
    let settle = Duration::from_millis(SETTLE_MS);
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + settle;
    Clock { start: Instant::now() + settle, start_unix_ns: u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX) }
}

/// Subscribes the sessions, if they are to be told of anything.
async fn ask_all(options: &Options, roads: &Roads, connected: &Connected) -> Result<Vec<Asking>, String> {
    let mut asking = Vec::new();
    if options.watching.nodes > 0 && !connected.interrupted {
        for (number, session) in (0..).zip(&connected.sessions) {
            asking.push(subscribe(session, number, options.watching, roads).await?);
        }
    }
    Ok(asking)
}

/// Lets somebody read what each session is told.
fn watch(
    options: &Options,
    hunt: &Arc<Hunt>,
    sessions: &mut [Session],
    readers: &mut JoinSet<()>,
) -> Result<(), String> {
    for session in sessions.iter_mut().filter(|_| options.watching.nodes > 0) {
        let updates = session.take_updates().ok_or("the server has no updates")?;
        let (_, datagrams) = session.take_datagrams().ok_or("a session has no datagrams")?;
        readers.spawn(Watcher::new(hunt.clone()).run(updates, datagrams));
    }
    Ok(())
}

/// Puts a hunter on each session and lets its reader run.
fn send_out(
    options: &Options,
    hunt: &Arc<Hunt>,
    sessions: &mut [Session],
    readers: &mut JoinSet<()>,
) -> Result<Vec<Hunter>, String> {
    let mut hunters = Vec::with_capacity(sessions.len());
    for (number, session) in (0..).zip(sessions) {
        let (sender, receiver) = session.take_first_stream().ok_or("a session has no first stream")?;
        let walker = Walker::new(&hunt.roads, options.seed, number);
        let (hunter, reader) = Hunter::new(number, walker, sender, receiver, hunt.clone());
        readers.spawn(reader);
        hunters.push(hunter);
    }
    Ok(hunters)
}

/// How the run ended.
struct End {
    /// Moves that were due by then.
    due: u64,
    /// Seconds of schedule that passed.
    seconds: u64,
    interrupted: bool,
}

/// Sends every move at the first tick on or after its time, then waits for the last answers.
async fn drive(
    hunt: &Hunt,
    mut hunters: Vec<Hunter>,
    output: &mut Output,
    interrupt: &mut Interrupt,
    progress: bool,
) -> Result<End, String> {
    let pacer = Pacer::start(hunt.clock.start)?;
    let total = hunt.schedule.moves_total();
    let mut sent = Sent::default();
    let mut seconds_told = 0;
    let mut end = End { due: 0, seconds: 0, interrupted: false };
    while seconds_told < hunt.schedule.seconds() {
        tokio::select! {
            () = pacer.tick() => {}
            () = interrupt.wait() => {
                end.interrupted = true;
                break;
            }
        }
        end.due = if hunt.clock.start > Instant::now() { 0 } else { hunt.schedule.due_moves(hunt.clock.elapsed_ns()) };
        while sent.pass(hunt, &mut hunters, end.due) {
            // Answers are read between the passes; without this a late scheduler would only get later.
            tokio::task::yield_now().await;
        }
        end.seconds = hunt.clock.elapsed_ns() / 1_000_000_000;
        while seconds_told < end.seconds.min(hunt.schedule.seconds()) {
            seconds_told += 1;
            if progress {
                eprintln!("{}", hunt.totals.lock().progress_line(seconds_told));
            }
            output.line(&hunt.totals.lock().tick_line(seconds_told))?;
        }
    }
    if !end.interrupted {
        end.due = total;
        end.seconds = hunt.schedule.seconds();
    }
    wait_for_answers(hunt, &mut hunters, &mut sent, &pacer, end.due, interrupt).await;
    Ok(end)
}

async fn wait_for_answers(
    hunt: &Hunt,
    hunters: &mut [Hunter],
    sent: &mut Sent,
    pacer: &Pacer,
    due: u64,
    interrupt: &mut Interrupt,
) {
    let deadline = Instant::now() + Duration::from_millis(ANSWER_WAIT_MS);
    while Instant::now() < deadline {
        while sent.pass(hunt, hunters, due) {
            tokio::task::yield_now().await;
        }
        if sent.blocked.is_empty() && hunt.totals.lock().moves_outstanding() == 0 {
            return;
        }
        tokio::select! {
            () = pacer.tick() => {}
            // A second signal: do not wait for the rest.
            () = interrupt.wait() => return,
        }
    }
}

/// How far the scheduler has come.
#[derive(Default)]
struct Sent {
    /// Moves below this have had their turn.
    offered: u64,
    /// Hunters whose connection did not take everything.
    blocked: Vec<usize>,
}

impl Sent {
    /// Gives due moves their turn; `true` when more are due than one pass may send.
    fn pass(&mut self, hunt: &Hunt, hunters: &mut [Hunter], due: u64) -> bool {
        self.blocked.retain(|number| !hunters[*number].send_due(hunt, due));
        let until = due.min(self.offered + MOVES_PER_PASS_MAX);
        for index in self.offered..until {
            let number = hunt.schedule.hunter(index);
            // A blocked hunter has had its turn above.
            if !hunters[number].is_blocked() && !hunters[number].send_due(hunt, due) {
                self.blocked.push(number);
            }
        }
        self.offered = until;
        until < due
    }
}

async fn say_goodbye(connected: &Connected) {
    for session in &connected.sessions {
        session.close("run over");
    }
    for client in &connected.clients {
        client.wait_idle().await;
    }
}

fn report(
    options: &Options,
    hunt: &Hunt,
    connected: &Connected,
    end: &End,
    elapsed: Duration,
    output: &mut Output,
) -> Result<(), Vec<String>> {
    let counts = hunt.totals.lock();
    let done = Object::new()
        .text("event", "done")
        .number("connections", connected.sessions.len() as u64)
        .number("rate", options.rate)
        .number("seconds", end.seconds)
        .number("elapsed_ms", u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
        .number("seed", options.seed)
        .flag("interrupted", end.interrupted)
        .number("moves_due", end.due);
    let done = counts
        .describe(done)
        .object("handshake_us", &percentiles_of(&connected.handshake))
        .object("welcome_us", &percentiles_of(&connected.welcome));
    let done = if options.watching.nodes > 0 { counts.describe_updates(done, elapsed) } else { done };
    let mut problems = counts.problems(end.due);
    if let Err(error) = output.line(&done) {
        problems.push(error);
    }
    if let Some(file) = &options.report
        && let Err(error) = std::fs::write(file, done.to_text() + "\n")
    {
        problems.push(format!("cannot write the report {}: {error}", file.display()));
    }
    if let Some(file) = &options.histogram
        && let Err(error) = percentiles::write(file, counts.end_to_end())
    {
        problems.push(error);
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}
