//! The wish of the user, or of the system, that the engine ends, or takes up its identity anew.

use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT, SIGTERM and SIGHUP, from the moment on that this was made.
pub(crate) struct Signals {
    runtime: Runtime,
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    came: bool,
    hung_up: bool,
}

impl Signals {
    /// Takes over the signals. Made before anything that has to be taken down again.
    ///
    /// # Errors
    /// When the system refuses, in words.
    pub(crate) fn take() -> Result<Signals, String> {
        let refused = |error| format!("cannot listen for signals: {error}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refused)?;
        let inside = runtime.enter();
        let interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
        let terminate = signal(SignalKind::terminate()).map_err(refused)?;
        let hangup = signal(SignalKind::hangup()).map_err(refused)?;
        drop(inside);
        Ok(Signals { runtime, interrupt, terminate, hangup, came: false, hung_up: false })
    }

    /// Whether SIGINT or SIGTERM came, also before the call; waits this long for it, or until SIGHUP. Not less than a
    /// millisecond: one that has come is found while waiting.
    pub(crate) fn came_within(&mut self, time: Duration) -> bool {
        let Signals { runtime, interrupt, terminate, hangup, came, hung_up } = self;
        if !*came {
            *came = runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => true,
                    _ = terminate.recv() => true,
                    _ = hangup.recv() => {
                        *hung_up = true;
                        false
                    }
                    () = tokio::time::sleep(time) => false,
                }
            });
        }
        *came
    }

    /// Whether SIGHUP came since the last question; several count as one.
    pub(crate) fn hung_up(&mut self) -> bool {
        std::mem::take(&mut self.hung_up)
    }
}
