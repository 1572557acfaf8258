//! The state that is measured: every node has a slot and the same number of edges to random nodes.

use lodestone_core::{BATCH_RECORDS_MAX, EdgeChange, Outcome, PUT_ARCS_MAX, State, StateConfig};
use lodestone_memory::header::Header;
use lodestone_memory::page::PAGE_BYTES;
use lodestone_memory::{
    Page, PagePool, Record, RecordHead, RecordKind, Region, RegionOptions, RegionPlace, Status,
};

/// Nodes and slots, as in the default configuration's slot arena.
pub(crate) const NODES: u32 = 256_000;
/// The application's bytes in each move: a frame of 64 bytes in all.
pub(crate) const PAYLOAD_BYTES: usize = 40;
pub(crate) const PACKET_BYTES: usize = 24 + PAYLOAD_BYTES;
/// Room for the history of one rollback: 96 bytes a move, 128 a revision.
const WINDOW_BYTES: usize = 768 << 20;

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

pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) header: Header,
    pub(crate) pages: PagePool,
    degree: u32,
    moves: u64,
    outcomes: [Outcome; BATCH_RECORDS_MAX],
    // Last, so that it outlives the state, which writes into it.
    _region: Region,
}

impl World {
    pub(crate) fn new(degree: u32) -> World {
        let options = RegionOptions {
            place: RegionPlace::Anonymous,
            nodes_max: NODES,
            slots_max: NODES,
            watches_max: 0,
            touch: true,
            abi_fingerprint: 0,
            start_unix_ms: 1,
        };
        let mut region = Region::create(&options).expect("memory for the region");
        let ends = region.take_engine_ends();
        let config = StateConfig {
            edges_max: NODES * degree,
            window_bytes: WINDOW_BYTES,
            tenants: vec![],
            start_unix_ms: 1,
            index_salt: 7,
        };
        let state = State::new(&config, ends.nodes, ends.slots).expect("memory for the state");
        let pages = PagePool::new(4 * PAGE_BYTES, true).expect("memory for the pages");
        let (header, outcomes) = (region.header(), [Outcome::NONE; BATCH_RECORDS_MAX]);
        World {
            state,
            header,
            pages,
            degree,
            moves: 0,
            outcomes,
            _region: region,
        }
    }

    /// An edge of the graph.
    pub(crate) fn edge(&self, source: u32, number: u32, mask: u32) -> EdgeChange {
        let away = mix(u64::from(source) << 32 | u64::from(number)) % u64::from(NODES - 1);
        EdgeChange {
            source,
            target: (source + 1 + away as u32) % NODES,
            mask,
        }
    }

    /// Sets every edge, in the order of the nodes.
    pub(crate) fn load(&mut self) {
        let mut arcs = Vec::with_capacity(PUT_ARCS_MAX);
        for source in 0..NODES {
            for number in 0..self.degree {
                arcs.push(self.edge(source, number, 0x1_0001));
                if arcs.len() == PUT_ARCS_MAX {
                    self.put(&arcs);
                    arcs.clear();
                }
            }
        }
        self.put(&arcs);
    }

    pub(crate) fn put(&mut self, arcs: &[EdgeChange]) {
        self.state
            .put_arcs(1, arcs)
            .expect("the edges fit, and their nodes exist");
        self.header.publish(&self.state.to_commit());
    }

    /// A random edge that is there, with another mask each time.
    pub(crate) fn any_edge(&mut self) -> EdgeChange {
        self.moves += 1;
        let random = mix(self.moves);
        let (source, number) = (random as u32 % NODES, (random >> 32) as u32 % self.degree);
        self.edge(source, number, 0x1_0000 | self.moves as u32 & 0xffff)
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
}
