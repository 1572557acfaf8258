//! The rollback window when it is full: history overwritten, gone back through to its oldest end, and overwritten again.
//! Every failure prints the seed that repeats it.

mod support;

use lodestone_core::{BATCH_RECORDS_MAX, EdgeChange, PUT_ARCS_MAX};
use support::engine::{Engine, Input, random_input, small_limits};
use support::model::{Limits, Model};
use support::random::Random;

struct Pair {
    seed: u64,
    random: Random,
    model: Model,
    engine: Engine,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut limits = small_limits(&mut random);
        match seed % 4 {
            // One slot that few nodes hand to each other, and the smallest graph there is.
            0 => {
                (limits.nodes_max, limits.slots_max, limits.edges_max) = (2 + random.below(2) as u32, 1, 1);
                limits.tenants.clear();
            }
            // Ends of edges that do not fit into a tag of the table.
            1 => limits.nodes_max = 1 << 21,
            _ => {}
        }
        // The least window, and sizes that no record, image or page divides.
        let window_bytes = [0, 64 * 1024 + 17, 100_003, 196_607][random.below(4) as usize];
        Self { seed, random, engine: Engine::new(&limits, window_bytes), model: Model::new(limits) }
    }

    fn step(&mut self) {
        // The model draws its nodes from a few, so that they meet.
        let nodes_max = self.model.limits.nodes_max;
        self.model.limits.nodes_max = nodes_max.min(12);
        let most = [1, 3, BATCH_RECORDS_MAX as u64][self.random.below(3) as usize];
        let count = 1 + self.random.below(most);
        let inputs: Vec<_> = (0..count).map(|_| random_input(&mut self.random, &self.model)).collect();
        self.model.limits.nodes_max = nodes_max;
        let records: Vec<_> = inputs.iter().map(Input::record).collect();
        let expected = self.model.step(&records);
        assert_eq!(self.engine.step(0, &inputs), expected, "seed {}", self.seed);
    }

    /// Goes on until as many revisions left the window as it held.
    fn overflow(&mut self) {
        let from = self.engine.state.oldest_revision();
        for _ in 0..400 {
            self.step();
            if self.engine.state.oldest_revision() > from + 40 {
                return;
            }
        }
    }

    fn rollback(&mut self) {
        let (oldest, newest) = (self.engine.state.oldest_revision(), self.model.revision);
        let revision = match self.random.below(4) {
            0 | 1 => oldest,
            2 => (oldest + 1).min(newest),
            _ => newest - self.random.below(newest - oldest + 1),
        };
        let hash = self.engine.state.hash_at(revision).unwrap();
        let report = self.engine.rollback(revision).unwrap();
        self.model.rollback(revision);
        assert_eq!((report.hash, self.engine.state.hash()), (hash, hash), "seed {}", self.seed);
        self.check();
    }

    fn check(&mut self) {
        assert_eq!(self.engine.state.hash(), self.engine.state.recompute_hash(), "seed {}", self.seed);
        // A check of every node takes time: in large graphs the hash, which covers all, has to do.
        if self.model.limits.nodes_max < 100 {
            self.engine.check(self.seed, &self.model);
        }
        let mut edges: Vec<_> = self.engine.state.edges().map(|edge| ((edge.source, edge.target), edge.mask)).collect();
        edges.sort_unstable();
        let expected = self.model.world.edges.iter().map(|(ends, mask)| (*ends, *mask));
        assert!(edges.into_iter().eq(expected), "seed {}: edges", self.seed);
    }
}

#[test]
fn a_full_window_is_gone_back_through_and_filled_again() {
    let mut lost = 0;
    for seed in 0..60 {
        let mut pair = Pair::new(seed);
        for _ in 0..4 {
            pair.overflow();
            pair.rollback();
            // Back once more, with nothing or a little in between.
            (0..pair.random.below(3)).for_each(|_| pair.step());
            pair.rollback();
        }
        lost += u64::from(pair.engine.state.oldest_revision() > 40);
    }
    assert!(lost > 40, "only {lost} windows overflowed");
}

/// As much as one batch can write: 128 full payloads, or 1,024 edges. The least window holds one of them at least, so
/// the revision before the newest can always be gone back to.
#[test]
fn the_largest_batches_fit_the_least_window() {
    let limits = Limits { nodes_max: 1_100, slots_max: 128, edges_max: 3_000, tenants: vec![] };
    let mut engine = Engine::new(&limits, 0);
    let mut model = Model::new(limits);
    let mut random = Random::new(3);
    for round in 0..60_u32 {
        if round % 3 == 2 {
            let ends = |index: u32| (index % 1_099, 1_099 - u32::from(index % 1_099 == 1_099));
            let arcs: Vec<_> = (0..PUT_ARCS_MAX as u32)
                .map(|index| EdgeChange {
                    source: ends(index).0,
                    target: ends(index).1,
                    mask: round * 2_000 + index + 1,
                })
                .collect();
            assert_eq!(engine.put(0, &arcs), model.put(&arcs), "round {round}");
        } else {
            let inputs: Vec<_> = (0..128_u32).map(|node| full_move(&mut random, node, round)).collect();
            let records: Vec<_> = inputs.iter().map(Input::record).collect();
            assert_eq!(engine.step(0, &inputs), model.step(&records), "round {round}");
        }
        let newest = model.revision;
        assert!(engine.state.oldest_revision() < newest, "round {round}: nothing but the present is held");
        if round % 4 == 3 {
            engine.rollback(newest - 1).unwrap();
            model.rollback(newest - 1);
            engine.check(u64::from(round), &model);
        }
    }
}

fn full_move(random: &mut Random, node: u32, round: u32) -> Input {
    let mut input =
        random_input(random, &Model::new(Limits { nodes_max: 2, slots_max: 1, edges_max: 1, tenants: vec![] }));
    input.head.kind = lodestone_memory::RecordKind::Move;
    input.head.status = lodestone_memory::Status::Ok;
    (input.head.node_first, input.head.node_last) = (0, u32::MAX);
    let words = [node, (node + 1) % 128, round + 1, 232 << 16, 0, 0];
    input.packet = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    input.packet.resize(256, round as u8);
    input
}

#[test]
fn the_time_of_a_revision_comes_back_with_it_and_never_runs_backwards() {
    let limits = Limits { nodes_max: 4, slots_max: 4, edges_max: 4, tenants: vec![] };
    let mut engine = Engine::new(&limits, 0);
    let start = engine.state.to_commit().commit_unix_ms;
    let put = |engine: &mut Engine, now, mask| {
        engine.put(now, &[EdgeChange { source: 0, target: 1, mask }]).unwrap();
        engine.state.to_commit().commit_unix_ms
    };
    assert_eq!(put(&mut engine, start + 100, 1), start + 100);
    assert_eq!(put(&mut engine, start + 40, 2), start + 100, "a clock that was set back");
    assert_eq!(put(&mut engine, start + 200, 3), start + 200);
    assert_eq!(engine.state.revision_at(start + 150), 2);
    for (revision, time) in [(2, start + 100), (1, start + 100), (0, start)] {
        engine.rollback(revision).unwrap();
        assert_eq!(engine.state.to_commit().commit_unix_ms, time, "revision {revision}");
    }
}
