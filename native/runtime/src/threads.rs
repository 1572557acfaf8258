//! The engine's threads: how they are started, pinned to cores and watched over.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::thread::{self, JoinHandle};

use lodestone_memory::header::Header;

use crate::config::Config;
use crate::error::EngineError;
use crate::log::Logs;
use crate::poison;

/// What the standard library seeds its hash maps with: different in every process, unknown to clients.
pub(crate) fn random_salt() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Starts a thread that poisons the region when its body panics.
pub(crate) fn spawn(
    name: &str,
    role: &str,
    header: Header,
    logs: &Logs,
    core: Option<usize>,
    body: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, EngineError> {
    let builder = thread::Builder::new().name(format!("{name}-{role}"));
    let logs = logs.clone();
    let work = move || {
        pin(core);
        if let Err(text) = poison::catch(body) {
            tracing::error!("the engine failed and is frozen: {text}");
            header.poison(&text);
        }
    };
    let started = builder.spawn(move || logs.within(work));
    started.map_err(|error| EngineError::Io(format!("cannot start the {role} thread: {error}")))
}

/// Every core to pin to must be one that this process may run on.
pub(crate) fn check_cores(config: &Config) -> Result<(), EngineError> {
    let Ok(allowed) = rustix::thread::sched_getaffinity(None) else { return Ok(()) };
    let Some(index) = config.pin_cores.iter().position(|core| !allowed.is_set(*core)) else { return Ok(()) };
    let cores: Vec<String> = (0..1_024).filter(|core| allowed.is_set(*core)).map(|core| core.to_string()).collect();
    let text =
        format!("found {}; allowed are the cores of this process: {}", config.pin_cores[index], cores.join(", "));
    Err(EngineError::Config { key: format!("runtime.pin_cores.{index}"), text })
}

fn pin(core: Option<usize>) {
    if let Some(core) = core {
        let mut set = rustix::thread::CpuSet::new();
        set.set(core);
        // Allowed a moment ago; a core taken away since leaves the thread unpinned: slower, not wrong.
        if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
            tracing::warn!(core, %error, "runtime.pin_cores: the thread could not be pinned");
        }
    }
}
