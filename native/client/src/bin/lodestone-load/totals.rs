//! What the run has counted, and how it is told.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use lodestone_client::Status;
use lodestone_client::command_line::Object;

/// Values are kept in nanoseconds, from one microsecond up, to three digits.
const LOWEST_NS: u64 = 1_000;
/// Longer than any run's answers can take to come: 10 minutes. Beyond it a value counts as this.
const HIGHEST_NS: u64 = 600_000_000_000;

/// A histogram of durations.
pub(crate) fn durations() -> Result<Histogram<u64>, String> {
    Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, 3).map_err(|error| error.to_string())
}

/// Adds a duration to a histogram.
pub(crate) fn record(histogram: &mut Histogram<u64>, duration: Duration) {
    histogram.saturating_record(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
}

/// Percentiles as the reports show them, in microseconds.
pub(crate) fn percentiles(histogram: &Histogram<u64>) -> Object {
    Object::new()
        .number("p50", quantile_us(histogram, 0.5))
        .number("p99", quantile_us(histogram, 0.99))
        .number("p999", quantile_us(histogram, 0.999))
        .number("max", to_us(histogram.max()))
}

fn quantile_us(histogram: &Histogram<u64>, quantile: f64) -> u64 {
    to_us(histogram.value_at_quantile(quantile))
}

fn to_us(nanoseconds: u64) -> u64 {
    (nanoseconds + 500) / 1_000
}

/// Counted by the readers of all connections and by the scheduler. They share one thread, so the lock is never
/// contended.
#[derive(Debug)]
pub(crate) struct Totals {
    inner: Mutex<Counts>,
}

impl Totals {
    /// Nothing counted yet.
    pub(crate) fn new() -> Result<Totals, String> {
        Ok(Totals { inner: Mutex::new(Counts::new()?) })
    }

    /// The counts, for as long as the guard lives.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Counts> {
        // Each update is complete in itself, so counts left by a panicking task are still counts.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The counts themselves.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) moves_sent: u64,
    pub(crate) moves_acked: u64,
    /// Moves whose connection broke before their answer came.
    pub(crate) moves_abandoned: u64,
    rejected_by_status: BTreeMap<Status, u64>,
    pub(crate) rollbacks_seen: u64,
    pub(crate) connections_lost: u64,
    first_loss: Option<String>,
    end_to_end: Histogram<u64>,
    end_to_end_this_second: Histogram<u64>,
    /// Moves acknowledged by the last line for people.
    acked_told: u64,
    pub(crate) send_delay: Histogram<u64>,
    /// States of moves of this run that subscribers were told, each once.
    updates: u64,
    updates_missed: u64,
    /// States that were no news.
    pub(crate) updates_again: u64,
    delivery: Histogram<u64>,
}

impl Counts {
    fn new() -> Result<Counts, String> {
        Ok(Counts {
            moves_sent: 0,
            moves_acked: 0,
            moves_abandoned: 0,
            rejected_by_status: BTreeMap::new(),
            rollbacks_seen: 0,
            connections_lost: 0,
            first_loss: None,
            end_to_end: durations()?,
            end_to_end_this_second: durations()?,
            acked_told: 0,
            send_delay: durations()?,
            updates: 0,
            updates_missed: 0,
            updates_again: 0,
            delivery: durations()?,
        })
    }

    /// One move was acknowledged this long after it was due.
    pub(crate) fn acked(&mut self, latency: Duration) {
        self.moves_acked += 1;
        record(&mut self.end_to_end, latency);
        record(&mut self.end_to_end_this_second, latency);
    }

    /// A subscriber was told a state this long after its move was due; `missed`: states of the node before it that it was not.
    pub(crate) fn delivered(&mut self, latency: Duration, missed: u64) {
        self.updates += 1;
        self.updates_missed += missed;
        record(&mut self.delivery, latency);
    }

    /// One move was refused.
    pub(crate) fn rejected(&mut self, status: Status) {
        *self.rejected_by_status.entry(status).or_default() += 1;
    }

    /// A connection ended before the run did.
    pub(crate) fn lost(&mut self, reason: String) {
        self.connections_lost += 1;
        self.first_loss.get_or_insert(reason);
    }

    /// Moves refused, of all statuses.
    pub(crate) fn moves_rejected(&self) -> u64 {
        self.rejected_by_status.values().sum()
    }

    /// Moves sent whose answer may still come.
    pub(crate) fn moves_outstanding(&self) -> u64 {
        self.moves_unanswered() - self.moves_abandoned
    }

    /// Moves sent that have no answer, lost connections included.
    pub(crate) fn moves_unanswered(&self) -> u64 {
        self.moves_sent - self.moves_acked - self.moves_rejected()
    }

    /// The latencies of all moves.
    pub(crate) fn end_to_end(&self) -> &Histogram<u64> {
        &self.end_to_end
    }

    /// The line for people after each second; before [`Counts::tick_line`], which begins the next one.
    pub(crate) fn progress_line(&mut self, second: u64) -> String {
        let acked = self.moves_acked - std::mem::replace(&mut self.acked_told, self.moves_acked);
        let of_second = |quantile| quantile_us(&self.end_to_end_this_second, quantile);
        format!(
            "{second:>5} s  {acked:>9} moves/s  p50 {:>7} us  p99 {:>7} us  max {:>7} us  refused {}  lost {}",
            of_second(0.5),
            of_second(0.99),
            to_us(self.end_to_end_this_second.max()),
            self.moves_rejected(),
            self.connections_lost
        )
    }

    /// The line after each second; begins the next one.
    pub(crate) fn tick_line(&mut self, second: u64) -> Object {
        let line = Object::new()
            .text("event", "tick")
            .number("second", second)
            .number("moves_sent", self.moves_sent)
            .number("moves_acked", self.moves_acked)
            .number("moves_rejected", self.moves_rejected())
            .number("connections_lost", self.connections_lost)
            .number("p50_us", quantile_us(&self.end_to_end_this_second, 0.5))
            .number("p99_us", quantile_us(&self.end_to_end_this_second, 0.99));
        self.end_to_end_this_second.reset();
        line
    }

    /// Adds what the final report says about moves.
    pub(crate) fn describe(&self, report: Object) -> Object {
        let by_status = self
            .rejected_by_status
            .iter()
            .fold(Object::new(), |object, (status, count)| object.number(&status_key(*status), *count));
        report
            .number("connections_lost", self.connections_lost)
            .number("moves_sent", self.moves_sent)
            .number("moves_acked", self.moves_acked)
            .number("moves_rejected", self.moves_rejected())
            .number("moves_unanswered", self.moves_unanswered())
            .object("rejected_by_status", &by_status)
            .number("rollbacks_seen", self.rollbacks_seen)
            .object("end_to_end_us", &percentiles(&self.end_to_end))
            .object("send_delay_us", &percentiles(&self.send_delay))
    }

    /// Adds what the final report says about updates.
    pub(crate) fn describe_updates(&self, report: Object, elapsed: Duration) -> Object {
        let per_second = u128::from(self.updates) * 1_000 / elapsed.as_millis().max(1);
        report
            .number("updates", self.updates)
            .number("updates_per_second", u64::try_from(per_second).unwrap_or(u64::MAX))
            .number("updates_missed", self.updates_missed)
            .number("updates_again", self.updates_again)
            .object("delivery_us", &percentiles(&self.delivery))
    }

    /// What keeps the run from having succeeded, in plain words; `due` is how many moves should have been sent.
    pub(crate) fn problems(&self, due: u64) -> Vec<String> {
        let mut problems = Vec::new();
        if self.connections_lost > 0 {
            let first = self.first_loss.as_deref().unwrap_or("for an unknown reason");
            problems.push(format!("{} connections ended during the run; the first: {first}", self.connections_lost));
        }
        if self.moves_sent < due {
            problems.push(format!("{} moves that were due could not be sent", due - self.moves_sent));
        }
        if self.moves_unanswered() > 0 {
            problems.push(format!(
                "{} moves were neither acknowledged nor refused: {} sent, {} acknowledged, {} refused",
                self.moves_unanswered(),
                self.moves_sent,
                self.moves_acked,
                self.moves_rejected()
            ));
        }
        problems
    }
}

/// Known statuses by name, others by number.
fn status_key(status: Status) -> String {
    match status.name() {
        "UNKNOWN" => status.code().to_string(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_it_counted() {
        let totals = Totals::new().unwrap();
        let mut counts = totals.lock();
        counts.moves_sent = 5;
        counts.acked(Duration::from_micros(200));
        counts.acked(Duration::from_micros(400));
        counts.rejected(Status::CONFLICT);
        counts.rejected(Status::from_code(99));
        assert_eq!(counts.moves_outstanding(), 1);
        let first = counts.tick_line(1).to_text();
        assert_eq!(
            first,
            "{\"event\":\"tick\",\"second\":1,\"moves_sent\":5,\"moves_acked\":2,\"moves_rejected\":2,\
             \"connections_lost\":0,\"p50_us\":200,\"p99_us\":400}"
        );
        assert!(counts.tick_line(2).to_text().ends_with("\"p50_us\":0,\"p99_us\":0}"), "a second begins empty");
        let report = counts.describe(Object::new()).to_text();
        assert!(report.contains("\"rejected_by_status\":{\"CONFLICT\":1,\"99\":1}"), "{report}");
        assert!(report.contains("\"end_to_end_us\":{\"p50\":200,\"p99\":400,\"p999\":400,\"max\":400}"), "{report}");
        counts.delivered(Duration::from_micros(300), 4);
        counts.delivered(Duration::from_micros(300), 0);
        counts.updates_again += 1;
        let updates = counts.describe_updates(Object::new(), Duration::from_millis(500)).to_text();
        assert_eq!(
            updates,
            "{\"updates\":2,\"updates_per_second\":4,\"updates_missed\":4,\"updates_again\":1,\
             \"delivery_us\":{\"p50\":300,\"p99\":300,\"p999\":300,\"max\":300}}"
        );
        assert!(counts.problems(5)[0].contains("1 moves were neither"));
        counts.lost("reset".into());
        counts.moves_abandoned = 1;
        assert_eq!(counts.moves_outstanding(), 0);
        let problems = counts.problems(7).join("; ");
        assert!(problems.contains("the first: reset") && problems.contains("2 moves that were due"), "{problems}");
    }
}
