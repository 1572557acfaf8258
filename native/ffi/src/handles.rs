//! Engines by number: a number is never used twice, so one that outlived its engine finds nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use lodestone_runtime::Engine;

use crate::edge::Failure;
use crate::types::LodestoneStatus;

static ENGINES: RwLock<Vec<(u64, Arc<Engine>)>> = RwLock::new(Vec::new());
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Gives the engine a number.
pub(crate) fn insert(engine: Engine) -> u64 {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    ENGINES.write().unwrap_or_else(PoisonError::into_inner).push((number, Arc::new(engine)));
    number
}

/// The engine with this number.
pub(crate) fn get(number: u64) -> Result<Arc<Engine>, Failure> {
    let engines = ENGINES.read().unwrap_or_else(PoisonError::into_inner);
    engines.iter().find(|(known, _)| *known == number).map(|(_, engine)| Arc::clone(engine)).ok_or_else(closed)
}

/// Takes the engine with this number out.
pub(crate) fn remove(number: u64) -> Result<Arc<Engine>, Failure> {
    let mut engines = ENGINES.write().unwrap_or_else(PoisonError::into_inner);
    let place = engines.iter().position(|(known, _)| *known == number).ok_or_else(closed)?;
    Ok(engines.swap_remove(place).1)
}

fn closed() -> Failure {
    Failure::new(LodestoneStatus::Closed, "the engine is closed; open a new one")
}
