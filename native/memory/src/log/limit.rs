//! How often something may be told: what strangers can cause must not fill the log.

use crate::sync::{AtomicU64, Ordering};

/// Records of one kind in a second; what goes beyond is counted and told with the next one that passes.
const RECORDS_A_SECOND_MAX: u64 = 5;

const SECOND_MS: u64 = 1_000;

/// A limit for one kind of record; any thread. Threads that meet at the turn of a second may let a few more pass.
#[derive(Debug, Default)]
pub struct LogLimit {
    second: AtomicU64,
    passed: AtomicU64,
    held_back: AtomicU64,
}

impl LogLimit {
    /// Whether a record may be written now; with how many were held back since the last one.
    pub fn pass(&self, now_unix_ms: u64) -> Option<u64> {
        let second = now_unix_ms / SECOND_MS;
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.passed.store(0, Ordering::Relaxed);
        }
        if self.passed.fetch_add(1, Ordering::Relaxed) < RECORDS_A_SECOND_MAX {
            return Some(self.held_back.swap(0, Ordering::Relaxed));
        }
        self.held_back.fetch_add(1, Ordering::Relaxed);
        None
    }
}
