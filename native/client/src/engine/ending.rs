//! When a client is to end.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How long the last requests may take after every handle was dropped without a close.
const DROPPED_WAIT: Duration = Duration::from_secs(2);

/// What a client's end says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Nothing new is taken from here on; or the last moment is nearer than it was.
    Begun,
    /// The last moment is over.
    Over,
}

/// Waits for the end of a client: a close, or the drop of its last handle.
#[derive(Debug)]
pub(crate) struct Ending {
    asked: watch::Receiver<Option<Instant>>,
    last: Option<Instant>,
    handles_left: bool,
}

impl Ending {
    pub(crate) fn new(asked: watch::Receiver<Option<Instant>>) -> Ending {
        Ending { asked, last: None, handles_left: true }
    }

    /// Waits for the next sign. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Sign {
        let over = async |last: Option<Instant>| match last {
            Some(last) => sleep_until(last).await,
            None => std::future::pending().await,
        };
        tokio::select! {
            biased;
            () = over(self.last) => Sign::Over,
            changed = self.asked.changed(), if self.handles_left => {
                if changed.is_ok() {
                    self.last = *self.asked.borrow_and_update();
                } else {
                    self.handles_left = false;
                    self.last.get_or_insert_with(|| Instant::now() + DROPPED_WAIT);
                }
                Sign::Begun
            }
        }
    }
}
