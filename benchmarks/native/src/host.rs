//! What the machine does to this process: memory that it holds, and time that others take from it.

use std::time::{Duration, Instant};

/// A longer step of the clock while a loop does nothing but read it was not ours: an interrupt, the host, a neighbour.
pub(crate) const GAP_NS: u64 = 2_000;

/// Resident memory of this process in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux shows the status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = kib
        .and_then(|kib| kib.trim().parse().ok())
        .expect("VmRSS in kB");
    kib * 1_024
}

/// Nanoseconds for which this thread was ready and had no processor, since it began; 0 where the system does not count.
pub(crate) fn waited_for_processor_ns() -> u64 {
    let counts = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    counts
        .split_whitespace()
        .nth(1)
        .and_then(|waited| waited.parse().ok())
        .unwrap_or(0)
}

/// Time that a loop lost which did nothing but read the clock: the longest gap, and all of them together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lost {
    pub(crate) longest_ns: u64,
    pub(crate) total_ns: u64,
}

impl Lost {
    /// Counts the time between two readings with nothing in between.
    pub(crate) fn gap(&mut self, nanoseconds: u64) {
        self.longest_ns = self.longest_ns.max(nanoseconds);
        if nanoseconds > GAP_NS {
            self.total_ns += nanoseconds;
        }
    }
}

/// Reads the clock for this long.
pub(crate) fn lost_in(duration: Duration) -> Lost {
    let (mut lost, start) = (Lost::default(), Instant::now());
    let (mut before, end) = (0, duration.as_nanos() as u64);
    while before < end {
        let now = start.elapsed().as_nanos() as u64;
        lost.gap(now - before);
        before = now;
    }
    lost
}
