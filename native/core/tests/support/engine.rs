//! The engine's state together with its region and a pathfinder that follows it, and records to drive it.

use lodestone_core::edges::{EdgeStore, EdgeTable};
use lodestone_core::pathfinder::{Pathfinder, PathfinderConfig, Route, RouteStatus};
use lodestone_core::{EdgeChange, Outcome, PutError, RollbackReport, StateConfig, StateWith, TenantQuota};
use lodestone_memory::nodes::{Node, NodeReader, SLOT_NONE};
use lodestone_memory::{Record, RecordHead, RecordKind, Region, RegionOptions, RegionPlace, Status};

use super::graph;
use super::model::{Limits, Model};
use super::random::Random;

/// Time of revision 0, before that of any batch: tests count from 0 and find it raised to this.
const START_UNIX_MS: u64 = 1;

/// A record with its own packet.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) head: RecordHead,
    pub(crate) packet: Vec<u8>,
}

impl Input {
    pub(crate) fn record(&self) -> Record<'_> {
        Record { head: self.head, packet: &self.packet }
    }
}

pub(crate) struct Engine<E: EdgeStore = EdgeTable> {
    pub(crate) state: StateWith<E>,
    pub(crate) pathfinder: Pathfinder,
    reader: NodeReader,
    route: Route,
    // Last, so that it outlives the state, which writes into it.
    _region: Region,
}

impl Engine {
    /// With the store that the product uses.
    pub(crate) fn new(limits: &Limits, window_bytes: usize) -> Self {
        Self::with_store(limits, window_bytes)
    }
}

impl<E: EdgeStore> Engine<E> {
    pub(crate) fn with_store(limits: &Limits, window_bytes: usize) -> Self {
        let options = RegionOptions {
            place: RegionPlace::Anonymous,
            nodes_max: limits.nodes_max,
            slots_max: limits.slots_max,
            watches_max: 0,
            bridge: lodestone_memory::rings::BridgeSizes::default(),
            log_bytes: 4_096,
            touch: false,
            abi_fingerprint: 1,
            start_unix_ms: 1,
        };
        let mut region = Region::create(&options).unwrap();
        let ends = region.take_engine_ends();
        let (edges_max, tenants) = (limits.edges_max, limits.tenants.clone());
        let config = StateConfig { edges_max, window_bytes, tenants, start_unix_ms: START_UNIX_MS, index_salt: 0x5a17 };
        let nodes_max = limits.nodes_max;
        let paths = PathfinderConfig { nodes_max, edges_max, budget: u64::MAX, index_salt: 0, preallocate: false };
        Self {
            state: StateWith::new(&config, ends.nodes, ends.slots).unwrap(),
            pathfinder: Pathfinder::new(&paths).unwrap(),
            reader: region.reader(),
            route: Route::with_capacity(nodes_max as usize).unwrap(),
            _region: region,
        }
    }

    /// Applies a batch; status and node of each record.
    pub(crate) fn step(&mut self, now_unix_ms: u64, inputs: &[Input]) -> Vec<(Status, u32)> {
        let records: Vec<_> = inputs.iter().map(Input::record).collect();
        let mut outcomes = vec![Outcome::NONE; records.len()];
        let step = self.state.step(now_unix_ms, &records, &mut outcomes);
        assert_eq!(step.revision, self.state.revision());
        self.follow();
        outcomes.iter().map(|outcome| (outcome.status, outcome.node)).collect()
    }

    pub(crate) fn put(&mut self, now_unix_ms: u64, arcs: &[EdgeChange]) -> Result<u64, PutError> {
        let put = self.state.put_arcs(now_unix_ms, arcs);
        if put.is_ok() {
            self.follow();
        }
        put
    }

    pub(crate) fn rollback(&mut self, revision: u64) -> Result<RollbackReport, Status> {
        let Self { state, pathfinder, .. } = self;
        state.rollback(revision, |edge| pathfinder.apply(edge.source, edge.target, edge.mask))
    }

    fn follow(&mut self) {
        let changes = self.state.changes().iter();
        changes.for_each(|edge| self.pathfinder.apply(edge.source, edge.target, edge.mask));
    }

    /// Whether everything that can be seen is as in the model.
    pub(crate) fn check(&self, seed: u64, model: &Model) {
        let (state, world) = (&self.state, &model.world);
        assert_eq!(state.revision(), model.revision, "seed {seed}");
        assert_eq!(state.slots_used() as usize, world.slots.len(), "seed {seed}");
        let high_water = world.slots.last_key_value().map_or(0, |(slot, _)| slot + 1);
        assert_eq!(state.slots_high_water(), high_water, "seed {seed}");
        for node in 0..model.limits.nodes_max {
            let (slot, version) = world.nodes.get(&node).copied().unwrap_or((None, 0));
            let expected = Node { slot: slot.unwrap_or(SLOT_NONE), version };
            assert_eq!(state.node(node), Some(expected), "seed {seed}, node {node}");
            let content = slot.map_or([0; 256], |slot| world.slots[&slot].0);
            let (seen, image) = self.reader.read(node).unwrap();
            let bytes: Vec<u8> = image.iter().flat_map(|word| word.to_le_bytes()).collect();
            assert_eq!((seen, bytes.as_slice()), (expected, content.as_slice()), "seed {seed}, node {node}");
            assert_eq!(state.slot_image(node), Some(image), "seed {seed}, node {node}");
        }
        assert_eq!((state.node(model.limits.nodes_max), state.slot_image(u32::MAX)), (None, None), "seed {seed}");
        let mut edges: Vec<_> = state.edges().map(|edge| ((edge.source, edge.target), edge.mask)).collect();
        edges.sort_unstable();
        assert!(edges.into_iter().eq(world.edges.iter().map(|(ends, mask)| (*ends, *mask))), "seed {seed}: edges");
        assert_eq!(self.pathfinder.edges(), world.edges.len() as u64, "seed {seed}");
        assert_eq!(state.hash(), state.recompute_hash(), "seed {seed}");
        assert_eq!(state.hash_at(model.revision), Some(state.hash()), "seed {seed}");
        let commit = state.to_commit();
        assert_eq!((commit.revision, commit.branch), (model.revision, model.branch), "seed {seed}");
        assert_eq!(commit.edges as usize, world.edges.len(), "seed {seed}");
        assert_eq!((commit.hash_low, commit.hash_high), (state.hash().low, state.hash().high), "seed {seed}");
    }

    /// Whether a route between two nodes is as in the model.
    pub(crate) fn check_route(&mut self, seed: u64, model: &Model, source: u32, target: u32) {
        let graph = graph::Model { nodes: model.limits.nodes_max, edges: model.world.edges.clone() };
        let expected = graph.path(source, target, &graph.labels(source));
        let status = self.pathfinder.route(source, target, &mut self.route);
        assert_eq!(status == RouteStatus::Found, expected.is_some(), "seed {seed}: {source} to {target}");
        let found = (self.route.distance, self.route.nodes.clone());
        assert_eq!(found, expected.unwrap_or((u64::MAX, vec![])), "seed {seed}: {source} to {target}");
    }
}

/// Limits so small that every bound is met all the time.
pub(crate) fn small_limits(random: &mut Random) -> Limits {
    let slots_max = 2 + random.below(9) as u32;
    let mut tenants = vec![];
    let mut left = slots_max;
    for tenant in 1..=random.below(4) as u32 {
        let guaranteed_slots = random.below(u64::from(left.min(3)) + 1) as u32;
        let slots_max = guaranteed_slots.max(1 + random.below(u64::from(slots_max)) as u32);
        tenants.push(TenantQuota { tenant, guaranteed_slots, slots_max });
        left -= guaranteed_slots;
    }
    random.shuffle(&mut tenants);
    Limits { nodes_max: 3 + random.below(14) as u32, slots_max, edges_max: 1 + random.below(40) as u32, tenants }
}

/// A MOVE or RELEASE that is mostly good, aimed at a world like this one.
pub(crate) fn random_input(random: &mut Random, model: &Model) -> Input {
    let nodes_max = u64::from(model.limits.nodes_max);
    let narrow = random.below(8) == 0;
    let mut head = RecordHead {
        kind: if random.below(6) == 0 { RecordKind::Release } else { RecordKind::Move },
        ack_each: false,
        status: Status::Ok,
        tenant: random.below(6) as u32,
        node_first: if narrow { random.below(nodes_max) as u32 } else { 0 },
        node_last: if narrow { random.below(nodes_max + 2) as u32 } else { u32::MAX },
        counter: 0,
        node: 0,
        argument: 0,
    };
    let source = if random.below(40) == 0 { random.next() as u32 } else { random.below(nodes_max) as u32 };
    let source = if random.below(40) == 0 { model.limits.nodes_max } else { source };
    if head.kind == RecordKind::Release {
        head.node = source;
        head.argument = u32::from(random.below(30) == 0);
        return Input { head, packet: vec![] };
    }
    if random.below(30) == 0 {
        head.status = Status::BadDigest;
    }
    Input { head, packet: random_packet(random, model, source) }
}

fn random_packet(random: &mut Random, model: &Model, source: u32) -> Vec<u8> {
    let nodes_max = u64::from(model.limits.nodes_max);
    let target = if random.below(40) == 0 { u32::MAX } else { random.below(nodes_max) as u32 };
    let mask = match random.below(4) {
        0 => 0,
        1 => 0x1_0000, // weight 0
        2 => random.below(4) as u32,
        _ => random.next() as u32,
    };
    let version = match random.below(6) {
        0 => model.world.nodes.get(&source).map_or(1, |(_, version)| *version),
        1 => random.below(5),
        _ => 0,
    };
    let payload = [0, 1, 7, 8, 9, 40, 231, 232][random.below(8) as usize];
    let mut packet = vec![];
    packet.extend(source.to_le_bytes());
    packet.extend(target.to_le_bytes());
    packet.extend(mask.to_le_bytes());
    packet.extend([0, 0, payload, 0]);
    packet.extend(version.to_le_bytes());
    // Often zeros: what is equal by chance must still be told apart by length.
    packet.extend((0..payload).map(|_| random.below(3) as u8));
    match random.below(120) {
        0 => packet[12] = 1,
        1 => packet[13] = 1,
        2 => packet[14] ^= 1,
        3 => packet[15] = 1,
        4 => packet.push(0),
        5 => packet.truncate(random.below(24) as usize),
        _ => {}
    }
    packet
}
