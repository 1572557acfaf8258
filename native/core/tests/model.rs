//! The whole state machine against a slow, obvious model. Every failure prints the seed that repeats it.

mod support;

use std::collections::BTreeMap;

use lodestone_core::edges::{EdgeStore, EdgeTable, VLine};
use lodestone_core::{EdgeChange, PutError, StateHash};
use lodestone_memory::Status;
use support::engine::{Engine, Input, random_input, small_limits};
use support::model::Model;
use support::random::Random;

fn random_batch(random: &mut Random, model: &Model) -> Vec<Input> {
    let most = if random.below(10) == 0 { 128 } else { 8 };
    (0..1 + random.below(most)).map(|_| random_input(random, model)).collect()
}

fn random_arcs(random: &mut Random, model: &Model) -> Vec<EdgeChange> {
    let nodes = u64::from(model.limits.nodes_max);
    let mut arc = || {
        let (source, target) = (random.below(nodes) as u32, random.below(nodes) as u32);
        let (source, target) = if random.below(60) == 0 { (target, source + 20) } else { (source, target) };
        EdgeChange { source, target, mask: random.below(90) as u32 }
    };
    let mut arcs: Vec<_> = (0..6).map(|_| arc()).collect();
    if random.below(4) != 0 {
        arcs.retain(|arc| arc.source != arc.target && arc.mask != 0);
    }
    arcs
}

/// One engine with its model; both are driven by one seed and compared all along.
struct Pair<E: EdgeStore = EdgeTable> {
    seed: u64,
    random: Random,
    model: Model,
    engine: Engine<E>,
    /// Hash at each revision up to the present one.
    hashes: Vec<StateHash>,
    now_unix_ms: u64,
    /// Rollbacks go to the last few revisions only, so that history gets long.
    near: bool,
    /// How often each status came.
    statuses: BTreeMap<u16, u64>,
}

impl Pair {
    fn new(seed: u64) -> Self {
        Self::with_store(seed)
    }
}

impl<E: EdgeStore> Pair<E> {
    fn with_store(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let limits = small_limits(&mut random);
        let engine = Engine::with_store(&limits, 0);
        let hashes = vec![engine.state.hash()];
        Self {
            seed,
            random,
            model: Model::new(limits),
            engine,
            hashes,
            now_unix_ms: 0,
            near: false,
            statuses: BTreeMap::new(),
        }
    }

    fn step(&mut self) {
        let inputs = random_batch(&mut self.random, &self.model);
        let records: Vec<_> = inputs.iter().map(Input::record).collect();
        let expected = self.model.step(&records);
        let found = self.engine.step(self.now_unix_ms, &inputs);
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            *self.statuses.entry(expected.0.code()).or_default() += 1;
            assert_eq!(found, expected, "seed {}, record {index}: {:?}", self.seed, inputs[index]);
        }
        assert_eq!(self.engine.state.changes(), self.model.changes, "seed {}", self.seed);
        self.note_hash();
    }

    fn put(&mut self) {
        let arcs = random_arcs(&mut self.random, &self.model);
        let expected = self.model.put(&arcs);
        assert_eq!(self.engine.put(self.now_unix_ms, &arcs), expected, "seed {}: {arcs:?}", self.seed);
        self.note_hash();
    }

    fn note_hash(&mut self) {
        self.hashes.resize(self.model.revision as usize, StateHash::default());
        self.hashes.push(self.engine.state.hash());
    }

    /// Goes back to some revision, mostly a near one, sometimes one that is not in the window.
    fn rollback(&mut self) {
        let newest = self.model.revision;
        let oldest = self.engine.state.oldest_revision();
        let revision = match self.random.below(8) {
            1 | 2 if self.near => newest - self.random.below(newest.min(3) + 1),
            0 => newest + 1 + self.random.below(3),
            1 => self.random.below(newest + 1),
            2 => oldest,
            3 => newest,
            _ => newest - self.random.below(newest.min(6) + 1),
        };
        let result = self.engine.rollback(revision);
        if !(oldest..=newest).contains(&revision) {
            assert_eq!(result, Err(Status::OutOfWindow), "seed {}: {revision}", self.seed);
            assert_eq!(self.engine.state.hash_at(revision), None, "seed {}: {revision}", self.seed);
            return self.engine.check(self.seed, &self.model);
        }
        self.model.rollback(revision);
        self.hashes.truncate(revision as usize + 1);
        let report = result.unwrap();
        assert_eq!((report.from_revision, report.to_revision), (newest, revision), "seed {}", self.seed);
        assert_eq!((report.branch, report.hash), (self.model.branch, self.hashes[revision as usize]));
        assert_eq!(report.edges as usize, self.model.world.edges.len(), "seed {}", self.seed);
        self.engine.check(self.seed, &self.model);
    }

    fn check_window(&self) {
        let state = &self.engine.state;
        for (revision, hash) in self.hashes.iter().enumerate() {
            let expected = (revision as u64 >= state.oldest_revision()).then_some(*hash);
            assert_eq!(state.hash_at(revision as u64), expected, "seed {}, revision {revision}", self.seed);
        }
    }

    fn run(&mut self, rounds: u64) {
        for _ in 0..rounds {
            self.now_unix_ms += self.random.below(3);
            match self.random.below(20) {
                0 | 1 => self.rollback(),
                2 => self.put(),
                _ => self.step(),
            }
            if self.random.below(4) == 0 {
                self.engine.check(self.seed, &self.model);
                let (source, target) = self.random.pair(self.model.limits.nodes_max);
                self.engine.check_route(self.seed, &self.model, source, target);
            }
        }
        self.engine.check(self.seed, &self.model);
        self.check_window();
    }
}

#[test]
fn short_lives_of_many_engines_are_as_in_the_model() {
    short_lives::<EdgeTable>();
}

#[test]
fn short_lives_over_blocks_of_nodes_are_as_in_the_model() {
    short_lives::<VLine>();
}

fn short_lives<E: EdgeStore>() {
    let mut statuses = BTreeMap::new();
    for seed in 0..2_000 {
        let mut pair = Pair::<E>::with_store(seed);
        pair.run(12);
        pair.statuses.into_iter().for_each(|(status, count)| *statuses.entry(status).or_insert(0) += count);
    }
    let rules = [
        Status::Ok,
        Status::BadDigest,
        Status::OutOfBounds,
        Status::Forbidden,
        Status::Conflict,
        Status::ArenaExhausted,
        Status::GraphFull,
        Status::NoSlot,
    ];
    for status in rules {
        assert!(statuses.get(&status.code()).is_some_and(|count| *count > 300), "{status:?} hardly came: {statuses:?}");
    }
}

#[test]
fn long_lives_leave_the_window_behind_and_stay_as_in_the_model() {
    long_lives::<EdgeTable>();
}

#[test]
fn long_lives_over_blocks_of_nodes_stay_as_in_the_model() {
    long_lives::<VLine>();
}

fn long_lives<E: EdgeStore>() {
    let mut left_behind = 0;
    for seed in 0..12 {
        let mut pair = Pair::<E>::with_store(seed ^ 0xaaaa_0000);
        pair.near = true;
        pair.run(1_000);
        left_behind += u64::from(pair.engine.state.oldest_revision() > 0);
        pair.near = false;
        pair.run(100);
    }
    assert!(left_behind > 6, "only {left_behind} engines outgrew their undo ring");
}

#[test]
fn the_window_reaches_as_far_back_as_the_ring_has_room() {
    let limits = support::model::Limits { nodes_max: 4, slots_max: 4, edges_max: 4, tenants: vec![] };
    for window_bytes in [0, 1 << 17, 1 << 20] {
        let mut engine = Engine::new(&limits, window_bytes);
        let mut random = Random::new(1);
        let model = Model::new(limits.clone());
        let mut input = random_input(&mut random, &model);
        while input.head.kind != lodestone_memory::RecordKind::Move {
            input = random_input(&mut random, &model);
        }
        // Node 0 to node 1 with a full payload and an edge that changes: two records, and an image of 256 bytes.
        (input.head.status, input.head.node_first, input.head.node_last) = (Status::Ok, 0, u32::MAX);
        for step in 1..=8_000_u32 {
            input.packet = [0_u32, 1, step, 232 << 16, 0, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
            input.packet.resize(256, step as u8);
            assert_eq!(engine.step(0, std::slice::from_ref(&input)), [(Status::Ok, 0)]);
        }
        let kept = engine.state.revision() - engine.state.oldest_revision();
        // A third of the room is for records of 16 bytes and two thirds are for images, which run out here.
        let images = window_bytes.max(64 * 1024) as u64 / 3 / 16 * 32;
        assert_eq!(kept, images / 256, "window of {window_bytes} bytes");
        assert!(engine.rollback(engine.state.oldest_revision() - 1).is_err());
        let report = engine.rollback(engine.state.oldest_revision()).unwrap();
        assert_eq!((report.records, engine.state.hash()), (kept * 2, engine.state.recompute_hash()));
    }
}

#[test]
fn revisions_of_one_small_change_each_are_bounded_by_their_number() {
    let limits = support::model::Limits { nodes_max: 4, slots_max: 4, edges_max: 4, tenants: vec![] };
    let mut engine = Engine::new(&limits, 0);
    let mut hashes = vec![engine.state.hash()];
    for revision in 1..=3_000_u32 {
        let arc = EdgeChange { source: 0, target: 1, mask: revision };
        assert_eq!(engine.put(u64::from(revision), &[arc]), Ok(u64::from(revision)));
        hashes.push(engine.state.hash());
    }
    // 3,000 changes of 16 bytes fit into the undo ring; what runs out is the ring of revisions.
    let oldest = engine.state.oldest_revision();
    assert!((1_900..=2_000).contains(&oldest), "oldest revision {oldest}");
    for (revision, hash) in hashes.iter().enumerate() {
        let expected = (revision as u64 >= oldest).then_some(*hash);
        assert_eq!(engine.state.hash_at(revision as u64), expected, "revision {revision}");
    }
    assert_eq!(engine.state.revision_at(2_500), 2_500);
    assert_eq!(engine.state.revision_at(0), oldest);
    assert_eq!(engine.rollback(oldest - 1), Err(Status::OutOfWindow));
    assert_eq!(engine.rollback(oldest).unwrap().hash, hashes[oldest as usize]);
    assert_eq!(u64::from(engine.state.edge_mask(0, 1)), oldest);
}

#[test]
fn other_batches_give_other_revisions_but_the_same_state_and_hash() {
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let limits = small_limits(&mut random);
        let mut model = Model::new(limits.clone());
        let inputs: Vec<Input> = (0..200)
            .map(|_| {
                let input = random_input(&mut random, &model);
                model.step(&[input.record()]);
                input
            })
            .collect();
        let mut one_by_one = Engine::new(&limits, 0);
        let outcomes: Vec<_> = inputs.chunks(1).flat_map(|batch| one_by_one.step(0, batch)).collect();
        one_by_one.check(seed, &model);
        for size in [2, 7, 128] {
            let mut batched = Engine::new(&limits, 0);
            let found: Vec<_> = inputs.chunks(size).flat_map(|batch| batched.step(9, batch)).collect();
            assert_eq!(found, outcomes, "seed {seed}, batches of {size}");
            assert_eq!(batched.state.hash(), one_by_one.state.hash(), "seed {seed}, batches of {size}");
            assert_eq!(batched.state.hash(), batched.state.recompute_hash(), "seed {seed}, batches of {size}");
            assert!(batched.state.revision() <= one_by_one.state.revision(), "seed {seed}");
        }
    }
}

#[test]
fn engines_with_the_same_input_agree_on_every_revision_whatever_holds_their_edges() {
    for seed in 0..60 {
        let (mut first, mut second) = (Pair::new(seed), Pair::<VLine>::with_store(seed));
        for _ in 0..10 {
            first.run(5);
            second.run(5);
            assert_eq!(first.hashes, second.hashes, "seed {seed}");
            assert_eq!(first.engine.state.to_commit(), second.engine.state.to_commit(), "seed {seed}");
        }
    }
}

#[test]
fn different_states_have_different_hashes() {
    let mut seen = BTreeMap::new();
    for seed in 0..300 {
        let mut pair = Pair::new(seed);
        for _ in 0..15 {
            pair.step();
            let hash = (pair.engine.state.hash().low, pair.engine.state.hash().high);
            let known = seen.entry(hash).or_insert_with(|| world_bytes(&pair.model));
            assert_eq!(*known, world_bytes(&pair.model), "seed {seed}: two states with one hash");
        }
    }
    assert!(seen.len() > 3_000, "{} states", seen.len());
}

/// What the hash covers; tenants of slots are not a part of it.
fn world_bytes(model: &Model) -> String {
    let slots: Vec<_> = model.world.slots.iter().map(|(slot, (content, _))| (slot, content)).collect();
    format!("{slots:?}{:?}{:?}", model.world.nodes, model.world.edges)
}

#[test]
fn a_refused_load_changes_nothing() {
    let limits = support::model::Limits { nodes_max: 10, slots_max: 2, edges_max: 3, tenants: vec![] };
    let mut engine = Engine::new(&limits, 0);
    let arc = |source, target, mask| EdgeChange { source, target, mask };
    assert_eq!(engine.put(1, &[arc(0, 1, 5), arc(1, 2, 5)]), Ok(1));
    for (bad, index) in [(arc(3, 3, 1), 1), (arc(10, 3, 1), 1), (arc(3, 10, 1), 1), (arc(3, 4, 0), 1)] {
        assert_eq!(engine.put(2, &[arc(5, 6, 1), bad]), Err(PutError::OutOfBounds { index }));
    }
    assert_eq!(engine.put(2, &[arc(0, 1, 6), arc(5, 6, 1), arc(6, 7, 1)]), Err(PutError::GraphFull));
    assert_eq!((engine.state.revision(), engine.state.edge_mask(0, 1), engine.pathfinder.edges()), (1, 5, 2));
    assert_eq!(engine.put(2, &[arc(0, 1, 5)]), Ok(1), "no change, no revision");
    assert_eq!(engine.put(2, &[arc(0, 1, 6), arc(5, 6, 1)]), Ok(2));
    assert_eq!(engine.state.hash(), engine.state.recompute_hash());
}
