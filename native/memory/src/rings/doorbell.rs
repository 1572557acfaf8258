//! Doorbells: how one side sleeps until the other has something for it, across threads and processes.
//!
//! The word is 1 while its owner sleeps or is about to. The owner announces that, looks once more, and only then sleeps;
//! the other side publishes, then looks at the word. A full barrier on both sides makes it impossible that neither
//! sees the other. The kernel compares the word again before it lets anyone sleep. Sleeps are bounded all the same.
//!
//! A full barrier for each command costs more than the command. Where the system has `membarrier`, the engine asks it for
//! one on all processors before it sleeps, and processes that signed up for that do without their own.

use std::io;

use crate::sync::{AtomicU32, Ordering, fence};

/// The word while its owner is awake.
pub const BELL_AWAKE: u32 = 0;
/// The word while its owner sleeps, or is about to.
pub const BELL_ASLEEP: u32 = 1;

/// Longest sleep, whatever happens: a process that was killed between its commit and its wake-up delays no one longer.
pub const SLEEP_MS_MAX: u64 = 50;

/// Who has to have a barrier of its own between what it publishes and its look at the engine's doorbell: everyone.
pub const ORDER_ALL: u32 = 0;
/// The same: processes that did not sign up for the engine's barrier.
pub const ORDER_STRANGERS: u32 = 1;
/// The same: nobody, for the engine never sleeps.
pub const ORDER_NONE: u32 = 2;

/// One doorbell; `Copy`. One side sleeps on it, any number may ring.
#[derive(Clone, Copy)]
pub struct Doorbell {
    word: &'static AtomicU32,
    /// Whether the sleeper's barrier orders this process too.
    ordered: bool,
}

impl Doorbell {
    pub(crate) fn new(word: &'static AtomicU32) -> Doorbell {
        Doorbell { word, ordered: false }
    }

    /// The doorbell for a process that the sleeper's barrier orders.
    pub(crate) fn ordered(self) -> Doorbell {
        Doorbell { ordered: true, ..self }
    }

    /// Owner: says that it is about to sleep. It looks for work once more before it does.
    pub fn announce(&self) {
        self.word.store(BELL_ASLEEP, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Owner: says that it is awake.
    pub fn awake(&self) {
        self.word.store(BELL_AWAKE, Ordering::Relaxed);
    }

    /// Other side, after it published: whether the owner has to be woken, which [`Doorbell::wake`] does. Of several who
    /// ring at once one is told so.
    pub fn is_needed(&self) -> bool {
        if self.ordered {
            // The processor is ordered by the sleeper; the compiler is ordered here.
            std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
        self.is_asleep() && self.word.swap(BELL_AWAKE, Ordering::Relaxed) == BELL_ASLEEP
    }

    /// Whether the owner said that it is about to sleep.
    pub fn is_asleep(&self) -> bool {
        self.word.load(Ordering::Relaxed) == BELL_ASLEEP
    }

    /// Other side, after it published: wakes the owner if it sleeps.
    pub fn ring(&self) {
        if self.is_needed() {
            self.wake();
        }
    }

    /// Wakes whoever sleeps on the word.
    pub fn wake(&self) {
        #[cfg(not(all(loom, test)))]
        wake_word(self.word);
    }

    /// Owner, after it announced and looked: sleeps until rung, at most `timeout_ms` and never longer than
    /// [`SLEEP_MS_MAX`]; awake again when it returns.
    pub fn sleep(&self, timeout_ms: u64) {
        #[cfg(not(all(loom, test)))]
        let _ = sleep_on_word(self.word, BELL_ASLEEP, timeout_ms.min(SLEEP_MS_MAX) * 1_000_000);
        #[cfg(all(loom, test))]
        let _ = timeout_ms;
        self.awake();
    }
}

/// Wakes every thread of every process that sleeps on the word.
#[cfg(not(all(loom, test)))]
pub fn wake_word(word: &std::sync::atomic::AtomicU32) {
    // Without the private flag: the sleeper may be another process. Nobody asleep, or a word that is gone: nothing to do.
    let _ = rustix::thread::futex::wake(word, rustix::thread::futex::Flags::empty(), i32::MAX as u32);
}

/// Sleeps while the word is `expected`, until it is woken or the time is over.
///
/// # Errors
/// What the kernel says; among it that the word is another one, that time is over, and that a signal came.
#[cfg(not(all(loom, test)))]
pub fn sleep_on_word(word: &std::sync::atomic::AtomicU32, expected: u32, timeout_ns: u64) -> io::Result<()> {
    let timeout = rustix::thread::Timespec {
        tv_sec: (timeout_ns / 1_000_000_000).min(i64::MAX as u64) as i64,
        tv_nsec: (timeout_ns % 1_000_000_000) as _,
    };
    let flags = rustix::thread::futex::Flags::empty();
    Ok(rustix::thread::futex::wait(word, flags, expected, Some(&timeout))?)
}

/// Signs this process up for barriers of others; whether the system has them.
#[cfg(not(all(loom, test)))]
pub(crate) fn sign_up_for_barriers() -> bool {
    use rustix::thread::{MembarrierCommand, membarrier, membarrier_query};
    membarrier_query().contains_command(MembarrierCommand::GlobalExpedited)
        && membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok()
}

/// A full barrier on every processor that runs a thread of a process that signed up; `false` where that fails.
#[cfg(not(all(loom, test)))]
pub fn barrier_everywhere() -> bool {
    rustix::thread::membarrier(rustix::thread::MembarrierCommand::GlobalExpedited).is_ok()
}
