//! The beat of the schedule.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::schedule::TICK_NS;

/// Wakes the scheduler at every tick, from a thread of its own: timers of the runtime come up to two milliseconds late,
/// a sleeping thread about 60 microseconds. Missed ticks are not made up for; the scheduler looks at the clock.
#[derive(Debug)]
pub(crate) struct Pacer {
    tick: Arc<Notify>,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Pacer {
    /// Begins to tick at `start`.
    pub(crate) fn start(start: Instant) -> Result<Pacer, String> {
        let tick = Arc::new(Notify::new());
        let stop = Arc::new(AtomicBool::new(false));
        let (thread_tick, thread_stop) = (tick.clone(), stop.clone());
        let thread = thread::Builder::new()
            .name("pacer".into())
            .spawn(move || {
                // Relaxed: the flag carries nothing but itself, and one tick more does no harm.
                while !thread_stop.load(Ordering::Relaxed) {
                    thread::sleep(until_next_tick(start, Instant::now()));
                    thread_tick.notify_one();
                }
            })
            .map_err(|error| format!("cannot start the pacing thread: {error}"))?;
        Ok(Pacer { tick, stop, thread: Some(thread) })
    }

    /// Waits for the next tick. Safe to cancel.
    pub(crate) async fn tick(&self) {
        self.tick.notified().await;
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It cannot panic, and there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

fn until_next_tick(start: Instant, now: Instant) -> Duration {
    let Some(elapsed) = now.checked_duration_since(start) else {
        return start - now;
    };
    let into_tick_ns = (elapsed.as_nanos() % u128::from(TICK_NS)) as u64;
    Duration::from_nanos(TICK_NS - into_tick_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_lie_on_the_grid() {
        let start = Instant::now() + Duration::from_secs(5);
        let tick = Duration::from_nanos(TICK_NS);
        assert_eq!(until_next_tick(start, start - Duration::from_secs(1)), Duration::from_secs(1));
        assert_eq!(until_next_tick(start, start), tick);
        assert_eq!(until_next_tick(start, start + tick * 7 + tick / 4), tick - tick / 4);
    }
}
