//! What every exported function shares: the panic guard, the error text, and the checks of pointers.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lodestone_runtime::EngineError;

use crate::types::{LodestoneError, LodestoneStatus};

/// A failed call.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: u32,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(status: LodestoneStatus, text: impl Display) -> Failure {
        Failure { status: status as u32, text: text.to_string() }
    }

    pub(crate) fn null(what: &str) -> Failure {
        Failure::new(LodestoneStatus::InvalidArgument, format_args!("{what} is null; give the address of a value"))
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Failure {
        let status = match &error {
            EngineError::Refused(status) => {
                return Failure { status: u32::from(status.code()), text: error.to_string() };
            }
            EngineError::Config { .. } => LodestoneStatus::Config,
            EngineError::Bind(_) => LodestoneStatus::Bind,
            EngineError::Certificate(_) => LodestoneStatus::Certificate,
            EngineError::Io(_) => LodestoneStatus::Io,
            EngineError::Closed => LodestoneStatus::Closed,
            EngineError::Poisoned(_) => LodestoneStatus::Poisoned,
            EngineError::InvalidArgument(_) => LodestoneStatus::InvalidArgument,
            EngineError::Memory(_) => LodestoneStatus::Memory,
            EngineError::MapFile(_) => LodestoneStatus::MapFile,
            EngineError::GraphFull(_) => LodestoneStatus::GraphFull,
            EngineError::Timeout(_) => LodestoneStatus::Timeout,
            EngineError::WatchesFull(_) => LodestoneStatus::WatchesFull,
        };
        Failure::new(status, error)
    }
}

/// Runs the body of an exported function: no panic leaves it, and a failure is written to `error` if that is not null.
///
/// # Safety
/// `error` is null or points to a `LodestoneError` that nobody else uses during the call.
pub(crate) unsafe fn guard(error: *mut LodestoneError, body: impl FnOnce() -> Result<(), Failure>) -> i32 {
    // The body's captures are raw pointers and numbers: whatever they point to, the caller sees the failure.
    let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "unknown".to_owned());
        Err(Failure::new(LodestoneStatus::Internal, format_args!("panic in a call: {text}; please report it")))
    });
    let Err(failure) = result else { return LodestoneStatus::Ok as i32 };
    // SAFETY: the caller promises that `error` is null or points to a LodestoneError of its own.
    if let Some(out) = unsafe { error.as_mut() } {
        out.status = failure.status;
        out.text_length = copy_text(&failure.text, &mut out.text) as u32;
    }
    failure.status as i32
}

/// Copies as much of the text as fits, cut at a character, and returns how many bytes that was.
pub(crate) fn copy_text(text: &str, into: &mut [u8]) -> usize {
    let mut end = text.len().min(into.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    into[..end].copy_from_slice(&text.as_bytes()[..end]);
    end
}

/// The value behind an output pointer.
///
/// # Safety
/// `pointer` is null or points to a `T` that nobody else uses during the call.
pub(crate) unsafe fn output<'call, T>(pointer: *mut T, name: &str) -> Result<&'call mut T, Failure> {
    // SAFETY: the caller promises that a pointer which is not null is valid and not shared.
    unsafe { pointer.as_mut() }.ok_or_else(|| Failure::null(name))
}

/// The items behind an input pointer; none where `count` is 0.
///
/// # Safety
/// `pointer` is null, or points to `count` items that nobody changes during the call.
pub(crate) unsafe fn inputs<'call, T>(pointer: *const T, count: u64, name: &str) -> Result<&'call [T], Failure> {
    let count = checked_count::<T>(pointer, count, name)?;
    // SAFETY: not null and aligned (just checked), and the caller promises `count` items.
    Ok(if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(pointer, count) } })
}

/// The items behind an output pointer; none where `count` is 0.
///
/// # Safety
/// `pointer` is null, or points to `count` items that nobody else uses during the call.
pub(crate) unsafe fn outputs<'call, T>(pointer: *mut T, count: u64, name: &str) -> Result<&'call mut [T], Failure> {
    let count = checked_count::<T>(pointer, count, name)?;
    // SAFETY: not null and aligned (just checked), and the caller promises `count` items.
    Ok(if count == 0 { &mut [] } else { unsafe { std::slice::from_raw_parts_mut(pointer, count) } })
}

fn checked_count<T>(pointer: *const T, count: u64, name: &str) -> Result<usize, Failure> {
    if count == 0 {
        return Ok(0);
    }
    if pointer.is_null() {
        return Err(Failure::null(name));
    }
    let bytes = count.checked_mul(size_of::<T>() as u64).filter(|bytes| *bytes <= isize::MAX as u64);
    if bytes.is_none() || !pointer.is_aligned() {
        let text = format_args!("{name}: {count} items at {pointer:p} are too many or not aligned");
        return Err(Failure::new(LodestoneStatus::InvalidArgument, text));
    }
    Ok(count as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> LodestoneError {
        LodestoneError { status: 0, text_length: 0, text: [0; 1016] }
    }

    #[test]
    fn a_panic_becomes_a_status_with_its_text() {
        let mut error = empty();
        // SAFETY: `error` is a value of this test.
        let status = unsafe { guard(&raw mut error, || panic!("on purpose {}", 7)) };
        assert_eq!((status, error.status), (16, 16));
        let text = std::str::from_utf8(&error.text[..error.text_length as usize]).unwrap();
        assert!(text.contains("on purpose 7"), "{text}");
        // SAFETY: null is allowed.
        assert_eq!(unsafe { guard(std::ptr::null_mut(), || panic!("unheard")) }, 16);
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let mut error = empty();
        // SAFETY: `error` is a value of this test.
        unsafe { guard(&raw mut error, || Err(Failure::new(LodestoneStatus::Io, "€".repeat(1_000)))) };
        assert_eq!(error.text_length, 1014);
        assert!(std::str::from_utf8(&error.text[..1014]).is_ok());
    }

    #[test]
    fn null_and_crooked_pointers_are_refused() {
        let words = [0_u64; 2];
        let crooked = words.as_ptr().wrapping_byte_add(1);
        // SAFETY: refused before anything is read.
        assert!(unsafe { inputs(crooked, 1, "words") }.is_err());
        // SAFETY: refused before anything is read.
        assert!(unsafe { inputs::<u64>(std::ptr::null(), 1, "words") }.is_err());
        // SAFETY: refused before anything is read.
        assert!(unsafe { inputs(words.as_ptr(), u64::MAX, "words") }.is_err());
        // SAFETY: no item is read.
        assert!(unsafe { inputs::<u64>(std::ptr::null(), 0, "words") }.unwrap().is_empty());
    }
}
