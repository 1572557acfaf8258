use std::fmt::Write;
use std::thread;

use super::*;
use crate::mapping::Mapping;

fn ring(cells: usize) -> LogRing {
    let bytes = LOG_HEAD_BYTES + cells * LOG_CELL_BYTES;
    LogRing::new(Mapping::anonymous(bytes, false).unwrap().words(0, bytes / 8))
}

fn record(number: u32, message: &str) -> LogRecord {
    let mut record = LogRecord::new(LogLevel::Warn, 7, "lodestone_memory::log");
    (record.session, record.thread) = (number, 11);
    record.thread_name.push("worker");
    record.message.push(message);
    record
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let ring = ring(4);
    let mut reader = ring.reader(0);
    assert_eq!(reader.poll(), None);
    assert!(ring.write(&record(5, "héllo")));
    let view = reader.poll().unwrap();
    let expected = LogView {
        position: 0,
        unix_us: 7,
        level: 2,
        is_cut: false,
        session: 5,
        thread: 11,
        thread_name: "worker".to_owned(),
        target: "lodestone_memory::log".to_owned(),
        message: "héllo".to_owned(),
    };
    assert_eq!(view, expected);
    assert_eq!((reader.poll(), reader.position(), reader.missed()), (None, 1, 0));
}

#[test]
fn what_is_too_long_is_cut_at_a_character_and_marked() {
    for (letter, kept) in [("x", 397), ("é", 198), ("\u{1f600}", 99)] {
        let ring = ring(1);
        assert!(ring.write(&record(1, &letter.repeat(500))));
        let view = ring.reader(0).poll().unwrap();
        assert!(view.is_cut);
        assert_eq!(view.message, format!("{}…", letter.repeat(kept)));
        assert!(view.message.len() <= LOG_MESSAGE_BYTES);
    }
    let exact = LogText::<LOG_MESSAGE_BYTES>::of(&"x".repeat(LOG_MESSAGE_BYTES));
    assert!(!exact.is_cut());
    assert_eq!(exact.as_str().len(), LOG_MESSAGE_BYTES);
    let mut name = LogText::<LOG_THREAD_BYTES>::default();
    write!(name, "a-thread-with-a-long-name-{}", 7).unwrap();
    assert_eq!(name.as_str(), "a-thread-with…");
}

#[test]
fn nobody_breaks_the_line() {
    let text = LogText::<LOG_MESSAGE_BYTES>::of("a\nb\u{1b}[31mc\r\u{9b}d\0");
    assert_eq!(text.as_str(), "a b [31mc  d ");
}

#[test]
fn a_flood_is_told_a_few_times_a_second_with_what_was_held_back() {
    let limit = LogLimit::default();
    let passed: Vec<u64> = (0..100).filter_map(|_| limit.pass(5_999)).collect();
    assert_eq!(passed, [0; 5]);
    assert_eq!((limit.pass(6_000), limit.pass(6_001)), (Some(95), Some(0)));
}

#[test]
fn a_reader_that_is_late_goes_on_with_what_is_left_and_counts() {
    let ring = ring(32);
    let mut reader = ring.reader(0);
    for number in 0..100 {
        assert!(ring.write(&record(number, "")));
    }
    let mut seen: Vec<u64> = Vec::new();
    while let Some(view) = reader.poll() {
        assert_eq!(u64::from(view.session), view.position);
        seen.push(view.position);
    }
    assert_eq!((seen.last(), reader.missed() + seen.len() as u64), (Some(&99), 100));
    assert!(seen.len() > 24, "{seen:?}");
}

#[test]
fn a_writer_that_stands_still_for_a_lap_is_not_written_over() {
    let ring = ring(2);
    // The steps of a writer that claimed and lost its processor.
    let held = ring.claim().unwrap();
    assert!(ring.write(&record(1, "behind it")));
    assert!(!ring.write(&record(2, "in its cell")), "the cell belongs to somebody");
    assert_eq!((held, ring.tail()), (0, 2));
    let mut reader = ring.reader(1);
    assert_eq!(reader.poll().unwrap().message, "behind it");
    ring.cell(held)[0].store(held + 1, Ordering::Release);
    assert!(ring.write(&record(3, "after it")));
    assert_eq!(reader.poll().unwrap().message, "after it");
}

#[test]
fn who_forwards_is_waited_for_until_all_is_taken() {
    let ring = ring(4);
    assert!(ring.write(&record(1, "")));
    assert!(!ring.is_behind(), "nobody forwards");
    ring.tell_taken(0);
    assert!(ring.is_behind());
    ring.tell_taken(1);
    assert!(!ring.is_behind());
    ring.tell_taken(0);
    ring.tell_nobody_takes();
    assert!(!ring.is_behind());
}

#[test]
fn a_storm_of_many_writers_is_read_whole_and_every_record_is_accounted_for() {
    const WRITERS: u32 = 4;
    const RECORDS: u32 = 20_000;
    let ring = ring(64);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            thread::spawn(move || {
                (0..RECORDS)
                    .filter(|number| ring.write(&record(writer << 24 | number, &format!("{writer} {number}"))))
                    .count()
            })
        })
        .collect();
    let mut reader = ring.reader(0);
    let (mut read, mut last) = (0, [None; WRITERS as usize]);
    let mut take = |reader: &mut LogReader| {
        while let Some(view) = reader.poll() {
            let (writer, number) = (view.session >> 24, view.session & 0xff_ffff);
            assert_eq!(view.message, format!("{writer} {number}"));
            assert!(last[writer as usize].is_none_or(|before| before < number), "{view:?} after {last:?}");
            last[writer as usize] = Some(number);
            read += 1;
        }
    };
    while !writers.iter().all(thread::JoinHandle::is_finished) {
        take(&mut reader);
    }
    let written: usize = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
    take(&mut reader);
    assert_eq!((ring.tail(), read + reader.missed()), (written as u64, written as u64));
}
