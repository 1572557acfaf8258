//! What a real engine tells in its log ring.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lodestone_memory::CounterId;
use lodestone_memory::log::{LogLevel, LogRecord};
use lodestone_runtime::{Engine, LogView};
use support::{counter, open, submit};

const STALL: Duration = Duration::from_secs(180);

fn records(engine: &Engine) -> Vec<LogView> {
    let mut reader = engine.log().reader(0);
    std::iter::from_fn(|| reader.poll()).collect()
}

fn find(engine: &Engine, text: &str) -> LogView {
    let all = records(engine);
    all.iter().find(|view| view.message.starts_with(text)).unwrap_or_else(|| panic!("no {text:?} in {all:#?}")).clone()
}

#[test]
fn what_an_operator_asks_is_told_and_moves_are_not() {
    let engine = open(100, 100, "");
    let listening = find(&engine, "listening");
    assert!(listening.message.contains(&engine.description().address.to_string()), "{listening:?}");
    assert_eq!((listening.level, listening.target.as_str()), (3, "transport::server"));
    let sha256: String = engine.description().fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(find(&engine, "certificate made").message, format!("certificate made sha256={sha256}"));
    assert!(find(&engine, "engine open").message.contains("region=anonymous"));
    assert!(find(&engine, "configuration").message.contains("nodes_max=100 edges_max=100"));

    let before = records(&engine).len();
    let revision = engine.revision();
    for _ in 0..50 {
        submit(&engine, &[(1, 2, 5), (2, 3, 6), (1, 200, 6)]);
    }
    assert_eq!(records(&engine).len(), before, "a move is no news");
    engine.rollback(revision).unwrap();
    let rolled_back = find(&engine, "rolled back");
    assert!(rolled_back.message.contains(&format!(" to={revision} branch=1 ")), "{rolled_back:?}");
    assert!(rolled_back.thread_name.ends_with("-eng") && rolled_back.thread != 0, "{rolled_back:?}");
    engine.put_arcs(&[5, 6, 1]).unwrap();
    assert!(find(&engine, "loaded").message.contains("arcs=1"));
    assert_eq!(counter(&engine, CounterId::LogRecords), records(&engine).len() as u64);
    assert_eq!(counter(&engine, CounterId::LogRecordsLost), 0);
}

#[test]
fn the_level_is_the_least_that_is_told() {
    let quiet = open(100, 100, "log.level=off\n");
    let warnings = open(100, 100, "log.level=warn\n");
    for engine in [&quiet, &warnings] {
        let revision = engine.revision();
        submit(engine, &[(1, 2, 5)]);
        engine.rollback(revision).unwrap();
        assert_eq!(records(engine), []);
    }
}

#[test]
fn a_failure_is_told_with_its_place() {
    let engine = open(100, 100, "testing.panic_at_revision=1\n");
    let packet = [1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let moves = [lodestone_runtime::LocalMove { kind: lodestone_runtime::LocalKind::Move, packet: &packet }];
    engine.submit(&moves, 0).unwrap_err();
    let failed = find(&engine, "the engine failed");
    assert_eq!(failed.level, LogLevel::Error as u8);
    assert!(
        failed.message.contains("writer.rs:") && failed.message.contains("testing.panic_at_revision"),
        "{failed:?}"
    );
}

#[test]
fn a_full_graph_is_told_once() {
    let engine = open(100, 2, "");
    for target in 1..50 {
        submit(&engine, &[(0, target, 0x1_0001)]);
    }
    let told = records(&engine).into_iter().filter(|view| view.message.starts_with("the graph has no room")).count();
    assert_eq!(told, 1);
    let full = find(&engine, "the graph has no room");
    assert_eq!((full.level, full.target.as_str()), (LogLevel::Warn as u8, "runtime::writer"));
    assert!(full.message.ends_with(" edges=2"), "{full:?}");
}

#[test]
fn loads_that_failed_are_told_with_what_was_set() {
    let engine = open(100, 10, "");
    let errors = [
        engine.put_arcs(&[1, 2, 7, 5, 5, 1]).unwrap_err(),
        engine.load_map(std::path::Path::new("/nonexistent/graph.arcs")).unwrap_err(),
        engine.begin_load(Some(11)).err().unwrap(),
    ];
    for (error, arcs_set) in errors.iter().zip([1, 0, 0]) {
        let failed = find(&engine, &format!("a load failed: {error}"));
        assert_eq!((failed.level, failed.target.as_str()), (LogLevel::Warn as u8, "runtime::load"));
        assert!(failed.message.ends_with(&format!(" arcs_set={arcs_set}")), "{failed:?}");
    }
}

#[test]
fn a_dead_producer_is_told() {
    use lodestone_memory::rings::{ProcessIdentity, Registration};
    let engine = open(100, 100, "");
    // A process that ended before it registered is as dead as one that was killed after.
    let own = ProcessIdentity::own().unwrap();
    let process = ProcessIdentity { start_ticks: own.start_ticks ^ 1, ..own };
    std::mem::forget(engine.bridge().register(&Registration { process, tenant: 0, lane: true, unix_ms: 1 }).unwrap());
    let begun = Instant::now();
    while counter(&engine, CounterId::ProducersDied) == 0 {
        assert!(begun.elapsed() < STALL, "nobody finds it dead");
        thread::sleep(Duration::from_millis(1));
    }
    // The counter is set before the record is written.
    while records(&engine).iter().all(|view| !view.message.contains("died=1")) {
        assert!(begun.elapsed() < STALL, "nobody tells: {:?}", records(&engine));
        thread::sleep(Duration::from_millis(1));
    }
}

/// The engine decides as before while four threads write as fast as they can, and no record is unaccounted for.
#[test]
fn a_storm_of_records_stops_nobody() {
    let engine = open(1_000, 10_000, "log.ring_kib=16\n");
    let (log, first) = (engine.log(), engine.log().tail());
    let ending = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4_u32)
        .map(|writer| {
            let ending = Arc::clone(&ending);
            thread::spawn(move || {
                let (mut number, mut written) = (0_u32, 0_u64);
                while !ending.load(Ordering::Relaxed) {
                    let mut record = LogRecord::new(LogLevel::Info, u64::from(number), "storm");
                    record.session = writer << 24 | number & 0xff_ffff;
                    record.message.push(&format!("{} of {writer}", number & 0xff_ffff));
                    written += u64::from(log.write(&record));
                    number += 1;
                }
                written
            })
        })
        .collect();
    let mut reader = log.reader(first);
    let mut read = 0;
    let mut look = |reader: &mut lodestone_runtime::LogReader| {
        let view = reader.poll();
        if let Some(view) = view.as_ref().filter(|view| view.target == "storm") {
            assert_eq!(view.message, format!("{} of {}", view.session & 0xff_ffff, view.session >> 24));
        }
        read += u64::from(view.is_some());
        view.is_some()
    };
    let before = engine.revision();
    for round in 0..500_u32 {
        let decisions = submit(&engine, &[(round % 1_000, (round + 1) % 1_000, 3)]);
        assert_eq!(decisions[0].status, lodestone_runtime::Status::Ok);
        if round % 50 == 0 {
            engine.rollback(engine.revision()).unwrap();
            // One step of a slow reader: it is overtaken all the time.
            look(&mut reader);
        }
    }
    ending.store(true, Ordering::Relaxed);
    let written: u64 = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
    while look(&mut reader) {}
    assert_eq!(engine.revision(), before + 500);
    assert!(log.tail() >= first + written);
    assert_eq!((reader.position(), read + reader.missed()), (log.tail(), log.tail() - first));
    assert!(reader.missed() > 0, "a ring of 32 records held {written}");
}

/// The last record that somebody who forwards has got by the end of the engine's close.
fn last_forwarded() -> String {
    let engine = open(100, 100, "");
    let (log, ended) = (engine.log(), Arc::new(AtomicBool::new(false)));
    log.tell_taken(0);
    let ending = Arc::clone(&ended);
    let forwarder = thread::spawn(move || {
        let mut reader = log.reader(0);
        let mut last = String::new();
        while !ending.load(Ordering::Relaxed) {
            while let Some(view) = reader.poll() {
                last = view.message.split(" revision=").next().unwrap_or_default().to_owned();
                log.tell_taken(reader.position());
            }
            thread::sleep(Duration::from_millis(1));
        }
        last
    });
    engine.close();
    ended.store(true, Ordering::Relaxed);
    forwarder.join().unwrap()
}

#[test]
fn who_forwards_gets_the_last_record_before_the_region_goes() {
    // The close waits half a second and no longer: on a busy machine this thread may be kept from the processor for that.
    let last: Vec<String> = (0..10).map(|_| last_forwarded()).take_while(|last| last != "closed").collect();
    assert!(last.len() < 10, "the last records were {last:?}");
}
