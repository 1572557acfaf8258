//! The physical limits beside which the engine is judged, over a field of memory far beyond every cache:
//!
//! - changing one word in a random line, each access independent of the one before, over huge pages, in batches of 128
//!   whose lines are asked for ahead, so that as many are under way as the memory takes: *the limit* that claims name.
//!   Beside it a plain loop, whose overlap is what the processor finds by itself, and the same loop over the small pages
//!   that the system gives by default, where every access also misses the translation cache;
//! - reading a random line whose place only the line before tells: what one miss costs when nothing overlaps;
//! - copying in order.

use std::hint::black_box;
use std::time::Instant;

use lodestone_memory::huge::{self, HugeSlice};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

use crate::figures::Figures;
use crate::world::mix;

const LINE_WORDS: usize = 8;
const BATCH: usize = 128;

/// The fields that are accessed.
pub(crate) struct Memory {
    small_pages: SmallPages,
    /// The first word of each line holds the number of another line: one circle through all of them. The loops that
    /// change words leave those alone.
    huge_pages: HugeSlice<u64>,
    /// Copied from its first half to its second.
    copied: HugeSlice<u64>,
    accesses: u64,
}

impl Memory {
    /// Fields of this many words, a power of two: 2^27 are 1 GiB.
    pub(crate) fn new(words: usize, accesses: u64) -> Memory {
        assert!(words.is_power_of_two());
        let mut huge_pages = HugeSlice::new(words).expect("memory for a field");
        circle(&mut huge_pages);
        Memory {
            small_pages: SmallPages::new(words),
            huge_pages,
            copied: HugeSlice::new(words / 2).expect("memory for a field"),
            accesses,
        }
    }

    /// Adds one round of all limits under this name.
    pub(crate) fn measure(&mut self, name: &str, round: u64, figures: &mut Figures) {
        let accesses = self.accesses;
        let mut add = |what: &str, value| figures.add(&format!("{name}{what}"), "ns", value);
        add("_plain", line_ns(&mut self.huge_pages, accesses, round));
        add("", ahead_ns(&mut self.huge_pages, accesses, round));
        add(
            "_small_pages",
            line_ns(self.small_pages.words(), accesses, round),
        );
        add("_dependent", dependent_ns(&self.huge_pages, accesses / 4));
        figures.add(&format!("{name}_copy"), "GB/s", self.copy_gb_per_s());
    }

    fn copy_gb_per_s(&mut self) -> f64 {
        let half = self.copied.len() / 2;
        let (from, to) = self.copied.split_at_mut(half);
        let start = Instant::now();
        to.copy_from_slice(from);
        black_box(&*to);
        size_of_val(from) as f64 / start.elapsed().as_nanos() as f64
    }
}

/// Words over small pages, whatever the system gives by default.
struct SmallPages {
    first: *mut u64,
    count: usize,
}

impl SmallPages {
    fn new(count: usize) -> SmallPages {
        let (bytes, access) = (count * 8, ProtFlags::READ | ProtFlags::WRITE);
        // SAFETY: with no address asked for, the system gives a range that nobody else uses.
        let first =
            unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, access, MapFlags::PRIVATE) };
        let first = first.expect("memory for a field");
        // SAFETY: the range was mapped just above, and the advice changes no content. A system without huge pages
        // refuses it and gives small ones anyhow.
        let _ = unsafe { madvise(first, bytes, Advice::LinuxNoHugepage) };
        let mut field = SmallPages {
            first: first.cast(),
            count,
        };
        field.words().fill(1);
        field
    }

    fn words(&mut self) -> &mut [u64] {
        // SAFETY: the mapping is `count` words of zeros or numbers, aligned to a page; it lives as long as this value,
        // which is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.first, self.count) }
    }
}

impl Drop for SmallPages {
    fn drop(&mut self) {
        // SAFETY: exactly the range mapped in `new`; no borrow of the words outlives this value.
        let unmapped = unsafe { munmap(self.first.cast(), self.count * 8) };
        debug_assert!(unmapped.is_ok());
    }
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
