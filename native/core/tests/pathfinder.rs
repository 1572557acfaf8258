//! The pathfinder against a slow, obvious model. Every failure prints the seed that repeats it.

mod support;

use std::cell::Cell;

use lodestone_core::EdgeChange;
use lodestone_core::pathfinder::{
    NODES_MAX, Pathfinder, PathfinderConfig, PathfinderError, Route, RouteStatus, UNREACHED, label_parts,
};
use support::graph::{Answer, Model};
use support::random::Random;

fn config(nodes_max: u32, edges_max: u32) -> PathfinderConfig {
    PathfinderConfig { nodes_max, edges_max, budget: u64::MAX, index_salt: 0, preallocate: false }
}

fn pathfinder(nodes_max: u32, edges_max: u32) -> Pathfinder {
    Pathfinder::new(&config(nodes_max, edges_max)).unwrap()
}

fn answer(pathfinder: &mut Pathfinder, source: u32, target: u32) -> Answer {
    let mut route = Route::with_capacity(4_096).unwrap();
    match pathfinder.route(source, target, &mut route) {
        RouteStatus::Found => {
            assert_eq!(route.nodes.len(), route.nodes_total as usize);
            Some((route.distance, route.nodes))
        }
        RouteStatus::Unreachable => {
            assert_eq!((route.distance, route.nodes_total, route.nodes.len()), (u64::MAX, 0, 0));
            None
        }
        ending @ (RouteStatus::Budget | RouteStatus::Cancelled) => panic!("{ending:?}: nothing limits this query"),
    }
}

fn check_all_pairs(seed: u64, model: &Model, pathfinder: &mut Pathfinder) {
    for source in 0..model.nodes {
        let labels = model.labels(source);
        for target in 0..model.nodes {
            let expected = model.path(source, target, &labels);
            assert_eq!(answer(pathfinder, source, target), expected, "seed {seed}: route {source} to {target}");
        }
    }
}

/// The kinds of weights that bring out different ties.
fn mask_of(random: &mut Random, kind: u64) -> u32 {
    let weight = match kind {
        0 => random.below(256),
        1 => 0,
        2 => 7,
        3 => random.below(2),
        4 => [0, 0, 1, 255][random.below(4) as usize],
        _ => 1 + random.below(3),
    };
    let noise = random.below(256) as u32;
    (weight as u32 ^ noise) | noise << 8 | 0x1_0000
}

#[test]
fn small_graphs_answer_as_the_model() {
    for seed in 0..2_500 {
        let mut random = Random::new(seed);
        let nodes = 2 + random.below(9) as u32;
        let kind = random.below(6);
        let mut model = Model::new(nodes);
        let mut pathfinder = pathfinder(nodes, nodes * nodes);
        for _ in 0..random.below(u64::from(nodes * nodes) * 2) {
            let (source, target) = random.pair(nodes);
            let mask = if random.below(5) == 0 { 0 } else { mask_of(&mut random, kind) };
            model.apply(source, target, mask);
            pathfinder.apply(source, target, mask);
        }
        assert_eq!(pathfinder.edges(), model.edges.len() as u64, "seed {seed}");
        check_all_pairs(seed, &model, &mut pathfinder);
    }
}

#[test]
fn larger_graphs_answer_as_the_model() {
    for seed in 0..120 {
        let mut random = Random::new(seed);
        let nodes = 40 + random.below(120) as u32;
        let kind = random.below(6);
        let mut model = Model::new(nodes);
        let mut pathfinder = pathfinder(nodes, nodes * 12);
        for _ in 0..u64::from(nodes) * (1 + random.below(10)) {
            let (source, target) = random.pair(nodes);
            let mask = mask_of(&mut random, kind);
            model.apply(source, target, mask);
            pathfinder.apply(source, target, mask);
        }
        for _ in 0..25 {
            let (source, target) = random.pair(nodes);
            let expected = model.path(source, target, &model.labels(source));
            assert_eq!(answer(&mut pathfinder, source, target), expected, "seed {seed}: route {source} to {target}");
        }
    }
}

#[test]
fn queries_between_changes_answer_as_the_model() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let nodes = 4 + random.below(20) as u32;
        let kind = random.below(6);
        let mut model = Model::new(nodes);
        let mut pathfinder = pathfinder(nodes, nodes * nodes);
        for step in 0..400 {
            let (source, target) = random.pair(nodes);
            let mask = if random.below(3) == 0 { 0 } else { mask_of(&mut random, kind) };
            model.apply(source, target, mask);
            pathfinder.apply(source, target, mask);
            let (source, target) = random.pair(nodes);
            let expected = model.path(source, target, &model.labels(source));
            assert_eq!(answer(&mut pathfinder, source, target), expected, "seed {seed}, step {step}");
        }
    }
}

/// A grid with both directions of each street; equal weights give an exponential number of shortest paths.
fn grid(side: u32, mut mask: impl FnMut() -> u32) -> Model {
    let mut model = Model::new(side * side);
    for node in 0..side * side {
        if node % side + 1 < side {
            model.apply(node, node + 1, mask());
            model.apply(node + 1, node, mask());
        }
        if node + side < side * side {
            model.apply(node, node + side, mask());
            model.apply(node + side, node, mask());
        }
    }
    model
}

fn built(model: &Model) -> Pathfinder {
    let mut pathfinder = pathfinder(model.nodes, model.edges.len() as u32 + 8);
    for (&(source, target), &mask) in &model.edges {
        pathfinder.apply(source, target, mask);
    }
    pathfinder
}

#[test]
fn grids_answer_as_the_model() {
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let kind = seed % 6;
        let model = grid(6, || mask_of(&mut random, kind));
        check_all_pairs(seed, &model, &mut built(&model));
    }
}

#[test]
fn a_star_goes_through_its_hub() {
    let mut model = Model::new(200);
    for leaf in 1..200 {
        model.apply(0, leaf, 5);
        model.apply(leaf, 0, 5);
    }
    model.apply(17, 18, 10); // as long as over the hub, with one edge less
    model.apply(17, 19, 11);
    let mut pathfinder = built(&model);
    assert_eq!(answer(&mut pathfinder, 17, 18), Some((10, vec![17, 18])));
    assert_eq!(answer(&mut pathfinder, 17, 19), Some((10, vec![17, 0, 19])));
    assert_eq!(answer(&mut pathfinder, 100, 150), Some((10, vec![100, 0, 150])));
    assert_eq!(answer(&mut pathfinder, 0, 199), Some((5, vec![0, 199])));
}

#[test]
fn the_lowest_predecessor_counts_back_from_the_target() {
    let mut pathfinder = pathfinder(8, 16);
    // Two ways of equal length and edges: 0-5-2-7 and 0-1-6-7. From the target back, 2 is lower than 6.
    for (source, target) in [(0, 5), (5, 2), (2, 7), (0, 1), (1, 6), (6, 7)] {
        pathfinder.apply(source, target, 9);
    }
    assert_eq!(answer(&mut pathfinder, 0, 7), Some((27, vec![0, 5, 2, 7])));
}

#[test]
fn a_longest_chain_of_largest_weights_is_measured_exactly() {
    let nodes = 3_000;
    let mut pathfinder = pathfinder(nodes, nodes);
    for node in 1..nodes {
        pathfinder.apply(node - 1, node, 0xff);
    }
    let (distance, path) = answer(&mut pathfinder, 0, nodes - 1).unwrap();
    assert_eq!(distance, 255 * u64::from(nodes - 1));
    assert!(path.into_iter().eq(0..nodes));
    assert_eq!(answer(&mut pathfinder, nodes - 1, 0), None);
}

#[test]
fn the_same_graph_gives_the_same_answer_whatever_its_history() {
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let nodes = 10 + random.below(30) as u32;
        let kind = random.below(6);
        let mut edges = Vec::new();
        for _ in 0..nodes * 4 {
            let (source, target) = random.pair(nodes);
            edges.retain(|&(from, to, _)| (from, to) != (source, target));
            edges.push((source, target, mask_of(&mut random, kind)));
        }
        let mut plain = pathfinder(nodes, nodes * 8);
        edges.iter().for_each(|&(source, target, mask)| plain.apply(source, target, mask));

        let salted = PathfinderConfig { index_salt: random.next(), preallocate: true, ..config(nodes, nodes * 8) };
        let mut worn = Pathfinder::new(&salted).unwrap();
        random.shuffle(&mut edges);
        for &(source, target, mask) in &edges {
            worn.apply(source, target, mask_of(&mut random, 0));
            let (other_source, other_target) = random.pair(nodes);
            worn.apply(other_source, other_target, 77);
            worn.apply(other_source, other_target, 0);
            worn.apply(source, target, mask);
        }
        random.shuffle(&mut edges);
        edges.iter().for_each(|&(source, target, mask)| worn.apply(source, target, mask));

        let (mut first, mut second) = (Route::with_capacity(64).unwrap(), Route::with_capacity(64).unwrap());
        for _ in 0..40 {
            let (source, target) = random.pair(nodes);
            let status = plain.route(source, target, &mut first);
            assert_eq!(worn.route(source, target, &mut second), status, "seed {seed}");
            assert_eq!(second.nodes, first.nodes, "seed {seed}: {source} to {target}");
            assert_eq!((second.distance, second.settled), (first.distance, first.settled), "seed {seed}");
        }
    }
}

#[test]
fn the_budget_ends_a_query_at_the_same_vertex_every_time() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let kind = seed % 6;
        let model = grid(8, || mask_of(&mut random, kind));
        let (source, target) = random.pair(model.nodes);
        let mut route = Route::with_capacity(64).unwrap();
        assert_eq!(built(&model).route(source, target, &mut route), RouteStatus::Found);
        let needed = route.settled;
        for budget in 0..needed + 3 {
            let mut bounded = Pathfinder::new(&PathfinderConfig { budget, ..config(64, 256) }).unwrap();
            let mut edges: Vec<_> = model.edges.iter().collect();
            random.shuffle(&mut edges);
            edges.into_iter().for_each(|(&(from, to), &mask)| bounded.apply(from, to, mask));
            let status = bounded.route(source, target, &mut route);
            if budget < needed {
                assert_eq!(status, RouteStatus::Budget, "seed {seed}, budget {budget} of {needed}");
                assert_eq!((route.distance, route.nodes_total), (u64::MAX, 0), "seed {seed}");
                assert_eq!((route.settled, route.nodes.len()), (budget + 1, 0), "seed {seed}");
            } else {
                assert_eq!((status, route.settled), (RouteStatus::Found, needed), "seed {seed}, budget {budget}");
            }
        }
    }
}

#[test]
fn a_query_that_is_given_up_stops_within_4096_vertices_and_leaves_nothing_behind() {
    // Two halves that do not meet: the search would settle all 40,000 vertices.
    let nodes = 40_000;
    let mut pathfinder = pathfinder(nodes, nodes * 2);
    for node in (0..nodes - 2).step_by(2) {
        pathfinder.apply(node, node + 2, 1);
        pathfinder.apply(node + 1, node + 3, 1);
    }
    let mut route = Route::with_capacity(8).unwrap();
    assert_eq!(pathfinder.route(0, nodes - 1, &mut route), RouteStatus::Unreachable);
    let (settled, looks) = (route.settled, Cell::new(0));
    assert!(settled > 4 * 4_096, "settled {settled}");
    for allowed in 0..4 {
        looks.set(0);
        let keep_going = || looks.replace(looks.get() + 1) < allowed;
        let status = pathfinder.route_while(0, nodes - 1, &keep_going, &mut route);
        assert_eq!((status, looks.get()), (RouteStatus::Cancelled, allowed + 1));
        assert_eq!((route.distance, route.nodes_total, route.nodes.len()), (u64::MAX, 0, 0));
        assert_eq!(route.settled, (allowed + 1) * 4_096);
        assert_eq!(answer(&mut pathfinder, 0, 4), Some((2, vec![0, 2, 4])));
    }
    looks.set(0);
    let keep_going = || looks.replace(looks.get() + 1) < u64::MAX;
    let status = pathfinder.route_while(0, nodes - 1, &keep_going, &mut route);
    assert_eq!((status, route.settled, looks.get()), (RouteStatus::Unreachable, settled, settled / 4_096));
}

#[test]
fn a_node_reaches_itself_without_a_search() {
    let mut bounded = Pathfinder::new(&PathfinderConfig { budget: 0, ..config(4, 4) }).unwrap();
    bounded.apply(1, 2, 1);
    let mut route = Route::with_capacity(4).unwrap();
    assert_eq!(bounded.route(3, 3, &mut route), RouteStatus::Found);
    assert_eq!((route.distance, route.nodes_total, route.settled), (0, 1, 0));
    assert_eq!(route.nodes, [3]);
    let mut no_room = Route::with_capacity(0).unwrap();
    assert_eq!(bounded.route(3, 3, &mut no_room), RouteStatus::Found);
    assert_eq!((no_room.nodes_total, no_room.nodes.len()), (1, 0));
}

#[test]
fn a_small_route_lists_the_first_nodes_and_counts_all() {
    let mut pathfinder = pathfinder(100, 100);
    (1..100).for_each(|node| pathfinder.apply(node - 1, node, 1));
    let mut route = Route::with_capacity(10).unwrap();
    assert_eq!(pathfinder.route(5, 95, &mut route), RouteStatus::Found);
    assert_eq!((route.distance, route.nodes_total), (90, 91));
    assert!(route.nodes.iter().copied().eq(5..15));
}

#[test]
fn every_edge_fits_and_can_be_replaced() {
    let nodes = 40;
    let edges_max = nodes * (nodes - 1);
    let mut pathfinder = pathfinder(nodes, edges_max);
    let mut model = Model::new(nodes);
    for round in 0..3 {
        for source in 0..nodes {
            for target in (0..nodes).filter(|&target| target != source) {
                let mask = 0x1_0000 + (source * 31 + target * 7 + round) % 256;
                pathfinder.apply(source, target, mask);
                model.apply(source, target, mask);
            }
        }
        assert_eq!(pathfinder.edges(), u64::from(edges_max));
        check_all_pairs(u64::from(round), &model, &mut pathfinder);
        for source in (0..nodes).filter(|source| source % 2 == round % 2) {
            for target in 0..nodes {
                pathfinder.apply(source, target, 0);
                model.apply(source, target, 0);
            }
        }
        assert_eq!(pathfinder.edges(), model.edges.len() as u64);
    }
}

#[test]
fn a_million_changes_leave_what_the_model_has() {
    let seed = 20_260_101;
    let mut random = Random::new(seed);
    let (nodes, edges_max) = (600, 20_000);
    let mut pathfinder = pathfinder(nodes, edges_max);
    let mut model = Model::new(nodes);
    for change in 0..1_000_000 {
        // A few hubs hold most edges, so that lists get long and the pool runs full again and again.
        let (source, target) = if change % 2 == 0 { random.pair(nodes) } else { random.pair(130) };
        let full = model.edges.len() as u32 == edges_max && !model.edges.contains_key(&(source, target));
        let mask = if full || random.below(100) < 42 { 0 } else { mask_of(&mut random, 0) };
        pathfinder.apply(source, target, mask);
        model.apply(source, target, mask);
        assert_eq!(pathfinder.edges(), model.edges.len() as u64, "seed {seed}, change {change}");
    }
    for _ in 0..12 {
        let (source, target) = random.pair(nodes);
        let expected = model.path(source, target, &model.labels(source));
        assert_eq!(answer(&mut pathfinder, source, target), expected, "seed {seed}: {source} to {target}");
    }
    // Emptying it by the model's list proves that both hold the same edges.
    for &(source, target) in model.edges.keys() {
        let before = pathfinder.edges();
        pathfinder.apply(source, target, 0);
        assert_eq!(pathfinder.edges(), before - 1, "seed {seed}: edge {source} to {target}");
    }
    assert_eq!(pathfinder.edges(), 0);
}

#[test]
fn a_run_of_changes_is_as_each_of_them_in_turn() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let nodes = 20 + random.below(300) as u32;
        let changes: Vec<_> = (0..random.below(3_000))
            .map(|_| {
                let (source, target) = random.pair(nodes.min(40));
                let mask = if random.below(4) == 0 { 0 } else { mask_of(&mut random, 0) };
                EdgeChange { source, target, mask }
            })
            .collect();
        let (mut single, mut batched) = (pathfinder(nodes, 1_560), pathfinder(nodes, 1_560));
        changes.iter().for_each(|change| single.apply(change.source, change.target, change.mask));
        batched.apply_batch(&changes);
        assert_eq!(batched.edges(), single.edges(), "seed {seed}");
        for _ in 0..40 {
            let (source, target) = random.pair(40.min(nodes));
            assert_eq!(answer(&mut batched, source, target), answer(&mut single, source, target), "seed {seed}");
        }
        changes.iter().rev().for_each(|change| batched.apply_batch(&[EdgeChange { mask: 0, ..*change }]));
        assert_eq!(batched.edges(), 0, "seed {seed}");
    }
}

fn check_distances(seed: u64, model: &Model, pathfinder: &mut Pathfinder, source: u32) {
    let mut labels = vec![7; model.nodes as usize];
    pathfinder.distances(source, &mut labels);
    let expected = model.labels(source);
    for (node, label) in labels.iter().enumerate() {
        let expected = expected.get(&(node as u32)).copied();
        assert_eq!(label_parts(*label), expected, "seed {seed}: {source} to {node}");
        assert_eq!(expected.is_none(), *label == UNREACHED, "seed {seed}: {source} to {node}");
    }
}

#[test]
fn distances_to_all_are_as_in_the_model_and_leave_routes_alone() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let nodes = 2 + random.below(90) as u32;
        let kind = random.below(6);
        let mut model = Model::new(nodes);
        // Dense ones, where every node soon has a label and the farthest waiting one bounds the edges, and sparse ones,
        // where some are never reached; in some a part of the nodes has no edge at all.
        let (edges, linked) = (u64::from(nodes) * (1 + random.below(30)), nodes - random.below(2) as u32 * nodes / 3);
        let mut pathfinder = pathfinder(nodes, nodes * nodes);
        for _ in 0..edges {
            let (source, target) = random.pair(linked.max(2));
            let mask = mask_of(&mut random, kind);
            model.apply(source, target, mask);
            pathfinder.apply(source, target, mask);
        }
        for _ in 0..4 {
            check_distances(seed, &model, &mut pathfinder, random.below(u64::from(nodes)) as u32);
            let (source, target) = random.pair(nodes);
            let expected = model.path(source, target, &model.labels(source));
            assert_eq!(answer(&mut pathfinder, source, target), expected, "seed {seed}: route {source} to {target}");
        }
    }
}

#[test]
fn distances_over_a_hub_and_a_grid_are_as_in_the_model() {
    for seed in 0..6 {
        let mut random = Random::new(seed);
        let mut model = Model::new(3_000);
        (1..3_000).for_each(|leaf| model.apply(0, leaf, mask_of(&mut random, seed)));
        (1..3_000).for_each(|leaf| model.apply(leaf, (leaf * 7) % 50, mask_of(&mut random, 5)));
        (0..50).for_each(|hub| model.apply(hub, hub, 0));
        let mut pathfinder = built(&model);
        check_distances(seed, &model, &mut pathfinder, 2_999);
        let model = grid(25, || mask_of(&mut random, seed));
        check_distances(seed, &model, &mut built(&model), 312);
    }
}

#[test]
fn sizes_out_of_range_and_too_much_memory_are_errors() {
    for (nodes_max, edges_max, name) in [(0, 1, "nodes_max"), (NODES_MAX + 1, 1, "nodes_max"), (1, 0, "edges_max")] {
        let error = Pathfinder::new(&config(nodes_max, edges_max)).unwrap_err();
        assert!(matches!(error, PathfinderError::Size { name: found, .. } if found == name), "{error}");
        assert!(error.to_string().contains(name));
    }
    let error = Route::with_capacity(usize::MAX / 8).unwrap_err();
    assert!(matches!(error, PathfinderError::Memory { purpose: "path", .. }));
    assert!(error.to_string().contains("no memory for the pathfinder's path"));
}
