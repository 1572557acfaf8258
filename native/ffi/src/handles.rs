//! Engines, questions and loads by number: a number is never used twice, so one that outlived its thing finds nothing.

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

/// Things under way on engines, by number; each belongs to the engine that it was begun on.
pub(crate) struct Table<T> {
    entries: RwLock<Vec<Entry<T>>>,
    entries_max: usize,
    name: &'static str,
}

struct Entry<T> {
    number: u64,
    engine: u64,
    value: Arc<T>,
}

impl<T> Table<T> {
    /// A table of at most `entries_max` things of this name.
    pub(crate) const fn new(name: &'static str, entries_max: usize) -> Table<T> {
        Table { entries: RwLock::new(Vec::new()), entries_max, name }
    }

    /// Gives the thing a number.
    pub(crate) fn insert(&self, engine: u64, value: T) -> Result<u64, Failure> {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == self.entries_max {
            let text = format_args!("{} {}s are open in this process; close some", self.entries_max, self.name);
            return Err(Failure::new(LodestoneStatus::Overloaded, text));
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        entries.push(Entry { number, engine, value: Arc::new(value) });
        Ok(number)
    }

    /// The thing with this number of this engine.
    pub(crate) fn get(&self, engine: u64, number: u64) -> Result<Arc<T>, Failure> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let found = entries.iter().find(|entry| entry.number == number && entry.engine == engine);
        let text = format_args!("there is no {} {number} on this engine; it may be over", self.name);
        found.map(|entry| Arc::clone(&entry.value)).ok_or_else(|| Failure::new(LodestoneStatus::InvalidArgument, text))
    }

    /// Takes the thing with this number out, if it is there.
    pub(crate) fn remove(&self, engine: u64, number: u64) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.number != number || entry.engine != engine);
    }

    /// Takes everything out that was begun on this engine.
    pub(crate) fn forget(&self, engine: u64) {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).retain(|entry| entry.engine != engine);
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn numbers_belong_to_one_engine_are_never_used_twice_and_are_bounded() {
        let table = Table::new("question", 2);
        let (one, other) = (table.insert(1, 'a').unwrap(), table.insert(2, 'b').unwrap());
        assert_eq!((*table.get(1, one).unwrap(), *table.get(2, other).unwrap()), ('a', 'b'));
        assert!(table.get(2, one).is_err());
        assert!(table.insert(1, 'c').unwrap_err().text.contains("2 questions are open"));
        table.remove(2, one);
        assert!(table.get(1, one).is_ok(), "another engine's number removes nothing");
        table.remove(1, one);
        assert!(table.get(1, one).is_err());
        assert!(table.insert(2, 'd').unwrap() > other);
        table.forget(2);
        assert!(table.get(2, other).is_err());
    }
}
