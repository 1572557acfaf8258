//! Watched sources against a slow, obvious model, bit for bit. Every failure prints the seed that repeats it.

mod support;

use lodestone_core::EdgeChange;
use lodestone_core::pathfinder::{Pathfinder, PathfinderConfig, WATCH_CHANGES_MAX, WatchConfig, WatchId, WatchTotals};
use lodestone_memory::watched::{LABEL_EDGES_BITS, LABEL_UNREACHED, WatchReader};
use lodestone_memory::{WatchState, WatchTable};
use support::engine::{Engine, random_input, small_limits};
use support::graph::Model;
use support::random::Random;

const UNLIMITED: u64 = u64::MAX;

/// A pathfinder with watches beside the model, driven together; history for going back.
struct Pair {
    seed: u64,
    model: Model,
    pathfinder: Pathfinder,
    reader: WatchReader,
    watches: Vec<(WatchId, u32)>,
    revision: u64,
    branch: u64,
    /// Edges and masks before each change, with the revision that the change belongs to.
    undo: Vec<(u64, (u32, u32), u32)>,
    /// Changes that are to be applied in one batch; only every third seed batches.
    staged: Vec<EdgeChange>,
}

impl Pair {
    fn new(seed: u64, nodes: u32, edges_max: u32, watches_max: u32, budget: u64) -> Self {
        let config = PathfinderConfig {
            nodes_max: nodes,
            edges_max,
            budget: 0,
            index_salt: seed,
            preallocate: seed.is_multiple_of(2),
        };
        let mut pathfinder = Pathfinder::new(&config).unwrap();
        let table = WatchTable::detached(watches_max, nodes, false).unwrap();
        let reader = table.reader();
        pathfinder.keep_watched(table, &WatchConfig { budget, preallocate: seed % 2 == 1 }).unwrap();
        let model = Model::new(nodes);
        Self { seed, model, pathfinder, reader, watches: vec![], revision: 0, branch: 0, undo: vec![], staged: vec![] }
    }

    fn watch(&mut self, source: u32) -> bool {
        let id = self.pathfinder.watch(source);
        self.watches.extend(id.map(|id| (id, source)));
        id.is_some()
    }

    fn apply(&mut self, source: u32, target: u32, mask: u32) {
        let before = self.model.edges.get(&(source, target)).copied().unwrap_or(0);
        self.undo.push((self.revision + 1, (source, target), before));
        self.set(source, target, mask);
    }

    fn set(&mut self, source: u32, target: u32, mask: u32) {
        self.model.apply(source, target, mask);
        if self.seed.is_multiple_of(3) {
            self.staged.push(EdgeChange { source, target, mask });
        } else {
            self.pathfinder.apply(source, target, mask);
        }
    }

    fn commit(&mut self) {
        self.revision += 1;
        self.follow();
    }

    fn follow(&mut self) {
        self.pathfinder.apply_batch(&self.staged);
        self.staged.clear();
        self.pathfinder.repair_watched(self.revision, self.branch);
    }

    fn rollback(&mut self, revision: u64) {
        while let Some(&(changed_at, (source, target), mask)) = self.undo.last()
            && changed_at > revision
        {
            self.undo.pop();
            self.set(source, target, mask);
        }
        (self.revision, self.branch) = (revision, self.branch + 1);
        self.follow();
    }

    fn fill(&mut self) {
        let mut slices = 0;
        while self.pathfinder.fill_watched(64) {
            slices += 1;
            assert!(slices < 1_000_000, "seed {}: a fill does not end", self.seed);
        }
    }

    fn state(&self, id: WatchId) -> WatchState {
        self.reader.read(id.watch(), 0).unwrap().0.state
    }

    /// Compares every label of every live watch; how many were live.
    fn check(&self) -> usize {
        let mut live = 0;
        for &(id, source) in &self.watches {
            let (head, _) = self.reader.read(id.watch(), 0).unwrap();
            assert_eq!((head.id, head.source), (id.number(), source), "seed {}", self.seed);
            if head.state != WatchState::Live {
                continue;
            }
            live += 1;
            assert_eq!((head.revision, head.branch), (self.revision, self.branch), "seed {}: {source}", self.seed);
            let labels = self.model.labels(source);
            for node in 0..self.model.nodes {
                let expected = labels.get(&node).map(|&(far, edges)| far << LABEL_EDGES_BITS | u64::from(edges));
                let (expected, found) =
                    (expected.unwrap_or(LABEL_UNREACHED), self.reader.read(id.watch(), node).unwrap().1);
                assert_eq!(found, expected, "seed {}, {}: {source} to {node}", self.seed, self.revision);
            }
        }
        live
    }

    fn check_all_live(&mut self) {
        self.fill();
        assert_eq!(self.check(), self.watches.len(), "seed {}", self.seed);
    }

    fn totals(&self) -> WatchTotals {
        self.pathfinder.watch_totals()
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

/// One change: new edges, other weights, removals, and masks that keep the weight.
fn change(random: &mut Random, pair: &mut Pair, kind: u64) {
    let (source, target) = random.pair(pair.model.nodes);
    let known = pair.model.edges.get(&(source, target)).copied();
    let mask = match (random.below(8), known) {
        (0 | 1, _) => 0,
        (2, Some(mask)) => mask ^ 0x4_0000,
        _ => mask_of(random, kind),
    };
    pair.apply(source, target, mask);
}

fn live(seed: u64, budget: u64, rounds: u64) -> (WatchTotals, usize) {
    let mut random = Random::new(seed);
    let nodes = 2 + random.below(if seed.is_multiple_of(10) { 60 } else { 14 }) as u32;
    let kind = random.below(6);
    let mut pair = Pair::new(seed, nodes, nodes * nodes, 3, budget);
    let mut checked = 0;
    for _ in 0..rounds {
        match random.below(16) {
            0 => {
                let source = random.below(u64::from(nodes)) as u32;
                let room = pair.watches.len() < 3;
                assert_eq!(pair.watch(source), room, "seed {seed}");
            }
            1 if pair.watches.len() > 1 => {
                let (id, _) = pair.watches.swap_remove(random.below(pair.watches.len() as u64) as usize);
                assert!(pair.pathfinder.unwatch(id) && !pair.pathfinder.unwatch(id), "seed {seed}");
            }
            2 => pair.rollback(pair.revision - random.below(pair.revision.min(8) + 1)),
            _ => {
                (0..random.below(12)).for_each(|_| change(&mut random, &mut pair, kind));
                pair.commit();
            }
        }
        if random.below(3) > 0 {
            pair.pathfinder.fill_watched(random.below(5) as u32);
        }
        checked += pair.check();
    }
    pair.check_all_live();
    (pair.totals(), checked)
}

#[test]
fn labels_are_those_of_the_model_through_changes_and_rollbacks() {
    let (mut checked, mut repairs) = (0, 0);
    for seed in 0..1_200 {
        let (totals, compared) = live(seed, UNLIMITED, 60);
        assert_eq!(totals.stale, 0, "seed {seed}: without a budget nothing gets stale");
        checked += compared;
        repairs += totals.repairs;
    }
    assert!(checked > 50_000 && repairs > 50_000, "{checked} live watches compared, {repairs} repairs");
}

#[test]
fn what_goes_over_its_budget_is_stale_and_then_right_again() {
    let (mut checked, mut stale, mut fills) = (0, 0, 0);
    for seed in 0..1_200 {
        let (totals, compared) = live(seed, seed % 9, 60);
        checked += compared;
        stale += totals.stale;
        fills += totals.fills;
    }
    assert!(checked > 10_000 && stale > 2_500 && fills > 5_000, "{checked} compared, {stale} stale, {fills} fills");
}

#[test]
fn a_fill_ends_however_fast_edges_change() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let (nodes, kind) = (80, seed % 6);
        let mut pair = Pair::new(seed, nodes, nodes * nodes, 2, 0);
        (0..400).for_each(|_| change(&mut random, &mut pair, kind));
        pair.commit();
        assert!(pair.watch(0) && pair.watch(1));
        let mut rounds = 0;
        while pair.totals().fills < 2 {
            // Ten changes for each vertex that is passed on, one of them at the source itself.
            (0..9).for_each(|_| change(&mut random, &mut pair, kind));
            pair.apply(0, 1 + random.below(u64::from(nodes) - 1) as u32, mask_of(&mut random, kind));
            pair.commit();
            pair.pathfinder.fill_watched(1);
            pair.check();
            rounds += 1;
            assert!(rounds < 1_000, "seed {seed}: two fills of {nodes} vertices do not end");
        }
        pair.check_all_live();
    }
}

/// The same weights shifted to and fro under a fill: whatever was settled lies beyond the horizon again and again.
#[test]
fn a_fill_ends_when_all_distances_are_shifted_to_and_fro() {
    let mut pair = Pair::new(1, 200, 1_000, 1, 0);
    (1..199).for_each(|node| pair.apply(node, node + 1, 0x1_0003));
    pair.apply(0, 1, 0x1_0000);
    pair.commit();
    assert!(pair.watch(0));
    let mut rounds = 0;
    while pair.totals().fills < 1 {
        pair.apply(0, 1, if rounds % 2 == 0 { 0x1_00ff } else { 0x1_0000 });
        pair.commit();
        pair.pathfinder.fill_watched(1);
        rounds += 1;
        assert!(rounds < 1_000, "the fill does not end");
    }
    pair.check_all_live();
}

/// What lies beyond a fill's horizon is left to its slices: else one repair would do the work of all of them.
#[test]
fn a_repair_in_mid_fill_does_not_run_ahead_of_it() {
    let nodes = 20_000;
    let mut pair = Pair::new(1, nodes, nodes * 2, 1, UNLIMITED);
    (1..nodes).for_each(|node| pair.apply(node - 1, node, 0x1_0005));
    pair.commit();
    assert!(pair.watch(0));
    while pair.reader.read(0, 100).unwrap().1 != 100 * (5 << LABEL_EDGES_BITS | 1) {
        assert!(pair.pathfinder.fill_watched(10));
    }
    for (mask, bound) in [(0x1_0002, 130), (0x1_0009, 260), (0, 260), (0x1_0001, 130)] {
        let before = pair.totals().labels_written;
        pair.apply(1, 2, mask);
        pair.commit();
        let written = pair.totals().labels_written - before;
        assert!((90..bound).contains(&written), "{written} labels written for mask {mask:#x}");
        assert_eq!(pair.state(pair.watches[0].0), WatchState::Filling);
    }
    pair.check_all_live();
}

#[test]
fn nothing_is_filled_between_the_changes_of_one_revision() {
    let mut pair = Pair::new(1, 50, 100, 1, UNLIMITED);
    (1..50).for_each(|node| pair.apply(node - 1, node, 0x1_0005));
    pair.commit();
    assert!(pair.watch(0) && pair.pathfinder.fill_watched(60));
    for node in 1..40 {
        pair.apply(node, node + 1, 0x1_0006);
        assert!(!pair.pathfinder.fill_watched(60), "half of a revision");
        assert_eq!(pair.state(pair.watches[0].0), WatchState::Filling);
    }
    pair.commit();
    pair.check_all_live();
}

fn grid(pair: &mut Pair, side: u32, mut mask: impl FnMut() -> u32) {
    for node in 0..side * side {
        let right = (node % side + 1 < side).then_some(node + 1);
        let below = (node + side < side * side).then_some(node + side);
        for other in [right, below].into_iter().flatten() {
            pair.apply(node, other, mask());
            pair.apply(other, node, mask());
        }
    }
    pair.commit();
}

#[test]
fn grids_follow_the_model() {
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let (side, kind) = (24, seed % 6);
        let budget = if seed < 6 { UNLIMITED } else { 40 };
        let mut pair = Pair::new(seed, side * side, side * side * 4, 4, budget);
        grid(&mut pair, side, || mask_of(&mut random, kind));
        assert!([0, side * side - 1, 300].into_iter().all(|source| pair.watch(source)));
        pair.check_all_live();
        for round in 0..40 {
            for _ in 0..1 + random.below(6) {
                let edge = random.below(pair.model.edges.len() as u64) as usize;
                let Some((&(source, target), _)) = pair.model.edges.iter().nth(edge) else { continue };
                let mask = if random.below(4) == 0 { 0 } else { mask_of(&mut random, kind) };
                pair.apply(source, target, mask);
            }
            pair.commit();
            pair.pathfinder.fill_watched(30);
            pair.check();
            if round % 9 == 8 {
                pair.rollback(pair.revision - 5);
                pair.check();
            }
        }
        pair.check_all_live();
    }
}

#[test]
fn a_hub_of_100_000_comes_and_goes() {
    let leaves = 100_000;
    let mut pair = Pair::new(3, leaves + 3, 2 * leaves + 10, 2, UNLIMITED);
    let (hub, first, second) = (0, leaves + 1, leaves + 2);
    for leaf in 1..=leaves {
        pair.apply(hub, leaf, 0x1_0000 | (leaf % 256));
        pair.apply(leaf, hub, 0x1_0001);
        if leaf % 1_000 == 0 {
            pair.commit();
        }
    }
    pair.apply(first, hub, 0x1_0005);
    pair.apply(first, second, 0x1_0001);
    pair.commit();
    assert!(pair.watch(first) && pair.watch(77));
    pair.check_all_live();
    // All of its leaves move away, then farther, then come back over another way; then the hub is cut off.
    for (source, target, mask) in
        [(first, hub, 0x1_0009), (second, hub, 0x1_0001), (first, second, 0), (77, hub, 0), (first, hub, 0)]
    {
        let before = pair.revision;
        pair.apply(source, target, mask);
        pair.commit();
        assert_eq!(pair.check(), 2, "{source} to {target}");
        pair.rollback(before);
        assert_eq!(pair.check(), 2, "{source} to {target} undone");
        pair.apply(source, target, mask);
        pair.commit();
    }
    assert_eq!(pair.check(), 2);
    assert_eq!(pair.reader.read(0, 55).unwrap().1, LABEL_UNREACHED, "nothing leads to the hub any more");
}

#[test]
fn a_star_of_ways_in_keeps_its_best() {
    let ways = 3_000;
    let mut pair = Pair::new(5, ways + 2, 2 * ways, 1, UNLIMITED);
    let target = ways + 1;
    for way in 1..=ways {
        pair.apply(0, way, 0x1_0000 | (way % 251));
        pair.apply(way, target, 0x1_0000 | (way % 13));
    }
    pair.commit();
    assert!(pair.watch(0));
    pair.check_all_live();
    for way in (1..=ways).step_by(7) {
        pair.apply(way, target, 0);
        pair.commit();
        if way % 700 == 1 {
            assert_eq!(pair.check(), 1);
        }
    }
    assert_eq!(pair.check(), 1);
}

#[test]
fn a_change_too_large_for_one_repair_hides_the_labels_until_it_is_whole() {
    let nodes = 3_000;
    let mut pair = Pair::new(8, nodes, nodes * 4, 2, UNLIMITED);
    let mut random = Random::new(8);
    let start = pair.revision;
    assert!(pair.watch(0));
    pair.fill();
    (1..nodes).for_each(|node| pair.apply(node - 1, node, 0x1_0007));
    pair.commit();
    assert_eq!(pair.check(), 1);
    for change in 0..2 * WATCH_CHANGES_MAX {
        let (source, target) = random.pair(nodes);
        let mask = mask_of(&mut random, 0);
        pair.apply(source, target, mask);
        let hidden = change + 1 >= WATCH_CHANGES_MAX;
        let expected = if hidden { WatchState::Stale } else { WatchState::Live };
        assert_eq!(pair.state(pair.watches[0].0), expected, "after {} changes", change + 1);
        assert!(!hidden || !pair.pathfinder.fill_watched(10), "nothing is filled in mid-revision");
    }
    pair.commit();
    assert_eq!(pair.check(), 1);
    pair.rollback(start);
    assert_eq!(pair.check(), 1);
    assert_eq!((pair.pathfinder.edges(), pair.totals().stale, pair.totals().fills), (0, 0, 1));
}

/// Revisions around the number of changes that one repair takes, and of two of them, while watches come and go, are
/// filled and get stale.
#[test]
fn revisions_larger_than_one_repair_are_as_in_the_model_at_every_stage_of_a_watch() {
    let (mut checked, mut stale) = (0, 0);
    for seed in 0..80 {
        let mut random = Random::new(seed ^ 0xb16);
        let (nodes, kind) = (4 + random.below(40) as u32, random.below(6));
        let mut pair = Pair::new(seed, nodes, nodes * nodes, 4, [UNLIMITED, 0, 3, 40][seed as usize % 4]);
        for _ in 0..12 {
            if pair.watches.len() < 4 {
                pair.watch(random.below(u64::from(nodes)) as u32);
            } else if random.below(3) == 0 {
                assert!(pair.pathfinder.unwatch(pair.watches.swap_remove(random.below(4) as usize).0), "seed {seed}");
            }
            let around = (WATCH_CHANGES_MAX as u64 * (random.below(8) % 3)).saturating_sub(2);
            (0..around + random.below(5)).for_each(|_| change(&mut random, &mut pair, kind));
            pair.commit();
            checked += pair.check();
            pair.pathfinder.fill_watched(1 + random.below(30) as u32);
            if random.below(4) == 0 {
                pair.rollback(pair.revision - random.below(pair.revision.min(2) + 1));
            }
            checked += pair.check();
        }
        stale += pair.totals().stale;
        pair.check_all_live();
    }
    assert!(checked > 1_000 && stale > 80, "{checked} compared, {stale} stale");
}

/// Where a repair or a slice ends among vertices of equal labels must not depend on the order in which edges lie.
#[test]
fn what_is_stale_or_half_filled_does_not_depend_on_the_salt() {
    let mut stale = 0;
    for seed in 0..600 {
        let mut random = Random::new(seed ^ 0x5a17);
        let (nodes, budget) = (6 + random.below(30) as u32, random.below(20));
        // The seed of a pair is the salt of its pathfinder.
        let mut pairs = [seed, !seed].map(|salt| Pair::new(salt, nodes, nodes * nodes, 2, budget));
        pairs.iter_mut().for_each(|pair| assert!(pair.watch(0) && pair.watch(1)));
        for round in 0..60 {
            for _ in 0..random.below(8) {
                let (source, target) = random.pair(nodes);
                let mask = if random.below(4) == 0 { 0 } else { 0x1_0000 | random.below(3) as u32 };
                pairs.iter_mut().for_each(|pair| pair.apply(source, target, mask));
            }
            let vertices = random.below(4) as u32;
            let [first, second] = pairs.each_mut().map(|pair| {
                pair.commit();
                pair.pathfinder.fill_watched(vertices);
                ([0, 1].map(|watch| pair.reader.read(watch, 0).unwrap().0), pair.totals())
            });
            assert_eq!(first, second, "seed {seed}, round {round}");
        }
        stale += pairs[0].totals().stale;
    }
    assert!(stale > 1_000, "{stale} stale");
}

#[test]
fn the_same_edges_give_the_same_labels_whatever_their_history() {
    for seed in 0..100 {
        let mut random = Random::new(seed);
        let (nodes, kind) = (12 + random.below(20) as u32, random.below(6));
        let mut worn = Pair::new(seed, nodes, nodes * nodes, 1, seed % 30);
        assert!(worn.watch(1));
        for _ in 0..40 {
            (0..5).for_each(|_| change(&mut random, &mut worn, kind));
            worn.commit();
            worn.pathfinder.fill_watched(3);
        }
        worn.fill();
        let mut plain = Pair::new(seed + 7, nodes, nodes * nodes, 1, UNLIMITED);
        let edges: Vec<_> = worn.model.edges.iter().map(|(ends, mask)| (*ends, *mask)).collect();
        edges.into_iter().for_each(|((source, target), mask)| plain.apply(source, target, mask));
        plain.commit();
        assert!(plain.watch(1));
        plain.fill();
        for node in 0..nodes {
            let label = |pair: &Pair| pair.reader.read(0, node).unwrap().1;
            assert_eq!(label(&worn), label(&plain), "seed {seed}, node {node}");
        }
    }
}

#[test]
fn what_changes_no_weight_repairs_nothing_and_is_told_all_the_same() {
    let mut pair = Pair::new(2, 10, 20, 1, 0);
    pair.apply(0, 1, 0x1_0005);
    pair.commit();
    assert!(pair.watch(0));
    pair.fill();
    let before = pair.totals();
    pair.apply(0, 1, 0x2_0005); // flags only
    pair.apply(0, 1, 0x2_0700 | 0x02); // 7 ^ 2 is 5 as well
    pair.apply(4, 5, 0); // was not there
    pair.apply(0, 2, 9);
    pair.apply(0, 2, 0); // came and went
    pair.commit();
    pair.commit();
    assert_eq!(pair.check(), 1);
    assert_eq!(pair.totals(), before);
}

#[test]
fn every_watch_has_its_own_number_and_no_more_than_there_are_are_given() {
    let mut pair = Pair::new(4, 10, 20, 64, UNLIMITED);
    let mut seen = std::collections::BTreeSet::new();
    for source in 0..64 {
        assert!(pair.watch(source % 10));
    }
    assert!(!pair.watch(3), "the 65th");
    pair.apply(3, 4, 1);
    pair.commit();
    pair.check_all_live();
    for _ in 0..5 {
        for (id, _) in std::mem::take(&mut pair.watches) {
            assert!(seen.insert(id.number()) && id.number() > 0);
            assert!(pair.pathfinder.unwatch(id));
            assert_eq!(pair.state(id), WatchState::Free);
            assert!(!pair.pathfinder.unwatch(id), "an id is good once");
        }
        (0..64).for_each(|source| assert!(pair.watch(source % 10)));
        pair.check_all_live();
    }
    for number in [0, 5, u64::MAX, 1 << 32 | 64] {
        assert!(!pair.pathfinder.unwatch(WatchId::from_number(number)), "{number}");
    }
    let mut none = Pair::new(6, 10, 20, 0, 1);
    assert!(!none.watch(1) && !none.pathfinder.fill_watched(1));
    none.apply(1, 2, 3);
    none.commit();
}

#[test]
fn labels_follow_the_whole_engine() {
    let mut compared = 0;
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let limits = small_limits(&mut random);
        let mut engine = Engine::new(&limits, 0);
        let table = WatchTable::detached(2, limits.nodes_max, false).unwrap();
        let reader = table.reader();
        engine.pathfinder.keep_watched(table, &WatchConfig { budget: 1 + seed % 20, preallocate: false }).unwrap();
        let ids = [0, 1].map(|source| engine.pathfinder.watch(source).unwrap());
        let mut model = support::model::Model::new(limits);
        for _ in 0..50 {
            if random.below(6) == 0 {
                let revision = model.revision - random.below(model.revision.min(6) + 1);
                engine.rollback(revision).unwrap();
                model.rollback(revision);
            } else {
                let inputs: Vec<_> = (0..1 + random.below(9)).map(|_| random_input(&mut random, &model)).collect();
                let records: Vec<_> = inputs.iter().map(support::engine::Input::record).collect();
                model.step(&records);
                engine.step(0, &inputs);
            }
            engine.pathfinder.repair_watched(model.revision, model.branch);
            engine.pathfinder.fill_watched(4);
            let graph = Model { nodes: model.limits.nodes_max, edges: model.world.edges.clone() };
            for id in ids {
                let labels = graph.labels(id.watch());
                for node in 0..graph.nodes {
                    let (head, found) = reader.read(id.watch(), node).unwrap();
                    if head.state == WatchState::Live {
                        let expected =
                            labels.get(&node).map(|&(far, edges)| far << LABEL_EDGES_BITS | u64::from(edges));
                        assert_eq!(found, expected.unwrap_or(LABEL_UNREACHED), "seed {seed}: {} to {node}", id.watch());
                        assert_eq!((head.revision, head.branch), (model.revision, model.branch), "seed {seed}");
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 50_000, "{compared} labels compared");
}
