//! Going back: the undo ring is read backwards until the state is what it was.
//!
//! Edges are set back one by one. Of a slot's before-images only the oldest counts: it is restored once, at the end (see
//! [`crate::restores`]). The hash is not computed on the way but taken from the revision ring, where it was recorded.

use lodestone_memory::Status;
use lodestone_memory::nodes::{Node, SLOT_NONE};
use lodestone_memory::slots::{SLOT_WORDS, words_used};

use crate::edges::{EdgeChange, EdgeStore};
use crate::state::{RollbackReport, StateWith};
use crate::undo::{UndoKind, UndoPlace, UndoRecord};

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
    /// When the numbers of edges and slots differ from those recorded with the revision: the state is damaged then, and
    /// going on would hide it. [`StateWith::recompute_hash`] compares everything; it looks at the whole state.
    pub fn rollback(&mut self, revision: u64, mut changed: impl FnMut(EdgeChange)) -> Result<RollbackReport, Status> {
        let target = *self.revisions.get(revision).ok_or(Status::OutOfWindow)?;
        let from_revision = self.revision();
        let mut records = 0;
        let mut ahead = [UndoRecord::NONE; LOOK_AHEAD_RECORDS];
        while self.undo.head() > target.undo_end {
            let count = self.undo.read_back(target.undo_end, &mut ahead);
            ahead[..count].iter().for_each(|record| self.prefetch_entries(record));
            ahead[..count].iter().for_each(|record| self.prefetch_behind_entries(record));
            for record in &ahead[..count] {
                let place = self.undo.take_off(record);
                self.undo_record(record, place, &mut changed);
            }
            records += count as u64;
        }
        self.restore_slots();
        assert!(self.undo.head() == target.undo_end, "the undo ring does not meet the revision's boundary");
        assert!(
            self.edges.count() == target.edges,
            "the number of edges after a rollback differs from the one recorded"
        );
        assert!(self.free_slots.used() == target.slots_used, "the number of slots differs from the one recorded");
        self.hash = target.hash;
        self.revisions.truncate(revision);
        self.branch += 1;
        self.last_commit_unix_ms = target.unix_ms;
        let (hash, branch, edges) = (self.hash, self.branch, u64::from(target.edges));
        Ok(RollbackReport { from_revision, to_revision: revision, records, hash, branch, edges })
    }

    /// Asks for what undoing the record looks up first.
    fn prefetch_entries(&self, record: &UndoRecord) {
        match record.kind {
            UndoKind::Edge => self.edges.prefetch(record.node, record.aux as u32),
            UndoKind::Write => {}
            UndoKind::Acquire | UndoKind::Release => self.nodes.prefetch(record.node),
        }
    }

    /// Asks for what only the first look tells.
    fn prefetch_behind_entries(&self, record: &UndoRecord) {
        if record.kind == UndoKind::Edge {
            self.edges.prefetch_behind(record.node, record.aux as u32);
        }
    }

    fn undo_record(&mut self, record: &UndoRecord, place: UndoPlace, changed: &mut impl FnMut(EdgeChange)) {
        match record.kind {
            UndoKind::Edge => {
                let edge =
                    EdgeChange { source: record.node, target: record.aux as u32, mask: (record.aux >> 32) as u32 };
                self.edges.set(edge.source, edge.target, edge.mask);
                changed(edge);
            }
            UndoKind::Write => self.restores.note(record.aux as u32, place),
            UndoKind::Acquire => self.undo_acquire(record),
            UndoKind::Release => self.undo_release(record, place),
        }
    }

    fn undo_acquire(&mut self, record: &UndoRecord) {
        let node = self.nodes.get(record.node);
        let (_, words) = self.slots.load_used(node.slot);
        self.restores.settle(node.slot);
        self.free_slots.give(node.slot);
        self.tenants.give(node.slot);
        let (slots, to) = (self.slots, Node { slot: SLOT_NONE, version: record.aux });
        self.nodes.update(record.node, to, || slots.store(node.slot, &[0; SLOT_WORDS], words));
    }

    fn undo_release(&mut self, record: &UndoRecord, place: UndoPlace) {
        let (_, image) = self.undo.taken(place);
        let (slot, version) = (record.aux as u32, image[2]);
        self.free_slots.take(slot);
        self.tenants.take(record.tenant, slot);
        let slots = self.slots;
        self.nodes.update(record.node, Node { slot, version }, || slots.store(slot, &image, words_used(&image)));
    }

    /// Puts the images noted on the way back into their slots.
    fn restore_slots(&mut self) {
        let mut some = [(0, UndoPlace { header: 0 }); LOOK_AHEAD_RECORDS];
        loop {
            let count = self.restores.take(&mut some);
            if count == 0 {
                return;
            }
            for (slot, place) in &some[..count] {
                self.undo.prefetch_taken(*place);
                self.slots.prefetch(*slot, 1);
            }
            for (slot, place) in &some[..count] {
                let (record, _) = self.undo.taken(*place);
                self.nodes.prefetch(record.node);
                self.slots.prefetch(*slot, record.payload_bytes());
            }
            some[..count].iter().for_each(|(slot, place)| self.restore_slot(*slot, *place));
        }
    }

    fn restore_slot(&mut self, slot: u32, place: UndoPlace) {
        let (record, image) = self.undo.taken(place);
        let (_, undone_words) = self.slots.load_used(slot);
        let words = words_used(&image).max(undone_words);
        let slots = self.slots;
        self.nodes.update(record.node, Node { slot, version: image[2] }, || slots.store(slot, &image, words));
    }
}
