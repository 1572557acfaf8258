//! What every store of edges must do, whichever it is. Every failure prints the seed that repeats it.

mod support;

use std::collections::BTreeMap;

use lodestone_core::EdgeChange;
use lodestone_core::edges::{EdgeSizes, EdgeStore, EdgeTable, VLine};
use support::random::Random;

fn store<E: EdgeStore>(nodes_max: u32, edges_max: u32, salt: u64) -> E {
    E::new(EdgeSizes { nodes_max, edges_max }, salt).unwrap()
}

/// Each edge once, in order.
fn content<E: EdgeStore>(store: &E) -> Vec<((u32, u32), u32)> {
    let mut edges: Vec<_> = store.edges().map(|edge| ((edge.source, edge.target), edge.mask)).collect();
    edges.sort_unstable();
    edges
}

/// The obvious store, changed together with the one under test.
struct Pair<E> {
    seed: u64,
    store: E,
    model: BTreeMap<(u32, u32), u32>,
}

impl<E: EdgeStore> Pair<E> {
    fn new(seed: u64, nodes_max: u32, edges_max: u32, salt: u64) -> Self {
        Self { seed, store: store(nodes_max, edges_max, salt), model: BTreeMap::new() }
    }

    /// Sets the edge unless it does not fit.
    fn set(&mut self, source: u32, target: u32, mask: u32) {
        let ends = (source, target);
        assert_eq!(self.store.has_room(), self.model.len() < self.store.edges_max() as usize, "seed {}", self.seed);
        if mask != 0 && !self.model.contains_key(&ends) && !self.store.has_room() {
            return;
        }
        let before = if mask == 0 { self.model.remove(&ends) } else { self.model.insert(ends, mask) };
        let place = self.store.place(source, target);
        self.store.prefetch(place);
        self.store.prefetch_behind(place);
        assert_eq!(self.store.set(source, target, mask), before.unwrap_or(0), "seed {}: {ends:?}", self.seed);
        assert_eq!(self.store.count() as usize, self.model.len(), "seed {}", self.seed);
    }

    fn check(&self) {
        assert!(self.model.iter().all(|(ends, mask)| self.store.mask(ends.0, ends.1) == *mask), "seed {}", self.seed);
        let expected: Vec<_> = self.model.iter().map(|(ends, mask)| (*ends, *mask)).collect();
        assert_eq!(content(&self.store), expected, "seed {}", self.seed);
    }

    fn empty(&mut self) {
        let all: Vec<_> = self.model.keys().copied().collect();
        all.into_iter().for_each(|(source, target)| self.set(source, target, 0));
        self.check();
    }
}

fn random_changes_equal_an_ordered_map<E: EdgeStore>() {
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let nodes = 2 + random.below(200) as u32;
        let mut pair = Pair::<E>::new(seed, nodes, 1 + random.below(2_000) as u32, random.next());
        for _ in 0..6 {
            let removals = random.below(100);
            for _ in 0..random.below(3_000) {
                let (source, target) = random.pair(nodes);
                let source = if random.below(3) == 0 && target != 0 { 0 } else { source };
                let mask = if random.below(100) < removals { 0 } else { random.next() as u32 };
                pair.set(source, target, mask);
                let (source, target) = random.pair(nodes);
                let known = pair.model.get(&(source, target)).copied().unwrap_or(0);
                assert_eq!(pair.store.mask(source, target), known, "seed {seed}");
            }
            pair.check();
        }
        pair.empty();
    }
}

/// The smallest graphs, and those whose every edge there is.
fn the_least_sizes_hold_what_they_say<E: EdgeStore>() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let nodes = 2 + (seed / 4) as u32 % 5;
        let all_pairs = nodes * (nodes - 1);
        let edges_max = [1, 2, all_pairs, all_pairs + 3][seed as usize % 4];
        let mut pair = Pair::<E>::new(seed, nodes, edges_max, random.next());
        for _ in 0..300 {
            let (source, target) = random.pair(nodes);
            pair.set(source, target, if random.below(3) == 0 { 0 } else { 1 + random.below(3) as u32 });
            pair.check();
        }
        pair.empty();
    }
}

fn a_hub_of_a_hundred_thousand_comes_and_goes<E: EdgeStore>() {
    let hub = 100_000;
    let mut random = Random::new(1);
    let mut pair = Pair::<E>::new(1, hub + 1, hub + 7, 0x5a17);
    let mut targets: Vec<u32> = (0..hub).collect();
    for round in 1..3 {
        random.shuffle(&mut targets);
        targets.iter().for_each(|target| pair.set(hub, *target, target + round));
        (0..9).for_each(|target| pair.set(hub - 1, target, 5));
        pair.check();
        random.shuffle(&mut targets);
        targets.iter().skip(1_000 * round as usize).for_each(|target| pair.set(hub, *target, 0));
        pair.check();
    }
    pair.empty();
}

fn every_degree_is_held_while_it_grows_and_while_it_shrinks<E: EdgeStore>() {
    let nodes = 4_000;
    let mut random = Random::new(2);
    let mut pair = Pair::<E>::new(2, nodes, nodes, 3);
    let mut targets: Vec<u32> = (1..nodes).collect();
    random.shuffle(&mut targets);
    for (count, target) in targets.iter().enumerate() {
        pair.set(0, *target, 1 + count as u32);
        if count % 64 < 2 || count < 80 {
            pair.check();
        }
    }
    random.shuffle(&mut targets);
    for (count, target) in targets.iter().enumerate() {
        pair.set(0, *target, 0);
        if count % 64 < 2 || count > 3_900 {
            pair.check();
        }
    }
    assert_eq!(pair.store.edges().count(), 0);
}

/// Fills the store to the last edge in one shape, then turns that into another one edge at a time.
fn churn_at_the_bound_always_fits<E: EdgeStore>() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let nodes = 100 + random.below(900) as u32;
        let edges_max = 1 + random.below(12_000) as u32;
        let mut pair = Pair::<E>::new(seed, nodes, edges_max, random.next());
        for _ in 0..4 {
            // Few hubs, or all nodes alike: the sizes of blocks that are wanted change altogether.
            let sources = [1, 3, 20, nodes][random.below(4) as usize];
            for _ in 0..2 * edges_max {
                let (source, target) = random.pair(nodes);
                let (source, target) =
                    if source % sources == target { (source, target) } else { (source % sources, target) };
                if source == target {
                    continue;
                }
                if !pair.store.has_room() {
                    let gone = pair.model.range((random.below(u64::from(nodes)) as u32, 0)..).next();
                    let gone = gone.or(pair.model.first_key_value()).map(|(ends, _)| *ends);
                    gone.into_iter().for_each(|(from, to)| pair.set(from, to, 0));
                }
                pair.set(source, target, random.next() as u32 | 1);
            }
            pair.check();
        }
        pair.empty();
    }
}

fn the_same_changes_give_the_same_content_whatever_the_salt<E: EdgeStore>() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let mut stores = [random.next(), 0, u64::MAX, seed].map(|salt| store::<E>(60, 900, salt));
        for _ in 0..4_000 {
            let (source, target) = random.pair(60);
            let mask = random.below(3) as u32;
            if stores[0].has_room() || mask == 0 {
                let before = stores.each_mut().map(|store| store.set(source, target, mask));
                assert!(before.iter().all(|mask| *mask == before[0]), "seed {seed}");
            }
        }
        let contents = stores.map(|store| content(&store));
        assert!(contents.iter().all(|content| *content == contents[0]), "seed {seed}");
    }
}

fn ends_and_masks_at_their_limits_are_kept<E: EdgeStore>() {
    let nodes = 1 << 20;
    let mut store = store::<E>(nodes, 10, 4);
    let changes = [(0, 1, 1), (0, nodes - 1, u32::MAX), (nodes - 1, 0, 1 << 31), (nodes - 2, nodes - 1, 0x100)];
    for (source, target, mask) in changes {
        assert_eq!(store.set(source, target, mask), 0);
    }
    for (source, target, mask) in changes {
        assert_eq!(store.mask(source, target), mask);
        assert_eq!(store.set(source, target, !mask | 1), mask);
        assert_eq!(store.set(source, target, mask), !mask | 1);
    }
    let mut expected = changes.map(|(source, target, mask)| EdgeChange { source, target, mask });
    expected.sort_unstable_by_key(|edge| (edge.source, edge.target));
    let mut found: Vec<_> = store.edges().collect();
    found.sort_unstable_by_key(|edge| (edge.source, edge.target));
    assert_eq!(found, expected);
    assert!(store.bytes_used() > 0);
}

/// The tests above, once for each store.
macro_rules! tests_of {
    ($module:ident, $store:ty, $($test:ident),+ $(,)?) => {
        mod $module {
            use super::*;
            $(
                #[test]
                fn $test() {
                    super::$test::<$store>();
                }
            )+
        }
    };
}

macro_rules! tests_of_all_stores {
    ($($module:ident: $store:ty),+; $tests:tt) => {
        $(tests_of_all_stores!(@one $module, $store, $tests);)+
    };
    (@one $module:ident, $store:ty, ($($test:ident),+ $(,)?)) => {
        tests_of!($module, $store, $($test),+);
    };
}

tests_of_all_stores!(table: EdgeTable, vline: VLine; (
    random_changes_equal_an_ordered_map,
    the_least_sizes_hold_what_they_say,
    a_hub_of_a_hundred_thousand_comes_and_goes,
    every_degree_is_held_while_it_grows_and_while_it_shrinks,
    churn_at_the_bound_always_fits,
    the_same_changes_give_the_same_content_whatever_the_salt,
    ends_and_masks_at_their_limits_are_kept,
));
