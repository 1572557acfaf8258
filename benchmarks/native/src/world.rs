//! The state that is measured, over one of the graphs.

use std::time::{Duration, Instant};

use lodestone_core::edges::{EdgeStore, EdgeTable};
use lodestone_core::{
    BATCH_RECORDS_MAX, EdgeChange, Outcome, PUT_ARCS_MAX, State, StateConfig, StateWith,
};
use lodestone_memory::header::Header;
use lodestone_memory::page::PAGE_BYTES;
use lodestone_memory::{
    Page, PagePool, Record, RecordHead, RecordKind, Region, RegionOptions, RegionPlace, Status,
};

use crate::graphs::Graph;

/// The store of edges that the engine uses.
pub(crate) type EngineStore = EdgeTable;
const _: fn(State) -> StateWith<EngineStore> = |state| state;

/// The application's bytes in each move: a frame of 64 bytes in all.
pub(crate) const PAYLOAD_BYTES: usize = 40;
pub(crate) const PACKET_BYTES: usize = 24 + PAYLOAD_BYTES;

/// Changes of one batch, and moves.
pub(crate) const BATCH: u64 = BATCH_RECORDS_MAX as u64;

/// A number that looks random, from one that does not.
pub(crate) fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// What a record of a move says besides its packet.
pub(crate) fn head(counter: u64) -> RecordHead {
    RecordHead {
        kind: RecordKind::Move,
        ack_each: false,
        status: Status::Ok,
        tenant: 0,
        node_first: 0,
        node_last: u32::MAX,
        counter,
        node: 0,
        argument: 0,
    }
}

/// Sizes of a world besides those of its graph.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    pub(crate) slots: u32,
    /// Nodes behind those of the graph, without edges at first.
    pub(crate) nodes_more: u32,
    /// Edges that fit besides those of the graph.
    pub(crate) edges_more: u32,
    pub(crate) window_bytes: usize,
}

pub(crate) struct World<'a, E: EdgeStore> {
    pub(crate) state: StateWith<E>,
    pub(crate) header: Header,
    graph: &'a Graph,
    pages: PagePool,
    moves: u64,
    outcomes: [Outcome; BATCH_RECORDS_MAX],
    // Last, so that it outlives the state, which writes into it.
    _region: Region,
}

impl<'a, E: EdgeStore> World<'a, E> {
    pub(crate) fn new(graph: &'a Graph, room: Room) -> World<'a, E> {
        let options = RegionOptions {
            place: RegionPlace::Anonymous,
            nodes_max: graph.nodes + room.nodes_more,
            slots_max: room.slots,
            watches_max: 0,
            bridge: lodestone_memory::rings::BridgeSizes::default(),
            log_bytes: 4_096,
            touch: true,
            abi_fingerprint: 0,
            start_unix_ms: 1,
        };
        let mut region = Region::create(&options).expect("memory for the region");
        let ends = region.take_engine_ends();
        let config = StateConfig {
            edges_max: graph.arcs as u32 + room.edges_more,
            window_bytes: room.window_bytes,
            tenants: vec![],
            start_unix_ms: 1,
            index_salt: 7,
        };
        let state = StateWith::new(&config, ends.nodes, ends.slots).expect("memory for the state");
        World {
            state,
            header: region.header(),
            graph,
            pages: PagePool::new(4 * PAGE_BYTES, true).expect("memory for the pages"),
            moves: 0,
            outcomes: [Outcome::NONE; BATCH_RECORDS_MAX],
            _region: region,
        }
    }

    /// Sets every edge, in random order, and tells how long that took; drawing the arcs is not timed.
    pub(crate) fn load(&mut self) -> Duration {
        let (mut arcs, mut spent) = (Vec::with_capacity(PUT_ARCS_MAX), Duration::ZERO);
        for first in (0..self.graph.arcs).step_by(PUT_ARCS_MAX) {
            let end = self.graph.arcs.min(first + PUT_ARCS_MAX as u64);
            arcs.clear();
            arcs.extend((first..end).map(|place| self.graph.scattered(place)));
            let start = Instant::now();
            self.put(&arcs);
            spent += start.elapsed();
        }
        spent
    }

    /// Sets edges as one revision and publishes it.
    pub(crate) fn put(&mut self, arcs: &[EdgeChange]) {
        self.state
            .put_arcs(1, arcs)
            .expect("the edges fit, and their nodes exist");
        self.header.publish(&self.state.to_commit());
    }

    /// A random edge that is there, with another mask each time.
    pub(crate) fn any_edge(&mut self) -> EdgeChange {
        self.moves += 1;
        let edge = self.graph.arc(mix(self.moves) % self.graph.arcs);
        EdgeChange {
            mask: 0x1_0000 | self.moves as u32 & 0xffff,
            ..edge
        }
    }

    /// Nanoseconds a change of an edge that is there, in batches of so many, with undo and hash, without a slot.
    pub(crate) fn change_ns(&mut self, changes: u64, batch: u64) -> f64 {
        let mut arcs = Vec::with_capacity(BATCH_RECORDS_MAX);
        let mut spent = Duration::ZERO;
        for _ in 0..changes / BATCH {
            arcs.clear();
            arcs.extend((0..BATCH).map(|_| self.any_edge()));
            // Drawing a run of changes is not timed, and its length is the same whatever the size of a batch is.
            let start = Instant::now();
            arcs.chunks(batch as usize)
                .for_each(|batch| self.put(batch));
            spent += start.elapsed();
        }
        spent.as_nanos() as f64 / (changes / BATCH * BATCH) as f64
    }

    /// Nanoseconds a move, from taken to published, in batches of 128. Filling the page is not timed: ingress does it.
    pub(crate) fn move_ns(&mut self, moves: u64) -> f64 {
        let mut spent = Duration::ZERO;
        for _ in 0..moves / BATCH {
            let page = self.fill(BATCH);
            let start = Instant::now();
            self.step(&page);
            spent += start.elapsed();
        }
        spent.as_nanos() as f64 / (moves / BATCH * BATCH) as f64
    }

    /// Puts the next moves into a page, as ingress does.
    pub(crate) fn fill(&mut self, count: u64) -> Page {
        let mut page = self.pages.try_take().expect("one page at a time is out");
        let mut packet = [0x5a_u8; PACKET_BYTES];
        packet[12..24].fill(0);
        packet[14..16].copy_from_slice(&(PAYLOAD_BYTES as u16).to_le_bytes());
        for _ in 0..count {
            let edge = self.any_edge();
            packet[..4].copy_from_slice(&edge.source.to_le_bytes());
            packet[4..8].copy_from_slice(&edge.target.to_le_bytes());
            packet[8..12].copy_from_slice(&edge.mask.to_le_bytes());
            packet[24..32].copy_from_slice(&self.moves.to_le_bytes());
            page.push(head(self.moves), &packet)
                .expect("128 packets of 64 bytes fit a page");
        }
        page
    }

    /// Decides a page and publishes the revision, as the engine thread does; all moves must be accepted.
    pub(crate) fn step(&mut self, page: &Page) {
        let last = page.len() - 1;
        let records: [Record<'_>; BATCH_RECORDS_MAX] =
            std::array::from_fn(|index| page.record(index.min(last)));
        let step = self
            .state
            .step(1, &records[..page.len()], &mut self.outcomes);
        self.header.publish(&self.state.to_commit());
        assert!(
            step.accepted as usize == page.len(),
            "a move was refused: {:?}",
            &self.outcomes[..page.len()]
        );
    }

    /// Goes back and publishes; nanoseconds, records undone, and whether hash, edge count and a hash computed anew (if
    /// that is wanted) are what they were.
    pub(crate) fn back_to(&mut self, mark: &Mark, recompute: bool) -> (f64, u64, bool) {
        let start = Instant::now();
        let report = self
            .state
            .rollback(mark.revision, |_| {})
            .expect("the revision is in the window");
        self.header.publish(&self.state.to_commit());
        let spent_ns = start.elapsed().as_nanos() as f64;
        let mut equal = report.hash == mark.hash && report.edges == mark.edges;
        if recompute {
            equal &= self.state.recompute_hash() == mark.hash;
        }
        (spent_ns, report.records, equal)
    }

    /// The state now, to come back to.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            revision: self.state.revision(),
            hash: self.state.hash(),
            edges: self.state.to_commit().edges,
        }
    }
}

/// What a revision was.
pub(crate) struct Mark {
    revision: u64,
    hash: lodestone_core::StateHash,
    edges: u64,
}
