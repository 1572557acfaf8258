//! Watched sources. Their distances are read from the shared region, with no call.

use crate::edge::{guard, output};
use crate::handles;
use crate::types::{LodestoneError, LodestoneStatus};

// Whoever asks through a ring gets the same number.
const _: () = assert!(LodestoneStatus::WatchesFull as u16 == lodestone_memory::rings::layout::REPLY_WATCHES_FULL);

/// Begins to keep the distances from the node `source` to all others in the shared region, and writes the watch's id, never
/// 0, to `watch`; its low 32 bits are the watch's place in the region. Every watch in use: `WATCHES_FULL`. The node is not
/// below `nodes_max`: `OUT_OF_BOUNDS`.
///
/// # Safety
/// `watch` points to a number; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_watch_add(
    engine: u64,
    source: u32,
    watch: *mut u64,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises a number of its own.
        let watch = unsafe { output(watch, "watch") }?;
        *watch = handles::get(engine)?.watch(source)?;
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Ends a watch. No such watch, or one that has ended: `INVALID_ARGUMENT`.
///
/// # Safety
/// `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_watch_remove(engine: u64, watch: u64, error: *mut LodestoneError) -> i32 {
    let body = || Ok(handles::get(engine)?.unwatch(watch)?);
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}
