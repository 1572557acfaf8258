//! Before a batch is applied, all memory it will touch is asked for, so that the waits overlap instead of adding up.
//!
//! Two passes: the first asks for what the packets themselves tell, edge lines and node entries; the second for the
//! slots, which the node entries tell. Nothing is decided here: a record that will be refused costs a line fetched in
//! vain, and a slot that changes hands within the batch is waited for in its turn.

use lodestone_memory::nodes::SLOT_NONE;
use lodestone_memory::{Record, RecordKind};

use crate::edges::{EdgeChange, EdgeStore};
use crate::packet::ends_of;
use crate::state::StateWith;

impl<E: EdgeStore> StateWith<E> {
    /// Asks for the memory that these records will touch, and notes the place of each MOVE's edge. Changes nothing else.
    pub(crate) fn prefetch_batch(&mut self, records: &[Record<'_>]) {
        self.places.clear();
        for record in records {
            // A packet whose nodes are out of bounds is refused before its place is looked at.
            let mut place = E::Place::default();
            match ends_of(record.packet) {
                Some((source, target))
                    if source < self.nodes_max() && target < self.nodes_max() && source != target =>
                {
                    place = self.edges.place(source, target);
                    self.edges.prefetch(place);
                    self.nodes.prefetch(source);
                }
                _ if record.head.kind == RecordKind::Release && record.head.node < self.nodes_max() => {
                    self.nodes.prefetch(record.head.node);
                }
                _ => {}
            }
            self.places.push(place);
        }
        for (record, place) in records.iter().zip(&self.places) {
            self.edges.prefetch_behind(*place);
            let node = ends_of(record.packet).map_or(record.head.node, |(source, _)| source);
            if node >= self.nodes_max() {
                continue;
            }
            let slot = self.nodes.get(node).slot;
            if slot != SLOT_NONE {
                // What the slot holds now is likely as long as what it will hold.
                self.slots.prefetch(slot, record.packet.len().clamp(1, 256));
            }
        }
    }

    /// The same for arcs, whose nodes are in bounds.
    pub(crate) fn prefetch_arcs(&mut self, arcs: &[EdgeChange]) {
        self.places.clear();
        for arc in arcs {
            let place = self.edges.place(arc.source, arc.target);
            self.edges.prefetch(place);
            self.places.push(place);
        }
        self.places.iter().for_each(|place| self.edges.prefetch_behind(*place));
    }
}
