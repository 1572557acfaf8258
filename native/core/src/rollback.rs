//! Going back: the undo ring is read backwards until the state is what it was.

use lodestone_memory::Status;
use lodestone_memory::nodes::{Node, SLOT_NONE};
use lodestone_memory::slots::{SLOT_WORDS, SlotImage, words_used};

use crate::edges::{EdgeChange, EdgeStore};
use crate::hash::StateHash;
use crate::state::{RollbackReport, StateWith};
use crate::undo::{UndoKind, UndoRecord};

/// Records that are read, prefetched and undone together. From 24 on the memory is kept busy.
const LOOK_AHEAD_RECORDS: usize = 64;

impl<E: EdgeStore> StateWith<E> {
    /// Takes the state back to `revision`: slots, versions, edges, hash, exactly. The next commit is `revision + 1` on
    /// a new branch. Every edge change is told to `changed`, so that copies can follow. Takes time in proportion to the
    /// changes undone and no memory.
    ///
    /// # Errors
    /// [`Status::OutOfWindow`] when the revision is not in the window; nothing is changed.
    ///
    /// # Panics
    /// When hash or edge count differ from those recorded with the revision: the state is damaged then, and going on
    /// would hide it.
    pub fn rollback(&mut self, revision: u64, mut changed: impl FnMut(EdgeChange)) -> Result<RollbackReport, Status> {
        let target = *self.revisions.get(revision).ok_or(Status::OutOfWindow)?;
        let from_revision = self.revision();
        let mut records = 0;
        let mut image = [0; SLOT_WORDS];
        let mut ahead = [UndoRecord::NONE; LOOK_AHEAD_RECORDS];
        while self.undo.head() > target.undo_end {
            let count = self.undo.read_back(target.undo_end, &mut ahead);
            ahead[..count].iter().for_each(|record| self.prefetch_entries(record));
            ahead[..count].iter().for_each(|record| self.prefetch_slot_of(record));
            for record in &ahead[..count] {
                self.undo.take_off(record, &mut image);
                self.undo_record(record, &image, &mut changed);
            }
            records += count as u64;
        }
        assert!(self.undo.head() == target.undo_end, "the undo ring does not meet the revision's boundary");
        assert!(self.hash == target.hash, "the state hash after a rollback differs from the one recorded");
        assert!(self.edges.count() == target.edges && self.free_slots.used() == target.slots_used);
        self.revisions.truncate(revision);
        self.branch += 1;
        self.last_commit_unix_ms = target.unix_ms;
        let (hash, branch, edges) = (self.hash, self.branch, u64::from(target.edges));
        Ok(RollbackReport { from_revision, to_revision: revision, records, hash, branch, edges })
    }

    /// Asks for what undoing the record looks up first: the line of its edge, or the entry of its node.
    fn prefetch_entries(&self, record: &UndoRecord) {
        match record.kind {
            UndoKind::Edge => self.edges.prefetch(record.node, record.aux as u32),
            UndoKind::Write | UndoKind::Acquire | UndoKind::Release => self.nodes.prefetch(record.node),
        }
    }

    /// Asks for the slot that the record will change, which the node's entry tells. Another record of the node may
    /// come before this one and give it another slot: then a line is fetched in vain.
    fn prefetch_slot_of(&self, record: &UndoRecord) {
        let slot = match record.kind {
            UndoKind::Edge => return,
            UndoKind::Write | UndoKind::Acquire => self.nodes.get(record.node).slot,
            UndoKind::Release => record.aux as u32,
        };
        if slot != SLOT_NONE {
            self.slots.prefetch(slot, record.payload_bytes().max(1));
        }
    }

    fn undo_record(&mut self, record: &UndoRecord, image: &SlotImage, changed: &mut impl FnMut(EdgeChange)) {
        match record.kind {
            UndoKind::Edge => {
                let (target, mask) = (record.aux as u32, (record.aux >> 32) as u32);
                let edge = EdgeChange { source: record.node, target, mask };
                let undone = self.edges.set(edge.source, edge.target, mask);
                self.rehash_edge(edge, undone);
                changed(edge);
            }
            UndoKind::Write => self.undo_write(record, image),
            UndoKind::Acquire => self.undo_acquire(record),
            UndoKind::Release => self.undo_release(record, image),
        }
    }

    fn undo_write(&mut self, record: &UndoRecord, image: &SlotImage) {
        let node = self.nodes.get(record.node);
        let (undone, undone_words) = self.slots.load_used(node.slot);
        let words = words_used(image);
        self.replace_hash(node.slot, &undone[..undone_words], &image[..words]);
        let (slots, to) = (self.slots, Node { slot: node.slot, version: image[2] });
        self.nodes.update(record.node, to, || slots.store(node.slot, image, words.max(undone_words)));
    }

    fn undo_acquire(&mut self, record: &UndoRecord) {
        let node = self.nodes.get(record.node);
        let (undone, words) = self.slots.load_used(node.slot);
        self.replace_hash(node.slot, &undone[..words], &[]);
        self.remember_slotless(record.node, record.aux);
        self.free_slots.give(node.slot);
        self.tenants.give(node.slot);
        let (slots, to) = (self.slots, Node { slot: SLOT_NONE, version: record.aux });
        self.nodes.update(record.node, to, || slots.store(node.slot, &[0; SLOT_WORDS], words));
    }

    fn undo_release(&mut self, record: &UndoRecord, image: &SlotImage) {
        let (slot, version) = (record.aux as u32, image[2]);
        let words = words_used(image);
        self.forget_slotless(record.node, version);
        self.free_slots.take(slot);
        self.tenants.take(record.tenant, slot);
        self.replace_hash(slot, &[], &image[..words]);
        let slots = self.slots;
        self.nodes.update(record.node, Node { slot, version }, || slots.store(slot, image, words));
    }

    fn remember_slotless(&mut self, node: u32, version: u64) {
        if version != 0 {
            self.hash.add(StateHash::of_node(node, version));
        }
    }
}
