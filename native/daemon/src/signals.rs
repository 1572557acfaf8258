//! The wish of the user, or of the system, that the engine ends.

use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM, from the moment on that this was made.
pub(crate) struct Signals {
    runtime: Runtime,
    interrupt: Signal,
    terminate: Signal,
    came: bool,
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
        drop(inside);
        Ok(Signals { runtime, interrupt, terminate, came: false })
    }

    /// Whether one came, also before the call; waits this long for it. Not less than a millisecond: one that has come is
    /// found while waiting.
    pub(crate) fn came_within(&mut self, time: Duration) -> bool {
        let Signals { runtime, interrupt, terminate, came } = self;
        if !*came {
            *came = runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => true,
                    _ = terminate.recv() => true,
                    () = tokio::time::sleep(time) => false,
                }
            });
        }
        *came
    }
}
