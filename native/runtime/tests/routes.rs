//! Routes asked by threads of this process: batches at one revision, giving up, and both places of the pathfinder.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lodestone_memory::CounterId;
use lodestone_runtime::{Engine, EngineError, ROUTES_MAX, Status};
use support::{PLACES, counter, open, submit, two_chains};

const LONG: Duration = Duration::from_secs(120);
/// Nodes of the chains for routes that take long: 128 of them settle 38 million vertices, which takes longer than this thread
/// is likely to be kept from the processor.
const CHAIN_NODES: u32 = 300_000;

fn open_chains(place: &str) -> Engine {
    let engine = open(CHAIN_NODES, CHAIN_NODES, &format!("{place}graph.route_budget=1000000\n"));
    two_chains(&engine, CHAIN_NODES);
    engine
}

fn long_question() -> Vec<(u32, u32)> {
    vec![(0, CHAIN_NODES - 1); ROUTES_MAX]
}

/// Waits until the counter has the value, which another thread brings about.
fn until(engine: &Engine, id: CounterId, value: u64) {
    let start = Instant::now();
    while counter(engine, id) < value {
        assert!(start.elapsed() < LONG, "{id:?} stays at {} instead of {value}", counter(engine, id));
        thread::yield_now();
    }
}

#[test]
fn a_batch_answers_each_pair_and_all_at_one_revision() {
    for place in PLACES {
        let engine = open(1_000, 1_000, &format!("{place}graph.route_budget=12\n"));
        submit(&engine, &[(1, 2, 5), (2, 3, 6), (1, 3, 12), (10, 11, 1)]);
        let arcs: Vec<u32> = (100..200).flat_map(|node| [node, node + 1, 1]).collect();
        engine.put_arcs(&arcs).unwrap();
        let pairs = [(1, 3), (3, 1), (7, 7), (1, 1_000), (u32::MAX, 1), (100, 200), (10, 11)];
        let batch = engine.routes(&pairs, 2, LONG).unwrap();
        assert_eq!(batch.revision, engine.revision());
        let found: Vec<_> = batch
            .routes
            .iter()
            .map(|route| route.as_ref().map(|route| (route.distance, route.nodes_total, route.nodes.clone())))
            .collect();
        let expected = [
            Ok((11, 3, vec![1, 2])),
            Ok((u64::MAX, 0, vec![])),
            Ok((0, 1, vec![7])),
            Err(&Status::OutOfBounds),
            Err(&Status::OutOfBounds),
            Err(&Status::Budget),
            Ok((1, 2, vec![10, 11])),
        ];
        assert_eq!(found, expected, "{place}");
        assert!(batch.routes.iter().flatten().all(|route| route.revision == batch.revision));
        assert_eq!((counter(&engine, CounterId::Routes), counter(&engine, CounterId::RoutesOverBudget)), (4, 1));
        assert_eq!(engine.routes(&[], 2, LONG).unwrap().routes, []);
        assert_eq!(engine.route(1, 3).unwrap().nodes, [1, 2, 3]);
        let many = vec![(1, 3); ROUTES_MAX + 1];
        let error = engine.routes(&many, 2, LONG).unwrap_err();
        assert!(matches!(&error, EngineError::InvalidArgument(text) if text.contains("129 routes")), "{error}");
        assert_eq!(engine.routes(&many[1..], 2, LONG).unwrap().routes.len(), ROUTES_MAX);
    }
}

#[test]
fn no_batch_mixes_revisions_while_moves_and_rollbacks_go_on() {
    for place in PLACES {
        let engine = Arc::new(open(100, 100, place));
        submit(&engine, &[(1, 2, 0x1_0000)]);
        let first = engine.revision();
        let done = Arc::new(AtomicBool::new(false));
        let mover = {
            let (engine, done) = (Arc::clone(&engine), Arc::clone(&done));
            thread::spawn(move || {
                let mut round = 0_u32;
                while !done.load(Ordering::Relaxed) {
                    round += 1;
                    // One revision a submission; the weight tells the revision, also after a rollback.
                    let weight = (engine.revision() + 1 - first) as u32 % 256;
                    submit(&engine, &[(1, 2, 0x1_0000 | weight)]);
                    if round.is_multiple_of(50) {
                        engine.rollback(engine.revision() - 20).unwrap();
                    }
                }
            })
        };
        let pairs = vec![(1, 2); ROUTES_MAX];
        let (mut revisions, start) = (BTreeSet::new(), Instant::now());
        while revisions.len() < 50 {
            assert!(start.elapsed() < LONG, "{place}: moves do not go on, {} revisions were seen", revisions.len());
            let batch = engine.routes(&pairs, 8, LONG).unwrap();
            let expected = (batch.revision - first) % 256;
            for route in &batch.routes {
                let route = route.as_ref().unwrap();
                assert_eq!((route.distance, route.revision), (expected, batch.revision), "{place}");
            }
            revisions.insert(batch.revision);
        }
        done.store(true, Ordering::Relaxed);
        mover.join().unwrap();
    }
}

#[test]
fn a_question_that_is_dropped_is_not_searched_to_the_end() {
    for place in PLACES {
        let engine = open_chains(place);
        let pending = engine.ask_routes(&long_question(), 8).unwrap();
        assert_eq!(engine.await_routes(&pending, Duration::ZERO).unwrap(), None, "{place}");
        let behind = engine.ask_routes(&[(0, 2)], 8).unwrap();
        drop(pending);
        let answer = engine.await_routes(&behind, LONG).unwrap().unwrap();
        assert_eq!(answer.routes[0].as_ref().unwrap().nodes, [0, 2]);
        // Answered or cancelled, each is counted once; so many cannot have been found before the drop.
        until(&engine, CounterId::RoutesCancelled, 1);
        let (found, cancelled) = (counter(&engine, CounterId::Routes), counter(&engine, CounterId::RoutesCancelled));
        assert_eq!(found + cancelled, ROUTES_MAX as u64 + 1, "{place}");
    }
}

#[test]
fn a_question_whose_time_is_up_is_given_up() {
    for place in PLACES {
        let engine = open_chains(place);
        let error = engine.routes(&long_question(), 8, Duration::from_millis(1)).unwrap_err();
        assert!(matches!(&error, EngineError::Timeout(text) if text.contains("1 ms")), "{error}");
        until(&engine, CounterId::RoutesCancelled, 1);
        assert_eq!(engine.route(0, 4).unwrap().distance, 2, "{place}");
    }
}

#[test]
fn a_close_gives_searches_up_and_tells_who_waits() {
    for place in PLACES {
        let engine = open_chains(place);
        let questions: Vec<_> = (0..4).map(|_| engine.ask_routes(&long_question(), 8).unwrap()).collect();
        engine.close();
        // All of the questions together could not be answered before the close.
        let last = engine.await_routes(questions.last().unwrap(), LONG);
        assert_eq!(last, Err(EngineError::Closed), "{place}");
    }
}

#[test]
fn questions_beyond_the_queue_are_refused() {
    let engine = open_chains("graph.route_queue=1\n");
    let questions: Vec<_> = (0..400).map(|_| engine.ask_routes(&long_question(), 8).unwrap()).collect();
    let last = engine.await_routes(questions.last().unwrap(), LONG);
    assert_eq!(last, Err(EngineError::Refused(Status::Overloaded)));
    drop(questions);
    until(&engine, CounterId::RoutesCancelled, 200 * ROUTES_MAX as u64);
}

#[test]
fn a_rollback_over_the_whole_window_finds_room_in_the_ring() {
    let engine = open(1_000, 1_000_000, "");
    let (mut target, first) = (0_u32, 1);
    // More than 262,144 changes: with 24 bytes of packet a move leaves 48 bytes of history.
    while engine.revision() < 2_400 {
        target += 1;
        let moves: Vec<(u32, u32, u32)> = (0..128)
            .map(|index| (index * 7, (index * 7 + 1 + target % 997) % 1_000, 0x1_0000 | (target % 251 + 1)))
            .filter(|(source, target, _)| source != target)
            .collect();
        submit(&engine, &moves);
    }
    engine.route(0, 1).unwrap();
    let waits = counter(&engine, CounterId::PathfinderWaits);
    let (report, _, _) = engine.rollback(first).unwrap();
    assert!(report.records > 262_144 * 2, "{} records undone", report.records);
    assert_eq!(counter(&engine, CounterId::PathfinderWaits), waits, "the engine waited for the pathfinder");
    assert_eq!(engine.verify_hash().unwrap().hash, report.hash);
    let route = engine.route(0, 2).unwrap();
    assert_eq!(route.revision, first);
}

#[test]
fn a_verified_rollback_goes_on_and_a_damaged_state_never_does() {
    for place in PLACES {
        let engine = open(100, 100, &format!("{place}rollback.verify=true\n"));
        submit(&engine, &[(1, 2, 3)]);
        let hash = engine.hash(None).unwrap();
        submit(&engine, &[(1, 2, 4), (2, 3, 4)]);
        assert_eq!(engine.rollback(1).unwrap().0.hash, hash.hash);
        submit(&engine, &[(1, 2, 5)]);

        let engine = open(100, 100, &format!("{place}testing.rollback_verify_fails=true\n"));
        submit(&engine, &[(1, 2, 3)]);
        submit(&engine, &[(1, 2, 4)]);
        let error = engine.rollback(1).unwrap_err();
        assert!(matches!(&error, EngineError::Poisoned(text) if text.contains("rollback.verify")), "{error}");
        assert!(matches!(engine.put_arcs(&[1, 2, 3]), Err(EngineError::Poisoned(_))));
        assert_eq!(engine.revision(), 2, "a state that failed its check is not published");
    }
}
