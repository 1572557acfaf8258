//! Going back: the undo ring is read backwards until the state is what it was.
//!
//! Edges are set back one by one. Of a slot's before-images only the oldest counts: it is restored once, at the end (see
//! [`crate::restores`]). The hash is not computed on the way but taken from the revision ring, where it was recorded.

use lodestone_memory::Status;
use lodestone_memory::nodes::{Node, SLOT_NONE};
use lodestone_memory::slots::{SLOT_WORDS, SlotImage};

use crate::edges::{EdgeChange, EdgeStore};
use crate::state::{RollbackReport, StateWith};
use crate::undo::{ImagePlace, UndoKind, UndoRecord};

/// Records that are read, prefetched and undone together. From 24 on the memory is kept busy.
const LOOK_AHEAD_RECORDS: usize = 128;

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
        let mut edge_places = [E::Place::default(); LOOK_AHEAD_RECORDS];
        while self.undo.head() != target.undo_end {
            let count = self.undo.read_back(target.undo_end, &mut ahead);
            assert!(count > 0, "the undo ring does not meet the revision's boundary");
            for (record, place) in ahead[..count].iter().zip(&mut edge_places) {
                *place = self.prefetch_entries(record);
            }
            edge_places[..count].iter().for_each(|place| self.edges.prefetch_behind(*place));
            for (record, edge_place) in ahead[..count].iter().zip(edge_places) {
                let place = self.undo.take_off(record);
                self.undo_record(record, place, edge_place, &mut changed);
            }
            records += count as u64;
        }
        self.restore_slots();
        assert!(
            self.edges.count() == target.edges,
            "the number of edges after a rollback differs from the one recorded"
        );
        assert!(self.free_slots.used() == target.slots_used, "the number of slots differs from the one recorded");
        self.hash = target.hash;
        self.revisions.truncate(revision);
        self.branch += 1;
        let (hash, branch, edges) = (self.hash, self.branch, u64::from(target.edges));
        Ok(RollbackReport { from_revision, to_revision: revision, records, hash, branch, edges })
    }

    /// Asks for what undoing the record looks up; returns the place of its edge, if it is about one.
    fn prefetch_entries(&self, record: &UndoRecord) -> E::Place {
        match record.kind {
            UndoKind::Edge => {
                let place = self.edges.place(record.node, record.aux as u32);
                self.edges.prefetch_again(place, record.detail);
                return place;
            }
            UndoKind::Write => self.restores.prefetch(record.aux as u32),
            UndoKind::Acquire | UndoKind::Release => self.nodes.prefetch(record.node),
        }
        E::Place::default()
    }

    fn undo_record(
        &mut self,
        record: &UndoRecord,
        place: ImagePlace,
        edge_place: E::Place,
        changed: &mut impl FnMut(EdgeChange),
    ) {
        match record.kind {
            UndoKind::Edge => {
                let (target, mask) = (record.aux as u32, (record.aux >> 32) as u32);
                self.edges.set_again(edge_place, record.detail, mask);
                changed(EdgeChange { source: record.node, target, mask });
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

    fn undo_release(&mut self, record: &UndoRecord, place: ImagePlace) {
        let (image, words) = self.undo.image(place);
        let (slot, version) = (record.aux as u32, image[2]);
        self.free_slots.take(slot);
        self.tenants.take(record.detail, slot);
        let slots = self.slots;
        self.nodes.update(record.node, Node { slot, version }, || slots.store(slot, &image, words));
    }

    /// Puts the images noted on the way back into their slots.
    fn restore_slots(&mut self) {
        let mut some = [(0, 0); LOOK_AHEAD_RECORDS];
        loop {
            let count = self.restores.take(&mut some);
            if count == 0 {
                return;
            }
            for (slot, place) in &some[..count] {
                self.undo.prefetch_image(*place);
                self.slots.prefetch(*slot, 1);
            }
            some[..count].iter().for_each(|(_, place)| self.nodes.prefetch(node_of(&self.undo.image(*place).0)));
            some[..count].iter().for_each(|(slot, place)| self.restore_slot(*slot, *place));
        }
    }

    fn restore_slot(&mut self, slot: u32, place: ImagePlace) {
        let (image, words) = self.undo.image(place);
        let (_, undone_words) = self.slots.load_used(slot);
        let slots = self.slots;
        let store = || slots.store(slot, &image, words.max(undone_words));
        self.nodes.update(node_of(&image), Node { slot, version: image[2] }, store);
    }
}

/// The node that a slot belongs to, which is the source of its last move.
fn node_of(image: &SlotImage) -> u32 {
    image[0] as u32
}
