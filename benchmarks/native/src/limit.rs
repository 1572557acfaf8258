//! The physical limit beside which the engine is judged: changing one word in a random line of memory, each access
//! independent of the one before, so that the processor overlaps as many as it can.
//!
//! Twice: over huge pages, which is the limit of the memory itself, and over the small pages that the system gives by
//! default, where every access also misses the translation cache.

use std::hint::black_box;
use std::time::Instant;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

/// Words of a field: 1 GiB, far beyond every cache.
const WORDS: usize = 1 << 27;
const BYTES: usize = WORDS * 8;
const ACCESSES: u64 = 4_000_000;

/// The fields that are accessed; they stay until the process ends.
pub(crate) struct Memory {
    small_pages: &'static mut [u64],
    huge_pages: &'static mut [u64],
}

impl Memory {
    pub(crate) fn new() -> Memory {
        Memory {
            small_pages: field(Advice::LinuxNoHugepage),
            huge_pages: field(Advice::LinuxHugepage),
        }
    }

    /// Nanoseconds of one access over huge pages, and over small ones.
    pub(crate) fn line_ns(&mut self, seed: u64) -> (f64, f64) {
        (
            line_ns(self.huge_pages, seed),
            line_ns(self.small_pages, seed),
        )
    }
}

fn field(advice: Advice) -> &'static mut [u64] {
    let flags = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
    // SAFETY: with no address asked for, the system gives a range that nobody else uses.
    let start = unsafe { mmap_anonymous(std::ptr::null_mut(), BYTES, flags.0, flags.1) };
    let start = start.expect("1 GiB of memory");
    // SAFETY: the range was mapped just above, and the advice changes no content. A system without huge pages says so;
    // then both fields are the same.
    let _ = unsafe { madvise(start, BYTES, advice) };
    // SAFETY: the mapping is zeros, aligned to a page, never unmapped, and only this slice names it.
    let words = unsafe { std::slice::from_raw_parts_mut(start.cast::<u64>(), WORDS) };
    words.fill(1);
    words
}

fn line_ns(words: &mut [u64], seed: u64) -> f64 {
    let start = Instant::now();
    for index in 0..ACCESSES {
        let place = crate::world::mix(seed << 32 ^ index) as usize & (WORDS - 1);
        words[place] = words[place].wrapping_add(index);
    }
    black_box(&*words);
    start.elapsed().as_nanos() as f64 / ACCESSES as f64
}
