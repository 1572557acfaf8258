//! Which processor cores the engine's threads run on.

use crate::config::Config;
use crate::error::EngineError;

/// Every core to pin to must be one that this process may run on.
pub(crate) fn check_cores(config: &Config) -> Result<(), EngineError> {
    let Ok(allowed) = rustix::thread::sched_getaffinity(None) else { return Ok(()) };
    let Some(index) = config.pin_cores.iter().position(|core| !allowed.is_set(*core)) else { return Ok(()) };
    let cores: Vec<String> = (0..1_024).filter(|core| allowed.is_set(*core)).map(|core| core.to_string()).collect();
    let text =
        format!("found {}; allowed are the cores of this process: {}", config.pin_cores[index], cores.join(", "));
    Err(EngineError::Config { key: format!("runtime.pin_cores.{index}"), text })
}

/// Binds the calling thread to the core, if there is one.
pub(crate) fn pin(core: Option<usize>) {
    if let Some(core) = core {
        let mut set = rustix::thread::CpuSet::new();
        set.set(core);
        // Allowed a moment ago; a core taken away since leaves the thread unpinned: slower, not wrong.
        if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
            tracing::warn!(core, %error, "runtime.pin_cores: the thread could not be pinned");
        }
    }
}
