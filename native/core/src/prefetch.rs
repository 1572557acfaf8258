//! Before a batch is applied, all memory it will touch is asked for, so that the waits overlap instead of adding up.
//!
//! Two passes: the first asks for what the packets themselves tell, edge lines and node entries; the second for the
//! slots, which the node entries tell. Nothing is decided here: a record that will be refused costs a line fetched in
//! vain, and a slot that changes hands within the batch is waited for in its turn.

use lodestone_memory::nodes::SLOT_NONE;
use lodestone_memory::{Record, RecordKind};

use crate::edges::EdgeStore;
use crate::packet::ends_of;
use crate::state::StateWith;

impl<E: EdgeStore> StateWith<E> {
    /// Asks for the memory that these records will touch. Changes nothing.
    pub(crate) fn prefetch_batch(&self, records: &[Record<'_>]) {
        for record in records {
            match ends_of(record.packet) {
                Some((source, target)) if source < self.nodes_max() => {
                    self.edges.prefetch(source, target);
                    self.nodes.prefetch(source);
                }
                _ if record.head.kind == RecordKind::Release && record.head.node < self.nodes_max() => {
                    self.nodes.prefetch(record.head.node);
                }
                _ => {}
            }
        }
        for record in records {
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
}
