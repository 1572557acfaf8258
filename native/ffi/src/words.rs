//! Sleeping on a word of shared memory, and waking who sleeps there: what Java cannot do by itself.

use std::sync::atomic::AtomicU32;

use lodestone_memory::rings::{sleep_on_word, wake_word};

use crate::edge::{Failure, guard};
use crate::types::LodestoneStatus;

/// Sleeps while the word is `expected`, until woken, at most `timeout_ns`. Woken for whatever reason, or another word:
/// `OK`. The caller looks again in any case.
///
/// # Safety
/// `word` is the address of a number that stays mapped during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_word_wait(word: *const u32, expected: u32, timeout_ns: u64) -> i32 {
    let body = || {
        // SAFETY: the caller promises a number that stays mapped.
        let word = unsafe { shared(word) }?;
        // Woken, too late, or disturbed: the caller finds out by looking.
        let _ = sleep_on_word(word, expected, timeout_ns);
        Ok(())
    };
    // SAFETY: null is allowed.
    unsafe { guard(std::ptr::null_mut(), body) }
}

/// Wakes every thread of every process that sleeps on the word.
///
/// # Safety
/// `word` is the address of a number that stays mapped during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lodestone_word_wake(word: *const u32) -> i32 {
    let body = || {
        // SAFETY: the caller promises a number that stays mapped.
        wake_word(unsafe { shared(word) }?);
        Ok(())
    };
    // SAFETY: null is allowed.
    unsafe { guard(std::ptr::null_mut(), body) }
}

/// The word behind a pointer, used by several sides at once.
///
/// # Safety
/// As of the functions above.
unsafe fn shared<'call>(word: *const u32) -> Result<&'call AtomicU32, Failure> {
    if word.is_null() || !word.is_aligned() {
        let text = format_args!("the word at {word:p} is null or not aligned");
        return Err(Failure::new(LodestoneStatus::InvalidArgument, text));
    }
    // SAFETY: not null and aligned (just checked), mapped as the caller promises, and only used by atomic accesses.
    Ok(unsafe { AtomicU32::from_ptr(word.cast_mut()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_word_or_the_end_of_time_ends_the_sleep_and_null_is_refused() {
        let word = 7_u32;
        // SAFETY: the word is a value of this test.
        assert_eq!(unsafe { lodestone_word_wait(&raw const word, 8, u64::MAX) }, 0);
        // SAFETY: the word is a value of this test.
        assert_eq!(unsafe { lodestone_word_wait(&raw const word, 7, 1_000) }, 0);
        // SAFETY: the word is a value of this test.
        assert_eq!(unsafe { lodestone_word_wake(&raw const word) }, 0);
        // SAFETY: null is refused before it is read.
        assert_eq!(unsafe { lodestone_word_wake(std::ptr::null()) }, LodestoneStatus::InvalidArgument as i32);
    }
}
