//! An engine opened for real: calls, failures, closing.

use std::sync::Arc;
use std::thread;

use lodestone_runtime::{Engine, EngineError, LocalDecision, LocalKind, LocalMove, Status};

const SMALL: &str = "transport.listen=127.0.0.1:0\nruntime.shared_region=anonymous\narena.capacity=64\ngraph.nodes_max=1000\n\
                     graph.edges_max=2000\nrollback.window_mib=1\narena.bump_mib=1\narena.preallocate=false\n";

fn open(more: &str) -> Engine {
    Engine::open(&format!("{SMALL}{more}"), 1).unwrap()
}

fn packet(source: u32, target: u32, mask: u32, version: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [source, target, mask] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&(payload.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn submit(engine: &Engine, moves: &[(u32, u32, u32)]) -> Result<Vec<LocalDecision>, EngineError> {
    let packets: Vec<Vec<u8>> =
        moves.iter().map(|(source, target, mask)| packet(*source, *target, *mask, 0, b"")).collect();
    let moves: Vec<LocalMove> = packets.iter().map(|packet| LocalMove { kind: LocalKind::Move, packet }).collect();
    engine.submit(&moves, 0)
}

#[test]
fn moves_are_decided_in_order_routes_follow_and_a_rollback_restores() {
    for place in ["graph.pathfinder=thread\n", "graph.pathfinder=inline\n"] {
        moves_routes_and_a_rollback(&open(place));
    }
}

fn moves_routes_and_a_rollback(engine: &Engine) {
    let decisions = submit(engine, &[(1, 2, 5), (2, 3, 6), (1, 1, 5), (1, 3, 12)]).unwrap();
    let statuses: Vec<Status> = decisions.iter().map(|decision| decision.status).collect();
    assert_eq!(statuses, [Status::Ok, Status::Ok, Status::OutOfBounds, Status::Ok]);
    let revision = engine.revision();
    let route = engine.route(1, 3).unwrap();
    assert_eq!((route.distance, route.nodes, route.revision), (11, vec![1, 2, 3], revision));
    let hash = engine.hash(None).unwrap();
    assert_eq!(engine.verify_hash().unwrap(), hash);
    submit(engine, &[(1, 2, 0), (4, 5, 1)]).unwrap();
    assert_eq!(engine.route(1, 3).unwrap().distance, 12);
    let (report, _, _) = engine.rollback(revision).unwrap();
    assert_eq!((report.to_revision, report.hash, report.branch), (revision, hash.hash, 1));
    assert_eq!(engine.verify_hash().unwrap(), hash);
    assert_eq!(engine.route(1, 3).unwrap().distance, 11);
    assert_eq!(engine.rollback(revision + 1).unwrap_err(), EngineError::Refused(Status::OutOfWindow));
    assert_eq!(engine.route(1, 1_000).unwrap_err(), EngineError::Refused(Status::OutOfBounds));
}

#[test]
fn large_submissions_span_pages_and_stay_in_order() {
    let engine = open("");
    let packets: Vec<Vec<u8>> = (0..128_u64).map(|version| packet(7, 8, 1, version, &[9; 232])).collect();
    let moves: Vec<LocalMove> = packets.iter().map(|packet| LocalMove { kind: LocalKind::Move, packet }).collect();
    let decisions = engine.submit(&moves, 0).unwrap();
    assert_eq!(decisions.len(), 128);
    assert!(decisions.iter().all(|decision| decision.status == Status::Ok), "{decisions:?}");
}

#[test]
fn many_threads_may_call_at_once_and_none_is_lost() {
    for place in ["graph.pathfinder=thread\n", "graph.pathfinder=inline\n"] {
        many_threads_call(&Arc::new(open(place)));
    }
}

fn many_threads_call(engine: &Arc<Engine>) {
    let threads: Vec<_> = (0..8_u32)
        .map(|thread| {
            let engine = Arc::clone(engine);
            thread::spawn(move || {
                for round in 0..200 {
                    let decisions = submit(&engine, &[(thread, 100 + round, 1), (thread + 20, thread, 2)]).unwrap();
                    assert!(decisions.iter().all(|decision| decision.status == Status::Ok));
                    engine.route(thread, 100 + round).unwrap();
                    engine.hash(None).unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let hash = engine.hash(None).unwrap();
    assert_eq!(engine.verify_hash().unwrap(), hash);
}

#[test]
fn after_close_every_call_says_closed_and_the_region_reads_zero() {
    let engine = open("");
    submit(&engine, &[(1, 2, 3)]).unwrap();
    engine.close();
    engine.close();
    assert_eq!(submit(&engine, &[(1, 2, 3)]).unwrap_err(), EngineError::Closed);
    assert_eq!(engine.route(1, 2).unwrap_err(), EngineError::Closed);
    assert_eq!(engine.hash(None).unwrap_err(), EngineError::Closed);
    assert_eq!(engine.put_arcs(&[1, 2, 3]).unwrap_err(), EngineError::Closed);
    assert_eq!(engine.close_session(1).unwrap_err(), EngineError::Closed);
    assert_eq!(engine.revision(), 0);
}

#[test]
fn closing_while_others_call_fails_them_cleanly() {
    let engine = Arc::new(open(""));
    let caller = Arc::clone(&engine);
    let calls = thread::spawn(move || {
        let mut accepted = 0;
        loop {
            match submit(&caller, &[(1, 2, 3)]) {
                Ok(_) => accepted += 1,
                Err(error) => return (accepted, error),
            }
        }
    });
    while engine.revision() < 100 {
        thread::yield_now();
    }
    engine.close();
    let (accepted, error) = calls.join().unwrap();
    assert!(accepted >= 99);
    assert_eq!(error, EngineError::Closed);
}

#[test]
fn a_failing_engine_is_frozen_and_says_where_it_failed() {
    let engine = open("testing.panic_at_revision=3\n");
    submit(&engine, &[(1, 2, 3)]).unwrap();
    submit(&engine, &[(1, 2, 4)]).unwrap();
    let error = submit(&engine, &[(1, 2, 5)]).unwrap_err();
    assert!(matches!(&error, EngineError::Poisoned(text) if text.contains("writer.rs:")), "{error}");
    assert!(matches!(engine.route(1, 2).unwrap_err(), EngineError::Poisoned(_)));
    assert_eq!(engine.revision(), 2, "the published state stays readable");
    engine.close();
    assert_eq!(engine.route(1, 2).unwrap_err(), EngineError::Closed);
}

#[test]
fn what_cannot_start_says_why_and_leaves_nothing_behind() {
    let engine = open("");
    let address = engine.description().address;
    let config = SMALL.replace("127.0.0.1:0", &address.to_string());
    let error = Engine::open(&config, 1).err().unwrap();
    assert!(matches!(&error, EngineError::Bind(text) if text.contains(&address.to_string())), "{error}");
    let missing =
        "transport.certificate.certificate_file=/nonexistent/a.pem\ntransport.certificate.key_file=/nonexistent/b.pem";
    let error = Engine::open(&format!("{SMALL}{missing}"), 1).err().unwrap();
    assert!(matches!(&error, EngineError::Certificate(text) if text.contains("/nonexistent/a.pem")), "{error}");
    let config = SMALL.replace("runtime.shared_region=anonymous", "runtime.shared_region_directory=/nonexistent");
    let error = Engine::open(&config, 1).err().unwrap();
    assert!(matches!(&error, EngineError::Io(text) if text.contains("/nonexistent")), "{error}");
}

#[test]
fn a_core_that_does_not_exist_is_refused() {
    let error = Engine::open(&format!("{SMALL}runtime.pin_cores.0=1023"), 1).err().unwrap();
    assert!(matches!(&error, EngineError::Config { key, .. } if key == "runtime.pin_cores.0"), "{error}");
    let engine = open("runtime.pin_cores.0=0\n");
    submit(&engine, &[(1, 2, 3)]).unwrap();
}

#[test]
fn loads_say_what_size_would_do() {
    let engine = open("");
    let report = engine.put_arcs(&[1, 2, 7, 2, 3, 7]).unwrap();
    assert_eq!((report.arcs, report.edges), (2, 2));
    assert_eq!(engine.put_arcs(&[]).unwrap().arcs, 0);
    let many: Vec<u32> = (0..2_001).flat_map(|index| [index % 999, index % 999 + 1, 1]).collect();
    let error = engine.put_arcs(&many).unwrap_err();
    assert!(matches!(&error, EngineError::GraphFull(text) if text.contains("2001")), "{error}");
    let error = engine.put_arcs(&[1, 2, 7, 5, 5, 1]).unwrap_err();
    assert!(matches!(&error, EngineError::InvalidArgument(text) if text.contains("arc 1")), "{error}");
    let error = engine.load_map(std::path::Path::new("/nonexistent/map.lsg")).unwrap_err();
    assert!(matches!(&error, EngineError::Io(text) if text.contains("/nonexistent/map.lsg")), "{error}");
    let map = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/andorra.lsg");
    let error = engine.load_map(&map).unwrap_err();
    assert!(error.to_string().contains("graph.edges_max") || error.to_string().contains("graph.nodes_max"), "{error}");
}
