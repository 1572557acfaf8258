//! Watched sources in a running engine: against its own routes, through moves and rollbacks, with either owner of the copy.

mod support;

use std::time::{Duration, Instant};

use lodestone_memory::watched::{LABEL_EDGES_BITS, LABEL_UNREACHED, WatchHead};
use lodestone_memory::{CounterId, WatchState};
use lodestone_runtime::{Engine, EngineError, ROUTES_MAX, Status};
use support::{PLACES, counter, open, submit, two_chains};

/// So long a test waits for what must come; it never decides whether a test passes unless that does not come at all.
const PATIENCE: Duration = Duration::from_secs(180);

fn head(engine: &Engine, id: u64) -> WatchHead {
    loop {
        if let Ok((head, _)) = engine.watches().read(id as u32, 0) {
            return head;
        }
    }
}

/// Waits until the labels are those of the engine's present state.
fn settle(engine: &Engine, id: u64, branch: u64) {
    let start = Instant::now();
    loop {
        let head = head(engine, id);
        if head.state == WatchState::Live && (head.revision, head.branch) == (engine.revision(), branch) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{head:?} at revision {}, branch {branch}", engine.revision());
        std::thread::yield_now();
    }
}

/// Compares all labels with routes; the state must not change meanwhile.
fn check(engine: &Engine, id: u64, source: u32, seed: u64) {
    let pairs: Vec<_> = (0..engine.watches().nodes_max()).map(|node| (source, node)).collect();
    for chunk in pairs.chunks(128) {
        let batch = engine.routes(chunk, 0, PATIENCE).unwrap();
        for ((_, node), route) in chunk.iter().zip(batch.routes) {
            let route = route.unwrap();
            let (head, label) = engine.watches().read(id as u32, *node).unwrap();
            assert_eq!((head.id, head.source, head.revision), (id, source, batch.revision), "seed {seed}");
            let expected = match route.nodes_total {
                0 => LABEL_UNREACHED,
                nodes => route.distance << LABEL_EDGES_BITS | u64::from(nodes - 1),
            };
            assert_eq!(label, expected, "seed {seed}: {source} to {node}");
        }
    }
}

fn random_moves(random: &mut u64, nodes: u32) -> Vec<(u32, u32, u32)> {
    let mut below = |bound: u32| {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*random >> 33) as u32 % bound
    };
    (0..1 + below(20))
        .map(|_| (below(nodes), below(nodes), if below(4) == 0 { 0 } else { 0x1_0000 | below(9) }))
        .collect()
}

#[test]
fn distances_follow_moves_and_rollbacks() {
    for (place, budget) in PLACES.into_iter().flat_map(|place| [(place, 50_000), (place, 3)]) {
        let seed = budget * 2 + place.len() as u64;
        let mut random = seed;
        let nodes = 60;
        let engine = open(nodes, 4_000, &format!("{place}graph.watches_max=2\ngraph.watch_budget={budget}\n"));
        let watches = [0, 59].map(|source| (engine.watch(source).unwrap(), source));
        let (mut branch, mut revisions) = (0, vec![0]);
        for round in 0..80 {
            if round % 8 == 7 {
                let back = revisions[random as usize % revisions.len()];
                engine.rollback(back).unwrap();
                revisions.retain(|revision| *revision <= back);
                branch += 1;
            } else {
                submit(&engine, &random_moves(&mut random, nodes));
                revisions.push(engine.revision());
            }
            if round % 4 > 0 {
                for (id, source) in watches {
                    settle(&engine, id, branch);
                    check(&engine, id, source, seed);
                }
            }
        }
        assert!(
            counter(&engine, CounterId::WatchRepairs) > 100 && counter(&engine, CounterId::WatchLabelsWritten) > 100
        );
        let (stale, fills) = (counter(&engine, CounterId::WatchesStale), counter(&engine, CounterId::WatchFills));
        assert!(
            if budget == 3 { stale > 10 && fills > 10 } else { stale == 0 && fills == 2 },
            "{stale} stale, {fills} fills"
        );
    }
}

#[test]
fn the_revision_rises_with_batches_that_change_no_edge_too() {
    for place in PLACES {
        let engine = open(10, 20, place);
        submit(&engine, &[(1, 2, 0x1_0005)]);
        let id = engine.watch(1).unwrap();
        settle(&engine, id, 0);
        for round in 0..20 {
            submit(&engine, &[(1, 2, 0x2_0005 + (round << 16))]); // other flags, the same weight
            settle(&engine, id, 2 * u64::from(round));
            submit(&engine, &[(3, 4, 0)]); // a slot, no edge
            settle(&engine, id, 2 * u64::from(round));
            engine.rollback(engine.revision()).unwrap();
            settle(&engine, id, 2 * u64::from(round) + 1);
            engine.rollback(engine.revision() - 1).unwrap();
            settle(&engine, id, 2 * u64::from(round) + 2);
        }
        assert_eq!(counter(&engine, CounterId::WatchRepairs), 0);
    }
}

#[test]
fn watches_are_counted_refused_and_given_back() {
    for place in PLACES {
        let engine = open(50, 100, &format!("{place}graph.watches_max=3\n"));
        let ids: Vec<u64> = (0..3).map(|source| engine.watch(source).unwrap()).collect();
        let error = engine.watch(4).unwrap_err();
        assert!(
            matches!(&error, EngineError::WatchesFull(text) if text.contains("all 3") && text.contains("graph.watches_max"))
        );
        assert_eq!(engine.watch(50).unwrap_err(), EngineError::Refused(Status::OutOfBounds));
        engine.unwatch(ids[1]).unwrap();
        assert!(matches!(engine.unwatch(ids[1]).unwrap_err(), EngineError::InvalidArgument(_)));
        let again = engine.watch(9).unwrap();
        assert_eq!((again as u32, again == ids[1]), (ids[1] as u32, false), "the same place, another id");
        settle(&engine, again, 0);
        assert_eq!(head(&engine, again).source, 9);
        engine.close();
        assert_eq!(engine.watch(1).unwrap_err(), EngineError::Closed);
        assert_eq!(engine.unwatch(again).unwrap_err(), EngineError::Closed);
        assert_eq!(engine.watches().read(0, 0).unwrap().0, WatchHead::default());
        let none = open(50, 100, &format!("{place}graph.watches_max=0\n"));
        assert!(matches!(none.watch(1).unwrap_err(), EngineError::WatchesFull(_)));
    }
}

#[test]
fn a_watch_is_given_back_also_while_too_many_routes_wait() {
    let nodes = 100_000;
    let engine = open(nodes, nodes, "graph.route_queue=1\ngraph.route_budget=1000000\ngraph.watches_max=1\n");
    two_chains(&engine, nodes);
    let id = engine.watch(7).unwrap();
    let long = vec![(0, nodes - 1); ROUTES_MAX];
    let questions: Vec<_> = (0..400).map(|_| engine.ask_routes(&long, 8).unwrap()).collect();
    let last = engine.await_routes(&questions[399], PATIENCE);
    assert_eq!(last, Err(EngineError::Refused(Status::Overloaded)), "the queue is full");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            drop(questions);
        });
        engine.unwatch(id).unwrap();
    });
    engine.watch(8).unwrap();
}

#[test]
fn a_load_and_a_rollback_larger_than_one_repair_end_in_the_right_labels() {
    for place in PLACES {
        let (nodes, start) = (8_000, 0);
        let engine = open(nodes, 40_000, place);
        let id = engine.watch(0).unwrap();
        let arcs: Vec<u32> =
            (1..nodes).flat_map(|node| [node - 1, node, 0x1_0002, node, node / 2, 0x1_0001 + node % 5]).collect();
        engine.put_arcs(&arcs).unwrap();
        settle(&engine, id, 0);
        let (_, last) = engine.watches().read(id as u32, nodes - 1).unwrap();
        let expected = engine.route(0, nodes - 1).unwrap();
        assert_eq!(last >> LABEL_EDGES_BITS, expected.distance);
        engine.rollback(start).unwrap();
        settle(&engine, id, 1);
        assert_eq!(engine.watches().read(id as u32, nodes - 1).unwrap().1, LABEL_UNREACHED);
        assert_eq!(engine.watches().read(id as u32, 0).unwrap().1, 0);
    }
}

#[test]
fn an_engine_closes_while_it_fills() {
    for place in PLACES {
        let engine = open(200_000, 900_000, place);
        let arcs: Vec<u32> = (1..200_000).flat_map(|node| [node / 2, node, 0x1_0001]).collect();
        engine.put_arcs(&arcs).unwrap();
        (0..4).for_each(|source| _ = engine.watch(source).unwrap());
        engine.close();
        assert_eq!(engine.watch(1).unwrap_err(), EngineError::Closed);
    }
}
