//! More than the server can take: what becomes of moves on streams, which it holds, and in datagrams, which it may drop.

use std::time::{Duration, Instant};

use lodestone_client::command_line::Object;

use crate::drive::{Run, SECOND_NS, Schedule, TICK, WARM_UP_MAX};
use crate::figures::{Processor, durations, percentiles, record, resident_kib};
use crate::options::Options;
use crate::transport::Transport;

/// Connections that others begin in each second of the phase with datagrams.
const NEWCOMERS_PER_SECOND: u64 = 100;
/// An answer to a datagram that comes later than this after the last was sent counts as none.
const LATE: Duration = Duration::from_secs(2);

/// Moves on streams, due at a fixed schedule; a connection with as many under way as it may have holds the next back, and
/// that one counts from when it left.
pub(crate) fn streams<T: Transport>(
    run: &mut Run<'_, T>,
    options: &Options,
    rate: u64,
    in_flight: usize,
) -> Result<Object, String> {
    let measure = Duration::from_millis(options.measure_ms);
    let mut held_back = vec![0_u64; options.connections];
    run.books.replenish.clear();
    hold_or_send(
        run,
        rate,
        in_flight,
        &mut held_back,
        measure.min(WARM_UP_MAX),
    )?;
    let processor = Processor::now(options.server_pid);
    run.books.begin(Instant::now());
    let due = hold_or_send(run, rate, in_flight, &mut held_back, measure)?;
    let acked_in_time = run.books.acked;
    run.until("answers to moves on streams", |run| run.outstanding() == 0)?;
    let report = Object::new()
        .text("event", "overload_streams")
        .number("rate", rate)
        .number("measure_ns", measure.as_nanos() as u64)
        .number("moves_due", due)
        .number("moves_acked_in_time", acked_in_time)
        .number("moves_acked", run.books.acked)
        .number("moves_held_back", held_back.iter().sum())
        .object("latency_ns", &percentiles(&run.books.latency))
        .number("server_rss_kib", resident_kib(options.server_pid));
    Ok(processor.since(options.server_pid, report))
}

/// One stretch of the schedule; says how many moves were due in it.
fn hold_or_send<T: Transport>(
    run: &mut Run<'_, T>,
    rate: u64,
    in_flight: usize,
    held_back: &mut [u64],
    length: Duration,
) -> Result<u64, String> {
    let start = Instant::now() + TICK;
    let schedule = Schedule { start, rate };
    let total = moves_in(rate, length);
    let mut index = 0;
    while index < total {
        let now = Instant::now();
        let due = schedule.due_at(now).min(total);
        while index < due {
            let number = (index % held_back.len() as u64) as usize;
            index += 1;
            if run.sessions[number].outstanding() < in_flight {
                run.step(number, now)?;
            } else {
                held_back[number] += 1;
            }
        }
        run.turn(schedule.next_tick(now))?;
        let now = Instant::now();
        for (number, moves) in std::mem::take(&mut run.books.replenish) {
            let next = held_back[number].min(moves as u64);
            held_back[number] -= next;
            for _ in 0..next {
                run.step(number, now)?;
            }
        }
    }
    Ok(total)
}

/// Moves in datagrams, due at a fixed schedule that nothing slows down, each counted from when it was due.
pub(crate) fn datagrams<T: Transport>(
    run: &mut Run<'_, T>,
    options: &Options,
    rate: u64,
) -> Result<Object, String> {
    let measure = Duration::from_millis(options.measure_ms);
    Flood::new(run, rate, 0)?.send(run, measure.min(WARM_UP_MAX))?;
    let processor = Processor::now(options.server_pid);
    let mut flood = Flood::new(run, rate, NEWCOMERS_PER_SECOND)?;
    let sent = flood.send(run, measure)?;
    let deadline = Instant::now() + LATE;
    while outstanding(run) > 0 && Instant::now() < deadline {
        run.turn(Instant::now() + Duration::from_millis(5))?;
    }
    let unanswered = run
        .sessions
        .iter_mut()
        .map(|session| session.give_up_datagrams());
    let report = Object::new()
        .text("event", "datagrams")
        .number("rate", rate)
        .number("measure_ns", measure.as_nanos() as u64)
        .number("sending_ns", flood.sending.as_nanos() as u64)
        .number("moves_sent", sent)
        .number("moves_acked", run.books.acked)
        .number("moves_shed", run.books.shed)
        .number("moves_unanswered", unanswered.sum())
        .object("latency_ns", &percentiles(&run.books.latency))
        .object("late_ns", &percentiles(&flood.late))
        .number("newcomers", flood.begun)
        .number("newcomers_connected", flood.connected)
        .number("server_rss_kib", resident_kib(options.server_pid));
    Ok(processor.since(options.server_pid, report))
}

fn outstanding<T>(run: &Run<'_, T>) -> usize {
    run.sessions
        .iter()
        .map(|session| session.datagrams_outstanding())
        .sum()
}

/// A stretch of moves in datagrams, and those who try to connect meanwhile.
struct Flood {
    schedule: Schedule,
    newcomers: Schedule,
    begun: u64,
    connected: u64,
    /// How long after it was due each move left this program.
    late: hdrhistogram::Histogram<u64>,
    sending: Duration,
}

impl Flood {
    fn new<T: Transport>(
        run: &mut Run<'_, T>,
        rate: u64,
        newcomers_per_second: u64,
    ) -> Result<Flood, String> {
        let start = Instant::now() + TICK;
        run.connected.clear();
        run.books.begin(start);
        Ok(Flood {
            schedule: Schedule { start, rate },
            newcomers: Schedule {
                start,
                rate: newcomers_per_second,
            },
            begun: 0,
            connected: 0,
            late: durations()?,
            sending: Duration::ZERO,
        })
    }

    /// Sends what is due in this time; says how many moves that were.
    fn send<T: Transport>(
        &mut self,
        run: &mut Run<'_, T>,
        length: Duration,
    ) -> Result<u64, String> {
        let total = moves_in(self.schedule.rate, length);
        let sessions = run.sessions.len() as u64;
        let mut frame = Vec::new();
        let mut index = 0;
        while index < total {
            let now = Instant::now();
            let due = self.schedule.due_at(now).min(total);
            while index < due {
                let number = (index % sessions) as usize;
                let start = self.schedule.was_due(index);
                frame.clear();
                run.sessions[number].step_datagram(&mut frame, start)?;
                run.transport.datagram(number, &frame)?;
                record(&mut self.late, now.saturating_duration_since(start));
                index += 1;
            }
            while self.begun < self.newcomers.due_at(now) {
                run.transport.open()?;
                self.begun += 1;
            }
            run.turn(self.schedule.next_tick(now))?;
            for newcomer in std::mem::take(&mut run.connected) {
                self.connected += 1;
                run.transport.close(newcomer);
            }
        }
        self.sending = self.schedule.start.elapsed();
        Ok(total)
    }
}

fn moves_in(rate: u64, length: Duration) -> u64 {
    (u128::from(rate) * length.as_nanos() / SECOND_NS) as u64
}
