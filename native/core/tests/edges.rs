//! Edges under inputs made to hurt: hubs, stars, churn at the bound, rollbacks across all of it. Every failure prints
//! the seed that repeats it.

mod support;

use std::collections::BTreeMap;

use lodestone_core::{EdgeChange, PUT_ARCS_MAX, PutError, StateHash};
use support::engine::Engine;
use support::model::Limits;
use support::random::Random;

type Edges = BTreeMap<(u32, u32), u32>;

fn engine(nodes_max: u32, edges_max: u32, window_bytes: usize) -> Engine {
    Engine::new(&Limits { nodes_max, slots_max: nodes_max.min(64), edges_max, tenants: vec![] }, window_bytes)
}

fn edges_of(engine: &Engine) -> Edges {
    engine.state.edges().map(|edge| ((edge.source, edge.target), edge.mask)).collect()
}

fn put(engine: &mut Engine, arcs: &[EdgeChange]) {
    for arcs in arcs.chunks(PUT_ARCS_MAX) {
        engine.put(1, arcs).unwrap();
    }
}

/// A packet that does nothing but set an edge, removal included.
fn set(engine: &mut Engine, source: u32, target: u32, mask: u32) -> lodestone_memory::Status {
    let head = lodestone_memory::RecordHead {
        kind: lodestone_memory::RecordKind::Move,
        ack_each: false,
        status: lodestone_memory::Status::Ok,
        tenant: 0,
        node_first: 0,
        node_last: u32::MAX,
        counter: 0,
        node: 0,
        argument: 0,
    };
    let packet = [source, target, mask, 0, 0, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
    engine.step(1, &[support::engine::Input { head, packet }])[0].0
}

#[test]
fn a_hub_of_a_hundred_thousand_edges_comes_goes_and_comes_back() {
    let (nodes, hub) = (100_001, 100_000);
    let mut engine = engine(nodes, 100_001, 24 << 20);
    let arcs: Vec<_> = (0..hub).map(|target| EdgeChange { source: hub, target, mask: target + 1 }).collect();
    put(&mut engine, &arcs);
    let (full, hash) = (engine.state.revision(), engine.state.hash());
    let changed: Vec<_> = arcs.iter().map(|arc| EdgeChange { mask: arc.mask ^ 0x55_0000 | 1, ..*arc }).collect();
    put(&mut engine, &changed);
    for target in (0..hub).step_by(7) {
        assert_eq!(set(&mut engine, hub, target, 0), lodestone_memory::Status::Ok);
    }
    let left: Edges = changed.iter().map(|arc| ((hub, arc.target), arc.mask)).collect();
    let left: Edges = left.into_iter().filter(|((_, target), _)| target % 7 != 0).collect();
    assert_eq!(edges_of(&engine), left);
    engine.rollback(full).unwrap();
    assert_eq!((engine.state.hash(), engine.state.recompute_hash()), (hash, hash));
    assert!(arcs.iter().all(|arc| engine.state.edge_mask(hub, arc.target) == arc.mask));
    engine.rollback(0).unwrap();
    assert_eq!((edges_of(&engine).len(), engine.state.hash()), (0, StateHash::default()));
}

#[test]
fn stars_and_their_mirror_images_hold_every_edge() {
    let mut engine = engine(3_001, 12_000, 1 << 20);
    let mut model = Edges::new();
    for centre in [0, 1_500] {
        for leaf in 0..3_001_u32 {
            if leaf != centre {
                model.insert((centre, leaf), leaf + 1);
                model.insert((leaf, centre), leaf + 2);
            }
        }
    }
    let arcs: Vec<_> =
        model.iter().map(|(ends, mask)| EdgeChange { source: ends.0, target: ends.1, mask: *mask }).collect();
    put(&mut engine, &arcs);
    assert_eq!(edges_of(&engine), model);
}

/// Fills the graph to the last edge, then takes out and puts in at the bound, at random and across rollbacks. The
/// answer to one edge too many depends on nothing but the number of edges, so it is the same on every timeline.
#[test]
fn churn_at_the_bound_refuses_exactly_the_edge_too_many_on_every_timeline() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let edges_max = 1 + random.below(400) as u32;
        let nodes = 3 + random.below(60) as u32;
        let edges_max = edges_max.min(nodes * (nodes - 1) - 1);
        let mut engine = engine(nodes, edges_max, 1 << 20);
        let mut history = vec![Edges::new()];
        for _ in 0..400 {
            let mut model = history.last().unwrap().clone();
            let (source, target) = random.pair(nodes);
            let mask = if random.below(5) == 0 { 0 } else { random.next() as u32 | 1 };
            let fits = mask == 0 || model.contains_key(&(source, target)) || model.len() < edges_max as usize;
            let status = set(&mut engine, source, target, mask);
            assert_eq!(status == lodestone_memory::Status::Ok, fits, "seed {seed}: {status:?}");
            if fits {
                if mask == 0 {
                    model.remove(&(source, target))
                } else {
                    model.insert((source, target), mask)
                };
                history.push(model);
            }
            if random.below(30) == 0 {
                history.truncate(history.len() - random.below(history.len().min(40) as u64) as usize);
                engine.rollback(history.len() as u64 - 1).unwrap();
                assert_eq!(edges_of(&engine), *history.last().unwrap(), "seed {seed}");
                assert_eq!(engine.state.hash(), engine.state.recompute_hash(), "seed {seed}");
            }
        }
        assert_eq!(edges_of(&engine), *history.last().unwrap(), "seed {seed}");
    }
}

#[test]
fn a_load_that_does_not_fit_is_refused_whole_however_the_edges_are_spread() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let mut engine = engine(500, 1_000, 1 << 20);
        let hub = random.below(500) as u32;
        while engine.state.edges().count() < 1_000 {
            let (source, target) = random.pair(500);
            let source = if random.below(2) == 0 && target != hub { hub } else { source };
            put(&mut engine, &[EdgeChange { source, target, mask: 9 }]);
        }
        let hash = engine.state.hash();
        let (source, target) = loop {
            let (source, target) = random.pair(500);
            if engine.state.edge_mask(source, target) == 0 {
                break (source, target);
            }
        };
        let known = engine.state.edges().next().unwrap();
        let arcs = [EdgeChange { mask: 77, ..known }, EdgeChange { source, target, mask: 1 }];
        assert_eq!(engine.put(1, &arcs), Err(PutError::GraphFull), "seed {seed}");
        assert_eq!(engine.state.hash(), hash, "seed {seed}");
        assert!(engine.put(1, &arcs[..1]).is_ok(), "seed {seed}: an edge that exists never needs room");
        assert_eq!(engine.state.edge_mask(known.source, known.target), 77, "seed {seed}");
    }
}
