//! The limit of lanes and ring: lines of 64 bytes in a file of shared memory, taken as fast as they come, for the Java
//! benchmark of rings, in a process of its own.
//!
//! It prints `region PATH`, then serves a line of standard input each: `stream COUNT`. It says `ready`, polls the header of each
//! line, adds up the four words behind it, zeroes the headers of what it took, and stores how far it is; at the end it stores the
//! sum. It believes what it finds: no lengths, no kinds, no producers, no sleep. Left out, beside all that a ring is for:
//! records that need more than a line.

use std::fs::{File, OpenOptions};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap};

use crate::rings::{pin, say};

/// The same size as all rings.
const RING_BYTES: usize = 1 << 20;
const LINE_BYTES: usize = 64;
const LINE_WORDS: usize = LINE_BYTES / 8;
/// Where the words are that both sides see, and the lines behind them; bytes.
const AT_HEAD: usize = 128;
const AT_DONE: usize = 384;
const AT_SUM: usize = 392;
const AT_LINES: usize = 4_096;
/// Lines taken in one turn, and pauses after a look that brought nothing, as of the engine while records stream in.
const TURN_LINES_MAX: u64 = 512;
const PAUSES: u32 = 64;
/// Looks that brought nothing before it asks whether the benchmark is still there: some seconds.
const LOOKS_ALONE: u64 = 1 << 23;

/// Serves trials until standard input ends; pinned to `core`.
pub(crate) fn serve(folder: &str, core: usize) {
    pin(core);
    let file = Removed(Path::new(folder).join(format!("lodestone-stream-{}", std::process::id())));
    let words = map(&file.0);
    say(&format!("region {}", file.0.display()));
    let mut position = 0;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input can be read");
        let count = line
            .strip_prefix("stream ")
            .and_then(|count| count.parse().ok());
        let count = count.unwrap_or_else(|| panic!("no trial: {line}"));
        say("ready");
        position = take(words, position, count);
    }
}

/// A file that goes when this value does.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        // Gone already: as well.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn create(path: &Path) -> File {
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .expect("the folder can be written");
    file.set_len((AT_LINES + RING_BYTES) as u64)
        .expect("memory for the file");
    file
}

fn map(path: &Path) -> &'static [AtomicU64] {
    let (file, bytes) = (create(path), AT_LINES + RING_BYTES);
    let (access, flags) = (
        ProtFlags::READ | ProtFlags::WRITE,
        MapFlags::SHARED | MapFlags::POPULATE,
    );
    // SAFETY: with no address asked for, the system gives a range that nobody else uses.
    let first = unsafe { mmap(std::ptr::null_mut(), bytes, access, flags, &file, 0) }
        .expect("the file can be mapped");
    // SAFETY: the range was mapped just above, begins on a page, holds this many words and is never unmapped; both processes
    // use them as atomics.
    unsafe { std::slice::from_raw_parts(first.cast::<AtomicU64>(), bytes / 8) }
}

fn take(words: &[AtomicU64], first: u64, count: u64) -> u64 {
    let parent = std::os::unix::process::parent_id();
    let lines = &words[AT_LINES / 8..];
    let line = |position: u64| &lines[(position as usize & (RING_BYTES - 1)) / 8..][..LINE_WORDS];
    let (end, mut position, mut sum, mut looks) =
        (first + count * LINE_BYTES as u64, first, 0_u64, 0_u64);
    while position < end {
        let (begin, turn_end) = (
            position,
            end.min(position + TURN_LINES_MAX * LINE_BYTES as u64),
        );
        while position < turn_end && line(position)[0].load(Ordering::Acquire) != 0 {
            let words = line(position);
            sum = (1..=4).fold(sum, |sum, word: usize| {
                sum.wrapping_add(words[word].load(Ordering::Relaxed))
            });
            position += LINE_BYTES as u64;
        }
        for taken in (begin..position).step_by(LINE_BYTES) {
            line(taken)[0].store(0, Ordering::Relaxed);
        }
        words[AT_HEAD / 8].store(position, Ordering::Release);
        if position == begin {
            (0..PAUSES).for_each(|_| std::hint::spin_loop());
            looks += 1;
            assert!(
                !looks.is_multiple_of(LOOKS_ALONE) || std::os::unix::process::parent_id() == parent,
                "the benchmark that started this is gone"
            );
        }
    }
    words[AT_SUM / 8].store(sum, Ordering::Relaxed);
    words[AT_DONE / 8].store(position, Ordering::Release);
    position
}
