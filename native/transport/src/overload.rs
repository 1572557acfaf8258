//! Overload, as an operator hears of it: once when it begins, and once more when it has been over for a while.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::session::now_unix_ms;

/// Shorter pauses belong to it.
const QUIET_MS: u64 = 5_000;

/// One kind of overload; any thread. Each beginning and each end is told to one of them.
#[derive(Debug, Default)]
pub(crate) struct Overload {
    /// When it began, Unix milliseconds; 0 while there is none.
    began: AtomicU64,
    last: AtomicU64,
    times: AtomicU64,
}

/// An overload that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Over {
    ms: u64,
    times: u64,
}

impl Overload {
    /// Notes that it is met; `true` when it begins with that.
    fn meet(&self, now_unix_ms: u64) -> bool {
        self.last.store(now_unix_ms, Ordering::Relaxed);
        self.times.fetch_add(1, Ordering::Relaxed);
        self.began.compare_exchange(0, now_unix_ms.max(1), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// What it was, when it has been over for a while. While there is none, that costs one load.
    fn end(&self, now_unix_ms: impl FnOnce() -> u64) -> Option<Over> {
        let began = self.began.load(Ordering::Relaxed);
        let last = self.last.load(Ordering::Relaxed);
        if began == 0 || now_unix_ms() < last + QUIET_MS {
            return None;
        }
        self.began.compare_exchange(began, 0, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        Some(Over { ms: last.saturating_sub(began), times: self.times.swap(0, Ordering::Relaxed) })
    }
}

/// An attempt to connect met it.
pub(crate) fn newcomers_wait(overload: &Overload, handshakes: u64) {
    if overload.meet(now_unix_ms()) {
        tracing::warn!(handshakes, "overloaded: who connects has to prove its address, or gets no answer");
    }
}

/// An attempt to connect met none.
pub(crate) fn newcomers_enter(overload: &Overload) {
    if let Some(Over { ms, times }) = overload.end(now_unix_ms) {
        tracing::info!(ms, attempts = times, "no longer overloaded: who connects is let in as ever");
    }
}

/// There was no place in the channel, or no page.
pub(crate) fn falls_behind(overload: &Overload) {
    if overload.meet(now_unix_ms()) {
        tracing::warn!("overloaded: the engine falls behind, so streams are not read and datagrams are dropped");
    }
}

/// There was a place in the channel.
pub(crate) fn keeps_up(overload: &Overload) {
    if let Some(Over { ms, times }) = overload.end(now_unix_ms) {
        tracing::info!(ms, times, "no longer overloaded: the engine keeps up");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_is_told_once_and_the_end_after_a_while() {
        let overload = Overload::default();
        assert_eq!(overload.end(|| unreachable!("there is none, so nobody asks for the time")), None);
        assert!(overload.meet(1_000));
        assert!(!overload.meet(2_000) && !overload.meet(4_000));
        assert_eq!(overload.end(|| 4_000 + QUIET_MS - 1), None, "a pause belongs to it");
        assert!(!overload.meet(5_000));
        assert_eq!(overload.end(|| 5_000 + QUIET_MS), Some(Over { ms: 4_000, times: 4 }));
        assert_eq!(overload.end(|| 60_000), None, "told once");
        assert!(overload.meet(70_000), "another one");
    }
}
