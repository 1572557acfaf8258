//! Bulk loads step by step, so that the caller sees how far they are and can end them.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lodestone_runtime::{BulkLoad, LoadProgress};

use crate::edge::{Failure, guard, inputs, output};
use crate::graph::load_of;
use crate::handles::{self, Table};
use crate::types::{LodestoneError, LodestoneLoad, LodestoneProgress, LodestoneStatus};

/// Loads under way in this process; `None` once finished.
static LOADS: Table<Mutex<Option<BulkLoad>>> = Table::new("load", 256);

/// Ends the loads of an engine that closes.
pub(crate) fn forget(engine: u64) {
    LOADS.forget(engine);
}

/// Begins a load on top of what is in the graph and writes its number, never 0, to `load`. With a path, of a graph file:
/// a plain list of arcs (`.arcs`, 12 bytes an arc: source, target, mask, little-endian) is read as it is needed, a road
/// graph (`.lsg`) as a whole here; `lodestone_load_step` loads it. Without one (`path_bytes` 0) `lodestone_load_put` hands
/// arcs over, `arcs_total` of them, or `UINT64_MAX` where that is not known. Everything set stays, however a load ends.
///
/// # Safety
/// `path` points to `path_bytes` bytes of UTF-8, `load` to a number; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_load_open(
    engine: u64,
    path: *const u8,
    path_bytes: u64,
    arcs_total: u64,
    load: *mut u64,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises `path_bytes` bytes that stay as they are during the call.
        let path = unsafe { inputs(path, path_bytes, "path") }?;
        // SAFETY: the caller promises a number of its own.
        let load = unsafe { output(load, "load") }?;
        let path = std::str::from_utf8(path)
            .map_err(|_| Failure::new(LodestoneStatus::InvalidArgument, "the path is not UTF-8"))?;
        let found = handles::get(engine)?;
        let begun = if path.is_empty() {
            found.begin_load(Some(arcs_total).filter(|total| *total != u64::MAX))?
        } else {
            found.begin_file_load(Path::new(path))?
        };
        *load = LOADS.insert(engine, Mutex::new(Some(begun)))?;
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Loads from the file for about `time_ms`, at least one part, and writes how far it is.
///
/// # Safety
/// `out` points to a `LodestoneProgress`; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_load_step(
    engine: u64,
    load: u64,
    time_ms: u64,
    out: *mut LodestoneProgress,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises a LodestoneProgress of its own.
        let out = unsafe { output(out, "out") }?;
        let found = handles::get(engine)?;
        *out = with(engine, load, |load| Ok(load.step(&found, Duration::from_millis(time_ms))?))?;
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Hands `arcs_count` arcs over, each three numbers: source, target, mask (not 0). Returns when they are copied; at most
/// three parts of 1,024 are not set by then.
///
/// # Safety
/// `arcs` points to 3 × `arcs_count` numbers, `out` to a `LodestoneProgress`; `error` is null or points to a
/// `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_load_put(
    engine: u64,
    load: u64,
    arcs: *const u32,
    arcs_count: u64,
    out: *mut LodestoneProgress,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        let numbers = arcs_count
            .checked_mul(3)
            .ok_or_else(|| Failure::new(LodestoneStatus::InvalidArgument, "arcs_count is larger than memory"))?;
        // SAFETY: the caller promises three numbers an arc that stay as they are during the call.
        let numbers = unsafe { inputs(arcs, numbers, "arcs") }?;
        // SAFETY: the caller promises a LodestoneProgress of its own.
        let out = unsafe { output(out, "out") }?;
        let found = handles::get(engine)?;
        *out = with(engine, load, |load| Ok(load.add(&found, numbers)?))?;
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Waits until everything handed over or read is set, writes what the load brought, and ends it.
///
/// # Safety
/// `out` points to a `LodestoneLoad`; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_load_finish(
    engine: u64,
    load: u64,
    out: *mut LodestoneLoad,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises a LodestoneLoad of its own.
        let out = unsafe { output(out, "out") }?;
        let found = handles::get(engine)?;
        let begun = LOADS.get(engine, load)?;
        LOADS.remove(engine, load);
        let begun = begun.lock().unwrap_or_else(PoisonError::into_inner).take();
        *out = load_of(&begun.ok_or_else(over)?.finish(&found)?);
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Ends a load where it is; what was handed over and is not with the engine yet is dropped. A load that is over, or never
/// was, is allowed and does nothing.
///
/// # Safety
/// `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_load_close(engine: u64, load: u64, error: *mut LodestoneError) -> i32 {
    let body = || {
        LOADS.remove(engine, load);
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

fn with(
    engine: u64,
    load: u64,
    call: impl FnOnce(&mut BulkLoad) -> Result<LoadProgress, Failure>,
) -> Result<LodestoneProgress, Failure> {
    let begun = LOADS.get(engine, load)?;
    let mut begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
    let progress = call(begun.as_mut().ok_or_else(over)?)?;
    let total = progress.total.unwrap_or(u64::MAX);
    Ok(LodestoneProgress { done: progress.done, total, finished: u64::from(progress.finished) })
}

fn over() -> Failure {
    Failure::new(LodestoneStatus::InvalidArgument, "the load is over; begin a new one")
}
