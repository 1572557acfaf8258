//! The atomics of everything whose orderings are modelled: loom's while models run, the standard library's else.
//!
//! Models are built with `--cfg loom` and live in the crate's own tests (`ci/models.sh`).

#[cfg(all(loom, test))]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(all(loom, test)))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// One look more in a loop that waits for another thread; in a model, that thread's turn.
pub(crate) fn look_again() {
    #[cfg(all(loom, test))]
    loom::thread::yield_now();
    #[cfg(not(all(loom, test)))]
    std::hint::spin_loop();
}
