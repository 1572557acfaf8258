//! Copying a packet into a bump page, beside asking the system's allocator for as many bytes.

use std::hint::black_box;
use std::time::Instant;

use lodestone_memory::page::PAGE_BYTES;
use lodestone_memory::{PAGE_RECORDS_MAX, PagePool};

use crate::Scale;
use crate::figures::{Figures, nanoseconds, record};
use crate::world::{PACKET_BYTES, head};

pub(crate) fn measure(scale: &Scale, figures: &mut Figures) {
    let pool = PagePool::new(64 * PAGE_BYTES, true).expect("memory for the pages");
    for round in 0..scale.rounds {
        eprintln!("  bump pages: round {} of {}", round + 1, scale.rounds);
        clock(scale, figures);
        pages(scale, &pool, figures);
        allocator(scale, figures);
    }
}

/// What the clock itself shows when nothing is between its two readings: part of every figure below.
fn clock(scale: &Scale, figures: &mut Figures) {
    let mut histogram = nanoseconds();
    for _ in 0..scale.moves {
        let start = Instant::now();
        record(&mut histogram, start.elapsed().as_nanos() as u64);
    }
    figures.add_percentiles("page.clock", &histogram);
}

/// Each push timed alone; the one that needs a new page takes it, the one before it gives the full page back.
fn pages(scale: &Scale, pool: &PagePool, figures: &mut Figures) {
    let (mut histogram, packet) = (nanoseconds(), [7; PACKET_BYTES]);
    let mut page = None;
    for counter in 0..scale.moves {
        let start = Instant::now();
        if counter.is_multiple_of(PAGE_RECORDS_MAX as u64) {
            drop(page.take());
            page = pool.try_take();
        }
        let into = page.as_mut().expect("one page at a time is out");
        into.push(head(counter), black_box(&packet))
            .expect("128 packets of 64 bytes fit a page");
        record(&mut histogram, start.elapsed().as_nanos() as u64);
    }
    figures.add_percentiles("page.push", &histogram);
}

/// The same with a buffer of its own for each packet, 128 alive at a time and let go together.
fn allocator(scale: &Scale, figures: &mut Figures) {
    let (mut histogram, packet) = (nanoseconds(), [7_u8; PACKET_BYTES]);
    let mut kept = Vec::with_capacity(PAGE_RECORDS_MAX);
    for counter in 0..scale.moves {
        let start = Instant::now();
        if counter.is_multiple_of(PAGE_RECORDS_MAX as u64) {
            kept.clear();
        }
        kept.push((head(counter), black_box(&packet).to_vec()));
        record(&mut histogram, start.elapsed().as_nanos() as u64);
    }
    figures.add_percentiles("page.allocator", &histogram);
}
