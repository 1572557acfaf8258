//! The state and how a batch changes it: router, validation, slots, edges, hash.

use std::fmt;

use lodestone_memory::header::Commit;
use lodestone_memory::nodes::{Node, NodeTable, SLOT_NONE};
use lodestone_memory::slots::{FreeSlots, SLOT_WORDS, SlotImage, SlotWords, words_used};
use lodestone_memory::{Record, RecordHead, RecordKind, Status};

use crate::edges::{EdgeChange, EdgeSizes, EdgeStore, EdgeTable};
use crate::hash::{EdgeEnds, StateHash};
use crate::packet::{Move, source_of};
use crate::restores::SlotRestores;
use crate::revisions::{Revision, RevisionRing};
use crate::tenants::{TENANTS_MAX, TenantQuota, Tenants};
use crate::undo::{UndoKind, UndoRing};
use crate::{BATCH_RECORDS_MAX, PUT_ARCS_MAX};

/// What a state is made from.
#[derive(Clone, Debug)]
pub struct StateConfig {
    /// Most edges.
    pub edges_max: u32,
    /// Bytes of the undo ring.
    pub window_bytes: usize,
    /// Quotas; tenants without one share what is left. At most 255.
    pub tenants: Vec<TenantQuota>,
    /// Time of revision 0, Unix milliseconds.
    pub start_unix_ms: u64,
    /// Mixed into the places of edges, so that nobody can choose edges that collide. No result depends on it.
    pub index_salt: u64,
}

/// Why a state could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateError {
    /// The system has not the memory for the part named.
    Memory(&'static str),
    /// More than 255 tenants, or guarantees beyond the slots there are.
    Tenants,
}

impl fmt::Display for StateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateError::Memory(part) => write!(formatter, "not enough memory for {part}; lower what sizes it"),
            StateError::Tenants => formatter.write_str(
                "arena.tenants: at most 255 tenants, and their guaranteed_slots together at most arena.capacity",
            ),
        }
    }
}

impl std::error::Error for StateError {}

/// What became of one MOVE or RELEASE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Accepted, or why not.
    pub status: Status,
    /// The node it was about, as received.
    pub node: u32,
}

impl Outcome {
    /// What a buffer of outcomes is filled with before a step.
    pub const NONE: Outcome = Outcome { status: Status::Internal, node: 0 };
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The revision now: one higher than before if anything was accepted.
    pub revision: u64,
    /// Records accepted.
    pub accepted: u32,
}

/// Why arcs of a bulk load were refused; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutError {
    /// Source or target is not below nodes_max, they are equal, or the mask is 0.
    OutOfBounds {
        /// Which arc, counted from the first of this call.
        index: usize,
    },
    /// The new edges among them do not fit.
    GraphFull,
}

/// What a rollback did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollbackReport {
    /// The revision before.
    pub from_revision: u64,
    /// The revision now.
    pub to_revision: u64,
    /// Undo records walked.
    pub records: u64,
    /// The hash now, equal to what it was at this revision.
    pub hash: StateHash,
    /// The branch now.
    pub branch: u64,
    /// Edges now.
    pub edges: u64,
}

/// The engine's state, with the store of edges that was measured best (docs/decisions/0008).
pub type State = StateWith<EdgeTable>;

/// Slots, nodes, edges, history: all that the engine holds. One writer; readers look at the shared region.
pub struct StateWith<E: EdgeStore> {
    pub(crate) nodes: NodeTable,
    pub(crate) slots: SlotWords,
    pub(crate) free_slots: FreeSlots,
    pub(crate) tenants: Tenants,
    pub(crate) edges: E,
    pub(crate) undo: UndoRing,
    pub(crate) restores: SlotRestores,
    pub(crate) revisions: RevisionRing,
    pub(crate) hash: StateHash,
    pub(crate) branch: u64,
    pub(crate) moves_accepted: u64,
    changes: Vec<EdgeChange>,
    /// Where the edge of each record or arc of the batch under way is looked for.
    pub(crate) places: Vec<E::Place>,
    nodes_max: u32,
}

impl<E: EdgeStore> StateWith<E> {
    /// An empty state at revision 0 over these nodes and slots. All memory is taken here.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn new(config: &StateConfig, nodes: NodeTable, slots: SlotWords) -> Result<StateWith<E>, StateError> {
        let capacity = slots.len() as u32;
        let guaranteed: u64 = config.tenants.iter().map(|quota| u64::from(quota.guaranteed_slots)).sum();
        if config.tenants.len() > TENANTS_MAX || guaranteed > u64::from(capacity) {
            return Err(StateError::Tenants);
        }
        let mut changes = Vec::new();
        changes.try_reserve_exact(PUT_ARCS_MAX).map_err(|_| StateError::Memory("the list of changes"))?;
        let mut places = Vec::new();
        places.try_reserve_exact(PUT_ARCS_MAX).map_err(|_| StateError::Memory("the places of a batch"))?;
        let undo = UndoRing::new(config.window_bytes);
        let nodes_max = nodes.len() as u32;
        Ok(StateWith {
            nodes,
            slots,
            free_slots: FreeSlots::new(capacity).ok_or(StateError::Memory("the slots (arena.capacity)"))?,
            tenants: Tenants::new(&config.tenants, capacity).ok_or(StateError::Memory("the slots (arena.capacity)"))?,
            edges: E::new(EdgeSizes { nodes_max, edges_max: config.edges_max }, config.index_salt)
                .ok_or(StateError::Memory("the edges (graph.edges_max)"))?,
            undo: undo.ok_or(StateError::Memory("the undo ring (rollback.window_mib)"))?,
            restores: SlotRestores::new(capacity).ok_or(StateError::Memory("the slots (arena.capacity)"))?,
            revisions: RevisionRing::new(config.window_bytes, config.start_unix_ms)
                .ok_or(StateError::Memory("the revisions (rollback.window_mib)"))?,
            hash: StateHash::default(),
            branch: 0,
            moves_accepted: 0,
            changes,
            places,
            nodes_max,
        })
    }

    /// Applies a batch of MOVEs and RELEASEs in their order and commits what was accepted as one revision.
    ///
    /// `outcomes[i]` becomes the outcome of `records[i]`. [`State::changes`] then lists the edges changed.
    ///
    /// # Panics
    /// When the batch holds more than [`BATCH_RECORDS_MAX`] records, a ROUTE or a READ, or `outcomes` is shorter.
    pub fn step(&mut self, now_unix_ms: u64, records: &[Record<'_>], outcomes: &mut [Outcome]) -> Step {
        assert!(records.len() <= BATCH_RECORDS_MAX && outcomes.len() >= records.len());
        self.changes.clear();
        self.prefetch_batch(records);
        let mut accepted = 0;
        for (index, (record, outcome)) in records.iter().zip(outcomes).enumerate() {
            let (node, result) = match record.head.kind {
                RecordKind::Move => {
                    (source_of(record.packet), self.apply_move(&record.head, record.packet, self.places[index]))
                }
                RecordKind::Release => (record.head.node, self.apply_release(&record.head)),
                _ => unreachable!("a batch holds MOVEs and RELEASEs only"),
            };
            accepted += u32::from(result.is_ok());
            *outcome = Outcome { status: result.err().unwrap_or(Status::Ok), node };
        }
        if accepted > 0 {
            self.moves_accepted += u64::from(accepted);
            self.commit(now_unix_ms);
        }
        Step { revision: self.revision(), accepted }
    }

    /// Sets edges without moving anyone, as one revision: what a bulk load does, at most [`PUT_ARCS_MAX`] at a time.
    ///
    /// # Errors
    /// See [`PutError`]; nothing is changed.
    ///
    /// # Panics
    /// When there are more than [`PUT_ARCS_MAX`] arcs.
    pub fn put_arcs(&mut self, now_unix_ms: u64, arcs: &[EdgeChange]) -> Result<u64, PutError> {
        assert!(arcs.len() <= PUT_ARCS_MAX);
        let bad = |arc: &EdgeChange| {
            arc.source >= self.nodes_max || arc.target >= self.nodes_max || arc.source == arc.target || arc.mask == 0
        };
        if let Some(index) = arcs.iter().position(bad) {
            return Err(PutError::OutOfBounds { index });
        }
        self.prefetch_arcs(arcs);
        let room = u64::from(self.edges.edges_max() - self.edges.count());
        // An arc that stands twice counts twice here: the bound is then refused a little early, never passed.
        let is_new = |place: &&E::Place| self.edges.mask_at(**place) == 0;
        if arcs.len() as u64 > room && self.places.iter().filter(is_new).count() as u64 > room {
            return Err(PutError::GraphFull);
        }
        self.changes.clear();
        arcs.iter().enumerate().for_each(|(index, arc)| self.set_edge(*arc, self.places[index]));
        if !self.changes.is_empty() {
            self.commit(now_unix_ms);
        }
        Ok(self.revision())
    }

    /// The edges that the last [`State::step`] or [`State::put_arcs`] changed, in order.
    pub fn changes(&self) -> &[EdgeChange] {
        &self.changes
    }

    fn apply_move(&mut self, head: &RecordHead, packet: &[u8], place: E::Place) -> Result<(), Status> {
        if head.status != Status::Ok {
            return Err(head.status);
        }
        let mv = Move::parse(packet, self.nodes_max).ok_or(Status::OutOfBounds)?;
        check_rights(head, mv.source)?;
        let node = self.nodes.get(mv.source);
        let expected = mv.expected_version;
        if expected != 0 && (node.slot == SLOT_NONE || expected != node.version) {
            return Err(Status::Conflict);
        }
        let acquired = if node.slot == SLOT_NONE { Some(self.free_slot_for(head.tenant)?) } else { None };
        let edge = EdgeChange { source: mv.source, target: mv.target, mask: mv.mask };
        if mv.mask != 0 && !self.edges.has_room() && self.edges.mask_at(place) == 0 {
            return Err(Status::GraphFull);
        }
        self.write_slot(&mv, node, acquired);
        self.set_edge(edge, place);
        Ok(())
    }

    fn free_slot_for(&self, tenant: u32) -> Result<(u32, u8), Status> {
        let entry = self.tenants.entry(tenant);
        let free = self.free_slots.capacity() - self.free_slots.used();
        let slot = self.free_slots.lowest().filter(|_| self.tenants.may_take(entry, free));
        slot.map(|slot| (slot, entry)).ok_or(Status::ArenaExhausted)
    }

    fn write_slot(&mut self, mv: &Move<'_>, node: Node, acquired: Option<(u32, u8)>) {
        let source = mv.source;
        let version = node.version + 1;
        let (image, words) = mv.image(version);
        let (slot, words_stored) = match acquired {
            Some((slot, entry)) => {
                self.free_slots.take(slot);
                self.tenants.take(entry, slot);
                self.undo.push(UndoKind::Acquire, entry, source, node.version, &[]);
                self.forget_slotless(source, node.version);
                (slot, words)
            }
            None => {
                let (old, old_words) = self.slots.load_used(node.slot);
                self.undo.push(UndoKind::Write, 0, source, u64::from(node.slot), &old[..old_words]);
                self.replace_hash(node.slot, &old[..old_words], &[]);
                (node.slot, words.max(old_words))
            }
        };
        self.replace_hash(slot, &[], &image[..words]);
        let slots = self.slots;
        self.nodes.update(source, Node { slot, version }, || slots.store(slot, &image, words_stored));
    }

    fn apply_release(&mut self, head: &RecordHead) -> Result<(), Status> {
        if head.status != Status::Ok {
            return Err(head.status);
        }
        if head.node >= self.nodes_max || head.argument != 0 {
            return Err(Status::OutOfBounds);
        }
        check_rights(head, head.node)?;
        let node = self.nodes.get(head.node);
        if node.slot == SLOT_NONE {
            return Err(Status::NoSlot);
        }
        let (old, words) = self.slots.load_used(node.slot);
        self.replace_hash(node.slot, &old[..words], &[]);
        let entry = self.tenants.give(node.slot);
        self.free_slots.give(node.slot);
        self.undo.push(UndoKind::Release, entry, head.node, u64::from(node.slot), &old[..words]);
        self.hash.add(StateHash::of_node(head.node, node.version));
        let (slots, to) = (self.slots, Node { slot: SLOT_NONE, version: node.version });
        self.nodes.update(head.node, to, || slots.store(node.slot, &[0; SLOT_WORDS], words));
        Ok(())
    }

    fn set_edge(&mut self, edge: EdgeChange, place: E::Place) {
        let before = self.edges.set_at(place, edge.mask);
        if before.mask == edge.mask {
            return;
        }
        self.undo.push_edge(edge.source, edge.target, before);
        self.rehash_edge(edge, before.mask);
        self.changes.push(edge);
    }

    #[inline]
    fn rehash_edge(&mut self, edge: EdgeChange, before: u32) {
        let ends = EdgeEnds::new(edge.source, edge.target);
        if before != 0 {
            self.hash.remove(ends.with_mask(before));
        }
        if edge.mask != 0 {
            self.hash.add(ends.with_mask(edge.mask));
        }
    }

    /// Takes the old words of a slot in use out of the hash and puts the new ones in; none stands for a free slot.
    fn replace_hash(&mut self, slot: u32, old: &[u64], new: &[u64]) {
        let tenant = self.tenants.owner(slot);
        if !old.is_empty() {
            self.hash.remove(StateHash::of_slot(slot, tenant, old));
        }
        if !new.is_empty() {
            self.hash.add(StateHash::of_slot(slot, tenant, new));
        }
    }

    /// A node's version counts in the hash while it has no slot to stand in.
    fn forget_slotless(&mut self, node: u32, version: u64) {
        if version != 0 {
            self.hash.remove(StateHash::of_node(node, version));
        }
    }

    fn commit(&mut self, now_unix_ms: u64) {
        let revision = Revision {
            number: self.revisions.newest() + 1,
            undo_end: self.undo.head(),
            hash: self.hash,
            edges: self.edges.count(),
            slots_used: self.free_slots.used(),
            unix_ms: now_unix_ms,
        };
        self.revisions.push(revision, self.undo.tail());
    }

    /// The revision now.
    pub fn revision(&self) -> u64 {
        self.revisions.newest()
    }

    /// The oldest revision a rollback can reach.
    pub fn oldest_revision(&self) -> u64 {
        self.revisions.oldest()
    }

    /// The newest revision in the window that was committed at or before this time; the oldest one if all came later.
    pub fn revision_at(&self, unix_ms: u64) -> u64 {
        self.revisions.at(unix_ms)
    }

    /// The state hash now.
    pub fn hash(&self) -> StateHash {
        self.hash
    }

    /// The state hash that was recorded with a revision; `None` outside the window.
    pub fn hash_at(&self, revision: u64) -> Option<StateHash> {
        self.revisions.get(revision).map(|entry| entry.hash)
    }

    /// The state hash computed from the state itself: for checks, it looks at everything.
    pub fn recompute_hash(&self) -> StateHash {
        let mut hash = StateHash::default();
        self.edges.edges().for_each(|edge| hash.add(StateHash::of_edge(edge.source, edge.target, edge.mask)));
        for number in 0..self.nodes_max {
            let node = self.nodes.get(number);
            if node.slot != SLOT_NONE {
                let image = self.slots.load(node.slot);
                let words = &image[..words_used(&image)];
                hash.add(StateHash::of_slot(node.slot, self.tenants.owner(node.slot), words));
            } else if node.version != 0 {
                hash.add(StateHash::of_node(number, node.version));
            }
        }
        hash
    }

    /// Nodes there are: ids are below this.
    pub fn nodes_max(&self) -> u32 {
        self.nodes_max
    }

    /// Most edges there can be.
    pub fn edges_max(&self) -> u32 {
        self.edges.edges_max()
    }

    /// The node's entry in the node table; `None` from `nodes_max` on.
    pub fn node(&self, node: u32) -> Option<Node> {
        (node < self.nodes_max).then(|| self.nodes.get(node))
    }

    /// The slot of the node, all zero where it has none; `None` from `nodes_max` on.
    pub fn slot_image(&self, node: u32) -> Option<SlotImage> {
        let slot = self.node(node)?.slot;
        Some(if slot == SLOT_NONE { [0; SLOT_WORDS] } else { self.slots.load(slot) })
    }

    /// The mask of an edge, 0 where there is none.
    pub fn edge_mask(&self, source: u32, target: u32) -> u32 {
        self.edges.mask(source, target)
    }

    /// Every edge, in no order that means anything.
    pub fn edges(&self) -> impl Iterator<Item = EdgeChange> + '_ {
        self.edges.edges()
    }

    /// Slots in use.
    pub fn slots_used(&self) -> u32 {
        self.free_slots.used()
    }

    /// One more than the highest slot in use. Looks at the whole free set: not for every batch.
    pub fn slots_high_water(&self) -> u32 {
        self.free_slots.high_water()
    }

    /// Bytes of history in the undo ring.
    pub fn undo_bytes_used(&self) -> u64 {
        self.undo.bytes_used()
    }

    /// What to publish now.
    pub fn to_commit(&self) -> Commit {
        Commit {
            revision: self.revision(),
            hash_low: self.hash.low,
            hash_high: self.hash.high,
            edges: u64::from(self.edges.count()),
            slots_used: u64::from(self.free_slots.used()),
            oldest_revision: self.oldest_revision(),
            commit_unix_ms: self.revisions.newest_unix_ms(),
            branch: self.branch,
            moves_accepted: self.moves_accepted,
        }
    }
}

fn check_rights(head: &RecordHead, node: u32) -> Result<(), Status> {
    if (head.node_first..=head.node_last).contains(&node) { Ok(()) } else { Err(Status::Forbidden) }
}
