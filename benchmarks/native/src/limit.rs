//! The physical limits beside which the engine is judged, over a field of memory far beyond every cache:
//!
//! - changing one word in a random line, each access independent of the one before, so that the processor overlaps as
//!   many as it can. Three times: over huge pages as a plain loop, which is *the limit* that claims name; over huge pages
//!   in batches of 128 whose lines are asked for ahead, as the engine does it; and over the small pages that the system
//!   gives by default, where every access also misses the translation cache;
//! - reading a random line whose place only the line before tells: what one miss costs when nothing overlaps;
//! - copying in order.

use std::hint::black_box;
use std::time::Instant;

use lodestone_memory::huge;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

use crate::figures::Figures;
use crate::world::mix;

const LINE_WORDS: usize = 8;
const BATCH: usize = 128;

/// The fields that are accessed; they stay until the process ends.
pub(crate) struct Memory {
    small_pages: &'static mut [u64],
    /// The first word of each line holds the number of another line: one circle through all of them. The loops that
    /// change words leave those alone.
    huge_pages: &'static mut [u64],
    /// Copied from its first half to its second.
    copied: &'static mut [u64],
    accesses: u64,
}

impl Memory {
    /// Fields of this many words, a power of two: 2^27 are 1 GiB.
    pub(crate) fn new(words: usize, accesses: u64) -> Memory {
        assert!(words.is_power_of_two());
        let memory = Memory {
            small_pages: field(words, Advice::LinuxNoHugepage),
            huge_pages: field(words, Advice::LinuxHugepage),
            copied: field(words / 2, Advice::LinuxHugepage),
            accesses,
        };
        circle(memory.huge_pages);
        memory
    }

    /// Adds one round of all limits under this name.
    pub(crate) fn measure(&mut self, name: &str, round: u64, figures: &mut Figures) {
        let accesses = self.accesses;
        let mut add = |what: &str, value| figures.add(&format!("{name}{what}"), "ns", value);
        add("", line_ns(self.huge_pages, accesses, round));
        add("_ahead", ahead_ns(self.huge_pages, accesses, round));
        add("_small_pages", line_ns(self.small_pages, accesses, round));
        add("_dependent", dependent_ns(self.huge_pages, accesses / 4));
        figures.add(&format!("{name}_copy"), "GB/s", self.copy_gb_per_s());
    }

    fn copy_gb_per_s(&mut self) -> f64 {
        let (from, to) = self.copied.split_at_mut(self.copied.len() / 2);
        let start = Instant::now();
        to.copy_from_slice(from);
        black_box(&*to);
        size_of_val(from) as f64 / start.elapsed().as_nanos() as f64
    }
}

fn field(words: usize, advice: Advice) -> &'static mut [u64] {
    let (bytes, access) = (words * 8, ProtFlags::READ | ProtFlags::WRITE);
    // SAFETY: with no address asked for, the system gives a range that nobody else uses.
    let start = unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, access, MapFlags::PRIVATE) };
    let start = start.expect("memory for a field");
    // SAFETY: the range was mapped just above, and the advice changes no content. A system without huge pages says so;
    // then all fields are the same.
    let _ = unsafe { madvise(start, bytes, advice) };
    // SAFETY: the mapping is zeros, aligned to a page, never unmapped, and only this slice names it.
    let words = unsafe { std::slice::from_raw_parts_mut(start.cast::<u64>(), words) };
    words.fill(1);
    words
}

/// Makes one circle of all lines, in random order (Sattolo's shuffle).
fn circle(words: &mut [u64]) {
    let lines = words.len() / LINE_WORDS;
    let mut order: Vec<u32> = (0..lines as u32).collect();
    for last in (1..lines).rev() {
        order.swap(last, (mix(last as u64) % last as u64) as usize);
    }
    for (line, next) in order.into_iter().enumerate() {
        words[line * LINE_WORDS] = u64::from(next);
    }
}

/// A random place that is not the first word of a line.
fn place(words: &[u64], seed: u64, index: u64) -> usize {
    mix(seed << 32 ^ index) as usize & (words.len() - 1) | 1
}

fn line_ns(words: &mut [u64], accesses: u64, seed: u64) -> f64 {
    let start = Instant::now();
    for index in 0..accesses {
        let place = place(words, seed, index);
        words[place] = words[place].wrapping_add(index);
    }
    black_box(&*words);
    start.elapsed().as_nanos() as f64 / accesses as f64
}

fn ahead_ns(words: &mut [u64], accesses: u64, seed: u64) -> f64 {
    let mut places = [0; BATCH];
    let start = Instant::now();
    for first in (0..accesses).step_by(BATCH) {
        for (place_next, index) in places.iter_mut().zip(first..) {
            *place_next = place(words, seed + 1_000, index);
            huge::prefetch(&words[*place_next]);
        }
        for place in places {
            words[place] = words[place].wrapping_add(first);
        }
    }
    black_box(&*words);
    start.elapsed().as_nanos() as f64 / accesses.next_multiple_of(BATCH as u64) as f64
}

fn dependent_ns(words: &[u64], accesses: u64) -> f64 {
    let (mut line, start) = (0, Instant::now());
    for _ in 0..accesses {
        line = words[line * LINE_WORDS] as usize;
    }
    black_box(line);
    start.elapsed().as_nanos() as f64 / accesses as f64
}
