//! The wish of the user, or of the system, that the run ends.

/// SIGINT and SIGTERM, or Ctrl-C where there are no signals. Each one is reported once, also when it came while nobody
/// waited.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Interrupt {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Interrupt {
    /// Takes over the signals.
    pub(crate) fn new() -> Result<Interrupt, String> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
        Ok(Interrupt { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for the next signal. Safe to cancel.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// SIGINT and SIGTERM, or Ctrl-C where there are no signals. Each one is reported once, also when it came while nobody
/// waited.
#[cfg(windows)]
#[derive(Debug)]
pub(crate) struct Interrupt {
    control_c: tokio::signal::windows::CtrlC,
}

#[cfg(windows)]
impl Interrupt {
    /// Takes over Ctrl-C.
    pub(crate) fn new() -> Result<Interrupt, String> {
        let control_c =
            tokio::signal::windows::ctrl_c().map_err(|error| format!("cannot listen for Ctrl-C: {error}"))?;
        Ok(Interrupt { control_c })
    }

    /// Waits for the next Ctrl-C. Safe to cancel.
    pub(crate) async fn wait(&mut self) {
        self.control_c.recv().await;
    }
}
