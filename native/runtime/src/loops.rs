//! The network's threads: one for each socket, which runs the loop of that socket and the tasks of its sessions, so that no
//! move goes from thread to thread but to the engine and back.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use lodestone_memory::header::Header;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::config::{Config, SOCKETS_MAX};
use crate::error::EngineError;
use crate::log::Logs;
use crate::threads::spawn;

/// Sockets that are worth their threads where nobody says how many, at most: two fill a fast network.
const SOCKETS_BY_ITSELF_MAX: usize = 8;

/// Longest wait for what a thread still does when it is told to end.
const END_WAIT: Duration = Duration::from_secs(2);

/// The threads. They run until [`Loops::end`], or until this is dropped.
pub(crate) struct Loops {
    handles: Vec<Handle>,
    threads: Vec<(JoinHandle<()>, oneshot::Sender<()>)>,
}

impl Loops {
    pub(crate) fn start(config: &Config, header: Header, logs: &Logs) -> Result<Loops, EngineError> {
        let mut loops = Loops { handles: Vec::new(), threads: Vec::new() };
        for _ in 0..sockets(config) {
            let runtime = Builder::new_current_thread()
                .max_blocking_threads(config.max_blocking_threads)
                .thread_name(format!("{}-io", config.thread_name))
                .enable_all()
                .build()
                .map_err(|error| EngineError::Io(format!("cannot start the network threads: {error}")))?;
            loops.handles.push(runtime.handle().clone());
            let (end, ended) = oneshot::channel::<()>();
            let body = move || {
                // Sent to or dropped: both are the end.
                let _ = runtime.block_on(ended);
                runtime.shutdown_timeout(END_WAIT);
            };
            loops.threads.push((spawn(&config.thread_name, "io", header, logs, None, body)?, end));
        }
        Ok(loops)
    }

    /// Of all runtimes, one for each socket.
    pub(crate) fn handles(&self) -> &[Handle] {
        &self.handles
    }

    /// The first runtime, for whoever has something to wait for.
    pub(crate) fn first(&self) -> &Handle {
        &self.handles[0]
    }

    /// Ends the threads and whatever runs on them.
    pub(crate) fn end(self) {
        drop(self);
    }
}

impl Drop for Loops {
    fn drop(&mut self) {
        let threads: Vec<_> = self.threads.drain(..).map(|(thread, end)| (thread, end.send(()))).collect();
        for (thread, _) in threads {
            // It catches its panics and ends by returning.
            let _ = thread.join();
        }
    }
}

/// How many sockets there are: as many as `transport.sockets` or `runtime.worker_threads` says. By itself one up to three
/// cores, and half as many as there are cores beyond: the engine's thread, the pathfinder and the application want the rest.
fn sockets(config: &Config) -> usize {
    if config.sockets > 0 {
        return config.sockets;
    }
    if config.worker_threads > 0 {
        return config.worker_threads.min(SOCKETS_MAX);
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).clamp(1, SOCKETS_BY_ITSELF_MAX)
}
