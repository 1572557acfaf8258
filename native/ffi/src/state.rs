//! Rollback, revisions and state hashes.

use lodestone_runtime::HashReport;

use crate::edge::{guard, output};
use crate::handles;
use crate::types::{LodestoneError, LodestoneHash, LodestoneRollback};

/// Takes the state back to `revision`. Outside the window: `OUT_OF_WINDOW`, nothing changed.
///
/// # Safety
/// `out` points to a `LodestoneRollback`; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_state_rollback(
    engine: u64,
    revision: u64,
    out: *mut LodestoneRollback,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises a LodestoneRollback of its own.
        let out = unsafe { output(out, "out") }?;
        let (report, elapsed, within_sla) = handles::get(engine)?.rollback(revision)?;
        *out = LodestoneRollback {
            from_revision: report.from_revision,
            to_revision: report.to_revision,
            records: report.records,
            nanoseconds: elapsed.as_nanos() as u64,
            hash_low: report.hash.low,
            hash_high: report.hash.high,
            branch: report.branch,
            edges: report.edges,
            within_sla: u64::from(within_sla),
        };
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Writes the newest revision in the window that is at least `age_ms` old; the oldest in the window if none is.
///
/// # Safety
/// `revision` points to a number; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_revision_find(
    engine: u64,
    age_ms: u64,
    revision: *mut u64,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises a number of its own.
        let revision = unsafe { output(revision, "revision") }?;
        *revision = handles::get(engine)?.revision_before(age_ms)?;
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Writes the state hash recorded with `revision`, or the current one for `UINT64_MAX`. Outside the window:
/// `OUT_OF_WINDOW`.
///
/// # Safety
/// `out` points to a `LodestoneHash`; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_state_hash(
    engine: u64,
    revision: u64,
    out: *mut LodestoneHash,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises a LodestoneHash of its own.
        let out = unsafe { output(out, "out") }?;
        let revision = (revision != u64::MAX).then_some(revision);
        *out = hash_of(&handles::get(engine)?.hash(revision)?);
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

/// Writes the state hash computed anew from the whole state. The engine does nothing else meanwhile.
///
/// # Safety
/// `out` points to a `LodestoneHash`; `error` is null or points to a `LodestoneError`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_state_verify(
    engine: u64,
    out: *mut LodestoneHash,
    error: *mut LodestoneError,
) -> i32 {
    let body = || {
        // SAFETY: the caller promises a LodestoneHash of its own.
        let out = unsafe { output(out, "out") }?;
        *out = hash_of(&handles::get(engine)?.verify_hash()?);
        Ok(())
    };
    // SAFETY: the caller promises that `error` is null or its own.
    unsafe { guard(error, body) }
}

fn hash_of(report: &HashReport) -> LodestoneHash {
    LodestoneHash { revision: report.revision, hash_low: report.hash.low, hash_high: report.hash.high }
}
