//! The one place that reads the clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix milliseconds now; 0 before 1970.
pub(crate) fn now_unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}

/// Unix microseconds now; 0 before 1970.
pub(crate) fn now_unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as u64)
}
