//! Every order of steps that the memory model allows, for a ring of one or two cells, two writers and a reader.
//!
//! Changed by hand, one at a time, each of these was seen to fail a model. Of a writer: its mark of the cell left out, its release
//! fence left out, its last store relaxed; its look at the cell before it claims, relaxed (all three models) or left out. Of a
//! reader: its first look relaxed, its acquire fence left out, its second look left out. All but the claim's are found by the
//! model of one cell alone, where a reader is overtaken. The tail itself and what is told of forwarding are relaxed as they are.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::{CELL_WORDS, LogLevel, LogRecord, LogRing};
use crate::sync::AtomicU64;

fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    // As in the models of the rings: more switches find nothing new and take hours.
    builder.preemption_bound = Some(3);
    builder.check(body);
}

fn ring(cells: usize) -> LogRing {
    let words: &'static [AtomicU64] = Box::leak((0..2 + cells * CELL_WORDS).map(|_| AtomicU64::new(0)).collect());
    LogRing::over(&words[0], &words[1], &words[2..])
}

/// A record whose words all tell which one it is.
fn record(number: u32) -> LogRecord {
    let mut record = LogRecord::new(LogLevel::Info, u64::from(number), "");
    record.session = number;
    record.message.push(&format!("{number:08}"));
    record
}

#[test]
fn log_records_of_two_writers_are_read_whole_and_once() {
    model(|| {
        let ring = ring(2);
        let writers: Vec<_> = (1..=2).map(|number| thread::spawn(move || ring.write(&record(number)))).collect();
        let mut reader = ring.reader(0);
        let mut seen = [0_u32; 3];
        let mut take = |reader: &mut super::LogReader| {
            while let Some(view) = reader.poll() {
                assert_eq!((view.unix_us, view.message), (view.session.into(), format!("{:08}", view.session)));
                seen[view.session as usize] += 1;
            }
        };
        take(&mut reader);
        for writer in writers {
            assert!(writer.join().unwrap(), "there was room for both");
        }
        take(&mut reader);
        assert_eq!((seen, reader.missed()), ([0, 1, 1], 0));
    });
}

#[test]
fn log_records_that_meet_in_one_cell_are_dropped_or_missed_and_never_torn() {
    model(|| {
        let ring = ring(1);
        let other = thread::spawn(move || u64::from(ring.write(&record(1))));
        let mut reader = ring.reader(0);
        let mut written = u64::from(ring.write(&record(2)));
        let mut read = 0;
        let mut take = |reader: &mut super::LogReader| {
            while let Some(view) = reader.poll() {
                assert_eq!((view.unix_us, view.message), (view.session.into(), format!("{:08}", view.session)));
                read += 1;
            }
        };
        take(&mut reader);
        written += other.join().unwrap();
        take(&mut reader);
        assert!(written >= 1);
        assert_eq!((ring.tail(), read + reader.missed()), (written, written));
    });
}

/// What the writer of a cell has for itself. Loom keeps book of who touches it, and fails where nothing orders two of them.
struct Owned(UnsafeCell<()>);

// SAFETY: nothing is stored in it; whether its uses are ordered is what the model asks.
unsafe impl Sync for Owned {}

/// The words of a cell are stored in the order of loom's own steps, so a model of reads cannot see that one writer's stores may
/// still be on their way when the next one begins. This one asks for the order itself.
#[test]
fn a_log_cell_passes_from_one_writer_to_the_next() {
    model(|| {
        let (ring, owned) = (ring(1), Arc::new(Owned(UnsafeCell::new(()))));
        let write = move |owned: Arc<Owned>, number| {
            if let Some(position) = ring.claim() {
                owned.0.with_mut(|_| ());
                ring.fill(position, &record(number));
            }
        };
        let others = Arc::clone(&owned);
        let other = thread::spawn(move || write(others, 1));
        write(owned, 2);
        other.join().unwrap();
        assert!((1..=2).contains(&ring.tail()));
    });
}
