//! What is measured: durations, processor time and memory of both processes.

use std::fs;
use std::time::Duration;

use hdrhistogram::Histogram;
use lodestone_client::command_line::Object;

/// Durations are kept in nanoseconds, from one microsecond to one minute, with three digits.
const LOWEST_NS: u64 = 1_000;
const HIGHEST_NS: u64 = 60_000_000_000;

/// An empty histogram of durations.
pub(crate) fn durations() -> Result<Histogram<u64>, String> {
    Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, 3).map_err(|error| error.to_string())
}

/// Adds a duration; one longer than a minute counts as a minute.
pub(crate) fn record(histogram: &mut Histogram<u64>, duration: Duration) {
    histogram.saturating_record(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
}

/// Percentiles in nanoseconds.
pub(crate) fn percentiles(histogram: &Histogram<u64>) -> Object {
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)]
        .iter()
        .fold(Object::new(), |object, (name, quantile)| {
            object.number(name, histogram.value_at_quantile(*quantile))
        })
        .number("max", histogram.max())
        .number("count", histogram.len())
}

/// Processor time of both processes so far, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Processor {
    server_ns: u64,
    client_ns: u64,
}

impl Processor {
    /// Reads it now; a server that is not known has used none.
    pub(crate) fn now(server_pid: Option<u32>) -> Processor {
        let server_ns = server_pid.map_or(0, |pid| processor_ns(&pid.to_string()));
        Processor {
            server_ns,
            client_ns: processor_ns("self"),
        }
    }

    /// Adds what was used since to a report.
    pub(crate) fn since(self, server_pid: Option<u32>, report: Object) -> Object {
        let now = Processor::now(server_pid);
        report
            .number(
                "server_cpu_ns",
                now.server_ns.saturating_sub(self.server_ns),
            )
            .number(
                "client_cpu_ns",
                now.client_ns.saturating_sub(self.client_ns),
            )
    }
}

/// Time on a processor of all threads that live, exact to the nanosecond, unlike the ticks of /proc/PID/stat.
fn processor_ns(process: &str) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else {
        return 0;
    };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|text| {
            text.split_whitespace()
                .next()
                .and_then(|first| first.parse::<u64>().ok())
        })
        .sum()
}

/// Resident memory of a process in KiB; 0 when it is not known.
pub(crate) fn resident_kib(process: Option<u32>) -> u64 {
    let Some(pid) = process else { return 0 };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}
