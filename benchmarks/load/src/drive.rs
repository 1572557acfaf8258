//! A run: opens the connections, checks the server, sends moves by schedule or by answer, reports.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use lodestone_client::Status;
use lodestone_client::command_line::{Object, Output};

use crate::check;
use crate::figures::{Processor, durations, percentiles, record, resident_kib};
use crate::options::Options;
use crate::overload;
use crate::session::{Answer, Session};
use crate::transport::{Event, Transport};

/// Longest wait for anything that the server owes. A build that is not optimised measures nothing: it shows that all works, on a
/// machine that may be busy with other things.
const ANSWER_WAIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 120 } else { 10 });
/// Part of every phase that does not count, at most: caches, congestion windows, just-in-time compilers.
pub(crate) const WARM_UP_MAX: Duration = Duration::from_millis(300);
/// The grid of the open loop. Half a millisecond spreads 20,000 moves a second over bursts of ten.
pub(crate) const TICK: Duration = Duration::from_micros(500);
pub(crate) const SECOND_NS: u128 = 1_000_000_000;

/// The sessions, and what they were told.
pub(crate) struct Run<'a, T> {
    pub(crate) transport: &'a mut T,
    pub(crate) sessions: Vec<Session>,
    /// Answers other than acknowledgements of moves, in order, with their connection.
    pub(crate) answers: Vec<(usize, Answer)>,
    pub(crate) connected: Vec<usize>,
    pub(crate) books: Books,
}

/// What a phase counts.
pub(crate) struct Books {
    pub(crate) acked: u64,
    /// Moves in datagrams that were refused with `OVERLOADED`.
    pub(crate) shed: u64,
    /// Moves that are older do not count.
    since: Instant,
    /// Connections with moves acknowledged since the driver last looked, and how many.
    pub(crate) replenish: Vec<(usize, usize)>,
    pub(crate) latency: Histogram<u64>,
    revision: u64,
    lost: Option<String>,
}

impl<T: Transport> Run<'_, T> {
    /// One turn of the transport; the first trouble of any connection ends the run.
    pub(crate) fn turn(&mut self, until: Instant) -> Result<(), String> {
        let Run {
            transport,
            sessions,
            answers,
            connected,
            books,
        } = self;
        transport.turn(until, &mut |number, event| match event {
            Event::Connected => connected.push(number),
            _ if number >= sessions.len() => {} // a newcomer, who has nothing to lose
            Event::Lost(reason) => books.trouble(number, &format!("ended: {reason}")),
            Event::Bytes(bytes) => {
                if let Err(error) = books.take(number, &mut sessions[number], bytes, answers) {
                    books.trouble(number, &error);
                }
            }
            Event::Datagram(bytes) => {
                if let Err(error) = books.take_datagram(&mut sessions[number], bytes) {
                    books.trouble(number, &error);
                }
            }
        })?;
        self.books.lost.take().map_or(Ok(()), Err)
    }

    /// Turns until the condition holds.
    pub(crate) fn until(
        &mut self,
        what: &str,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> Result<(), String> {
        let deadline = Instant::now() + ANSWER_WAIT;
        while !done(self) {
            if Instant::now() > deadline {
                return Err(format!("no {what} within {} s", ANSWER_WAIT.as_secs()));
            }
            self.turn(Instant::now() + Duration::from_millis(20))?;
        }
        Ok(())
    }

    /// The highest revision that an ACK brought.
    pub(crate) fn revision(&self) -> u64 {
        self.books.revision
    }

    pub(crate) fn outstanding(&self) -> u64 {
        self.sessions
            .iter()
            .map(|session| session.outstanding() as u64)
            .sum()
    }

    pub(crate) fn step(&mut self, number: usize, start: Instant) -> Result<(), String> {
        self.sessions[number].step(self.transport.out(number), start)
    }
}

impl Books {
    fn take(
        &mut self,
        number: usize,
        session: &mut Session,
        bytes: &[u8],
        answers: &mut Vec<(usize, Answer)>,
    ) -> Result<(), String> {
        let now = Instant::now();
        let Books {
            acked,
            since,
            replenish,
            latency,
            revision: highest,
            ..
        } = self;
        let on_acked = |start: Instant| {
            if start >= *since {
                *acked += 1;
                record(latency, now.saturating_duration_since(start));
            }
        };
        session.take(bytes, on_acked, |answer| match answer {
            Answer::Acked { moves, revision } => {
                *highest = revision.max(*highest);
                replenish.push((number, moves as usize));
            }
            other => answers.push((number, other)),
        })
    }

    fn take_datagram(&mut self, session: &mut Session, bytes: &[u8]) -> Result<(), String> {
        let now = Instant::now();
        let Books {
            acked,
            since,
            latency,
            ..
        } = self;
        let answer = session.take_datagram(bytes, |start| {
            if start >= *since {
                *acked += 1;
                record(latency, now.saturating_duration_since(start));
            }
        })?;
        match answer {
            Answer::Refused {
                status: Status::OVERLOADED,
                ..
            } => self.shed += 1,
            Answer::Acked { .. } => {}
            other => return Err(format!("a datagram was answered {other:?}")),
        }
        Ok(())
    }

    /// Keeps the first trouble of a turn.
    fn trouble(&mut self, number: usize, what: &str) {
        self.lost
            .get_or_insert_with(|| format!("connection {number}: {what}"));
    }

    /// Counts anew, moves that start from then on.
    pub(crate) fn begin(&mut self, since: Instant) {
        self.acked = 0;
        self.shed = 0;
        self.since = since;
        self.latency.reset();
    }
}

/// Does what the options ask for; every line goes to standard output.
pub(crate) fn run(transport: &mut impl Transport, options: &Options) -> Result<(), String> {
    let books = Books {
        acked: 0,
        shed: 0,
        since: Instant::now(),
        replenish: Vec::new(),
        latency: durations()?,
        revision: 0,
        lost: None,
    };
    let mut run = Run {
        transport,
        sessions: Vec::new(),
        answers: Vec::new(),
        connected: Vec::new(),
        books,
    };
    let mut output = Output::new();
    output.line(&connect(&mut run, options)?)?;
    if options.hold_ms > 0 {
        output.line(&hold(&mut run, options)?)?;
    }
    check::before(&mut run)?;
    if let Some(in_flight) = options.in_flight {
        let (line, rate) = closed_loop(&mut run, options, in_flight)?;
        output.line(&line)?;
        if let Some(percent) = options.overload_percent {
            let rate = (rate * percent / 100).max(1);
            output.line(&overload::streams(&mut run, options, rate, in_flight)?)?;
        }
    }
    for rate in &options.rates {
        if options.datagrams {
            output.line(&overload::datagrams(&mut run, options, *rate)?)?;
            continue;
        }
        let (line, p99) = open_loop(&mut run, options, *rate)?;
        output.line(&line)?;
        if p99 > Duration::from_millis(options.stop_above_ms) {
            break;
        }
    }
    check::after(&mut run)?;
    output.line(&Object::new().text("event", "done").flag("checked", true))
}

/// Opens all connections, some at a time, and greets on each.
fn connect<T: Transport>(run: &mut Run<'_, T>, options: &Options) -> Result<Object, String> {
    let rss_before_kib = resident_kib(options.server_pid);
    let processor = Processor::now(options.server_pid);
    let began = Instant::now();
    let (mut handshake, mut welcome) = (durations()?, durations()?);
    let mut starts = Vec::with_capacity(options.connections);
    let mut welcomed = 0;
    while welcomed < options.connections {
        while starts.len() < options.connections
            && starts.len() - welcomed < options.handshakes_at_once
        {
            starts.push(Instant::now());
            let number = run.transport.open()?;
            run.sessions
                .push(Session::new(number as u32, options.payload_bytes));
        }
        let waiting_since = Instant::now();
        run.turn(waiting_since + ANSWER_WAIT)?;
        let now = Instant::now();
        if now.duration_since(waiting_since) >= ANSWER_WAIT {
            return Err(format!(
                "no connection was completed for {} s",
                ANSWER_WAIT.as_secs()
            ));
        }
        for number in std::mem::take(&mut run.connected) {
            record(&mut handshake, now.duration_since(starts[number]));
            run.sessions[number].hello(run.transport.out(number))?;
        }
        for (number, answer) in run.answers.drain(..) {
            if answer == Answer::Welcome {
                record(&mut welcome, now.duration_since(starts[number]));
                welcomed += 1;
            }
        }
    }
    let report = Object::new()
        .text("event", "connected")
        .number("connections", options.connections as u64)
        .number("elapsed_ns", began.elapsed().as_nanos() as u64)
        .object("handshake_ns", &percentiles(&handshake))
        .object("welcome_ns", &percentiles(&welcome))
        .number("server_rss_before_kib", rss_before_kib)
        .number("server_rss_kib", resident_kib(options.server_pid));
    Ok(processor.since(options.server_pid, report))
}

/// Nothing but what keeps the connections: shows what they cost while idle.
fn hold<T: Transport>(run: &mut Run<'_, T>, options: &Options) -> Result<Object, String> {
    let processor = Processor::now(options.server_pid);
    let end = Instant::now() + Duration::from_millis(options.hold_ms);
    while Instant::now() < end {
        run.turn(end)?;
    }
    let report = Object::new()
        .text("event", "held")
        .number("elapsed_ns", options.hold_ms * 1_000_000)
        .number("server_rss_kib", resident_kib(options.server_pid));
    Ok(processor.since(options.server_pid, report))
}

/// Each acknowledged move is followed by the next of its connection. Says how many were acknowledged a second, too.
fn closed_loop<T: Transport>(
    run: &mut Run<'_, T>,
    options: &Options,
    in_flight: usize,
) -> Result<(Object, u64), String> {
    let measure = Duration::from_millis(options.measure_ms);
    run.books.replenish.clear();
    for number in 0..options.connections {
        for _ in 0..in_flight {
            run.step(number, Instant::now())?;
        }
    }
    keep_full(run, Instant::now() + measure.min(WARM_UP_MAX))?;
    // A rate: what is answered in this time counts, whenever it was sent.
    let since = run.books.since;
    run.books.begin(since);
    let processor = Processor::now(options.server_pid);
    let began = Instant::now();
    keep_full(run, began + measure)?;
    let rate = u128::from(run.books.acked) * SECOND_NS / began.elapsed().as_nanos().max(1);
    let report = Object::new()
        .text("event", "closed_loop")
        .number("in_flight", in_flight as u64)
        .number("elapsed_ns", began.elapsed().as_nanos() as u64)
        .number("moves_acked", run.books.acked)
        .object("latency_ns", &percentiles(&run.books.latency))
        .number("server_rss_kib", resident_kib(options.server_pid));
    let report = processor.since(options.server_pid, report);
    run.until("acknowledgement of the last moves", |run| {
        run.outstanding() == 0
    })?;
    Ok((report, rate as u64))
}

fn keep_full<T: Transport>(run: &mut Run<'_, T>, end: Instant) -> Result<(), String> {
    while Instant::now() < end {
        run.turn(end)?;
        let now = Instant::now();
        for (number, moves) in std::mem::take(&mut run.books.replenish) {
            for _ in 0..moves {
                run.step(number, now)?;
            }
        }
    }
    Ok(())
}

/// Moves at a schedule that nothing slows down: each counts from when it was due, however late it left.
fn open_loop<T: Transport>(
    run: &mut Run<'_, T>,
    options: &Options,
    rate: u64,
) -> Result<(Object, Duration), String> {
    let measure = Duration::from_millis(options.measure_ms);
    let start = Instant::now() + TICK;
    send_due(run, options, rate, start, measure.min(WARM_UP_MAX))?;
    let processor = Processor::now(options.server_pid);
    let start = Instant::now() + TICK;
    run.books.begin(start);
    let sent = send_due(run, options, rate, start, measure)?;
    // What is on its way counts too: a server that lags answers it late, and its latency belongs to the rate.
    let deadline = Instant::now() + ANSWER_WAIT;
    while run.outstanding() > 0 && Instant::now() < deadline {
        run.turn(Instant::now() + Duration::from_millis(5))?;
    }
    let unanswered = run.outstanding();
    let p99_ns = if unanswered > 0 {
        u64::MAX
    } else {
        run.books.latency.value_at_quantile(0.99)
    };
    let report = Object::new()
        .text("event", "open_loop")
        .number("rate", rate)
        .number("elapsed_ns", start.elapsed().as_nanos() as u64)
        .number("moves_sent", sent)
        .number("moves_acked", run.books.acked)
        .number("moves_unanswered", unanswered)
        .object("latency_ns", &percentiles(&run.books.latency))
        .number("server_rss_kib", resident_kib(options.server_pid));
    let report = processor.since(options.server_pid, report);
    if unanswered > 0 {
        run.until("answers to a rate that was too high", |run| {
            run.outstanding() == 0
        })?;
    }
    Ok((report, Duration::from_nanos(p99_ns)))
}

/// Sends the moves of one stretch of schedule; says how many they were.
fn send_due<T: Transport>(
    run: &mut Run<'_, T>,
    options: &Options,
    rate: u64,
    start: Instant,
    length: Duration,
) -> Result<u64, String> {
    let schedule = Schedule { start, rate };
    let total = (u128::from(rate) * length.as_nanos() / SECOND_NS) as u64;
    let mut sent = 0;
    while sent < total {
        let now = Instant::now();
        let due = schedule.due_at(now).min(total);
        while sent < due {
            run.step(
                (sent % options.connections as u64) as usize,
                schedule.was_due(sent),
            )?;
            sent += 1;
        }
        run.turn(schedule.next_tick(now))?;
        run.books.replenish.clear();
    }
    Ok(total)
}

/// When each move is due: fixed before the first leaves, on the grid of [`TICK`].
pub(crate) struct Schedule {
    pub(crate) start: Instant,
    pub(crate) rate: u64,
}

impl Schedule {
    fn ticks_until(&self, now: Instant) -> u128 {
        now.saturating_duration_since(self.start).as_nanos() / TICK.as_nanos()
    }

    /// How many moves are due by then.
    pub(crate) fn due_at(&self, now: Instant) -> u64 {
        (self.ticks_until(now) * TICK.as_nanos() * u128::from(self.rate) / SECOND_NS) as u64
    }

    /// The first tick at which [`due_at`](Schedule::due_at) counts this move.
    pub(crate) fn was_due(&self, index: u64) -> Instant {
        self.tick(
            ((u128::from(index) + 1) * SECOND_NS).div_ceil(u128::from(self.rate) * TICK.as_nanos()),
        )
    }

    pub(crate) fn next_tick(&self, now: Instant) -> Instant {
        self.tick(self.ticks_until(now) + 1)
    }

    fn tick(&self, number: u128) -> Instant {
        // 2^32 ticks are 24 days.
        self.start + TICK * u32::try_from(number).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_move_is_due_at_the_first_tick_that_counts_it() {
        let start = Instant::now();
        for rate in [1, 3, 999, 10_000, 33_333, 1_000_000] {
            let schedule = Schedule { start, rate };
            for index in (0..5_000).chain([1_000_000]) {
                let due = schedule.was_due(index);
                assert!(schedule.due_at(due) > index, "rate {rate}, move {index}");
                assert!(
                    schedule.due_at(due - Duration::from_nanos(1)) <= index,
                    "rate {rate}, move {index}"
                );
            }
            assert_eq!(schedule.due_at(start + Duration::from_secs(10)), 10 * rate);
        }
    }
}
