//! Where each byte of the shared region lies: the source of `docs/shared-memory.md`.
//!
//! All offsets and sizes are bytes, all words little-endian. A change of anything here raises [`LAYOUT_VERSION`].

use crate::rings::layout::{BridgeSizes, PRODUCER_BYTES, PRODUCERS_MAX, REPLY_BYTES};

/// "LODESTN1" read as a little-endian word.
pub const REGION_MAGIC: u64 = u64::from_le_bytes(*b"LODESTN1");
/// Version of this layout; a reader refuses any other.
pub const LAYOUT_VERSION: u32 = 4;
/// Bytes of the header page.
pub const HEADER_BYTES: usize = 4096;

/// Header: [`REGION_MAGIC`], written last.
pub const HEADER_MAGIC: usize = 0;
/// Header: u32 layout version, u32 header bytes.
pub const HEADER_VERSION: usize = 8;
/// Header: u64 ABI fingerprint of the library that made the region.
pub const HEADER_ABI_FINGERPRINT: usize = 16;
/// Header: u64 generation, never 0 while the engine is open, 0 from close on.
pub const HEADER_GENERATION: usize = 24;
/// Header: u32 state, u32 process id.
pub const HEADER_STATE_PID: usize = 32;
/// Header: u64 start of the engine, Unix milliseconds.
pub const HEADER_START_UNIX_MS: usize = 40;
/// Header: u64 bytes of the region.
pub const HEADER_REGION_BYTES: usize = 48;
/// Header: u32 number of sections, u32 zero.
pub const HEADER_SECTION_COUNT: usize = 56;
/// Header: section table.
pub const HEADER_SECTIONS: usize = 64;
/// Most sections in the table.
pub const SECTIONS_MAX: usize = 16;
/// Bytes of a section table entry: u32 kind, u32 item bytes, u64 offset, u64 items, u64 zero.
pub const SECTION_ENTRY_BYTES: usize = 32;
/// Header: commit line, ten words, see [`crate::header::Commit`].
pub const HEADER_COMMIT: usize = 1024;
/// Header: u64 Unix milliseconds of the engine's last sign of life.
pub const HEADER_HEARTBEAT: usize = 1280;
/// Header: u32 word on which the engine thread sleeps, see [`crate::rings`].
pub const HEADER_BELL: usize = 1536;
/// Header: u32 who has to have a barrier of its own before it looks at that word, see [`crate::rings::ORDER_ALL`].
pub const HEADER_ORDER: usize = 1540;
/// Header: u64 namespace of the engine's process number, 0 where the system does not tell.
pub const HEADER_NAMESPACE: usize = 1544;
/// Header: u32 bytes of the poison text, then the text (UTF-8).
pub const HEADER_POISON: usize = 2048;
/// Most bytes of the poison text.
pub const POISON_TEXT_MAX: usize = 1020;

/// Words in the counters section.
pub const COUNTERS_MAX: usize = 128;
/// Histograms in the histogram section.
pub const HISTOGRAMS_MAX: usize = 8;
/// Words of one histogram.
pub const HISTOGRAM_BUCKETS: usize = 1056;
/// Bytes of a node table entry.
pub const NODE_BYTES: usize = 16;
/// Bytes of a slot.
pub const SLOT_BYTES: usize = 256;
/// Bytes of an event cell.
pub const EVENT_BYTES: usize = 64;
/// Cells in the event ring.
pub const EVENTS_MAX: usize = 16_384;
/// Bytes of the body of one event.
pub const EVENT_BODY_BYTES: usize = 40;

/// Log ring: u64 tail, the position behind the last record that was begun.
pub const LOG_TAIL: usize = 128;
/// Log ring: u64, one more than the position up to which the engine's own process has forwarded records; 0: it forwards none.
pub const LOG_TAKEN: usize = 256;
/// Bytes of the log ring before its cells.
pub const LOG_HEAD_BYTES: usize = 512;
/// Bytes of a cell of the log ring.
pub const LOG_CELL_BYTES: usize = 512;

/// Bytes of the head of a watch: u64 sequence, u32 source, u32 state, u64 id, u64 revision, u64 branch, zeros.
pub const WATCH_HEAD_BYTES: usize = 64;
/// Most watches of a region.
pub const WATCHES_MAX: u32 = 64;

/// Bytes of one watch: its head, and a label of 8 bytes for each node, up to a full cache line. `None` when that leaves
/// the address space.
pub fn watch_bytes(nodes_max: usize) -> Option<usize> {
    nodes_max.checked_mul(8)?.checked_add(WATCH_HEAD_BYTES)?.checked_next_multiple_of(WATCH_HEAD_BYTES)
}

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum SectionKind {
    /// 128 words.
    Counters = 1,
    /// 8 histograms.
    Histograms = 2,
    /// One entry a node.
    Nodes = 3,
    /// One entry a slot.
    Slots = 4,
    /// The event ring.
    Events = 5,
    /// One entry a watch: its head and its labels.
    Watched = 6,
    /// One entry a producer.
    Producers = 7,
    /// One item a lane.
    Lanes = 8,
    /// The ring, one item.
    Ring = 9,
    /// One area a producer.
    Replies = 10,
    /// The log ring, one item.
    Log = 11,
}

/// One section of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it holds.
    pub kind: SectionKind,
    /// Bytes from the region's start to its first item.
    pub offset: usize,
    /// Bytes of one item.
    pub item_bytes: usize,
    /// Number of items.
    pub items: usize,
}

impl Section {
    /// Number of 64-bit words in the section.
    pub fn words(&self) -> usize {
        self.items * self.item_bytes / 8
    }
}

/// Number of sections.
pub const SECTIONS: usize = 11;

/// The sections of a region with this many nodes, slots and watches, this bridge and a log of
/// these bytes, a power of two, in their order, and the region's
/// bytes. Every section begins on a page. `None` when the sizes leave the address space.
pub fn sections(
    nodes_max: usize,
    slots_max: usize,
    watches_max: usize,
    bridge: &BridgeSizes,
    log_bytes: usize,
) -> Option<([Section; SECTIONS], usize)> {
    let wanted = [
        (SectionKind::Counters, 8, COUNTERS_MAX),
        (SectionKind::Histograms, HISTOGRAM_BUCKETS * 8, HISTOGRAMS_MAX),
        (SectionKind::Nodes, NODE_BYTES, nodes_max),
        (SectionKind::Slots, SLOT_BYTES, slots_max),
        (SectionKind::Events, EVENT_BYTES, EVENTS_MAX),
        (SectionKind::Watched, watch_bytes(nodes_max)?, watches_max),
        (SectionKind::Producers, PRODUCER_BYTES, PRODUCERS_MAX),
        (SectionKind::Lanes, bridge.lane_item_bytes(), bridge.lanes),
        (SectionKind::Ring, bridge.ring_item_bytes(), 1),
        (SectionKind::Replies, REPLY_BYTES, PRODUCERS_MAX),
        (SectionKind::Log, log_bytes.checked_add(LOG_HEAD_BYTES)?, 1),
    ];
    let mut end = HEADER_BYTES;
    let mut placed = [Section { kind: SectionKind::Counters, offset: 0, item_bytes: 0, items: 0 }; SECTIONS];
    for (section, (kind, item_bytes, items)) in placed.iter_mut().zip(wanted) {
        *section = Section { kind, offset: end, item_bytes, items };
        end = item_bytes.checked_mul(items)?.checked_add(end)?.checked_next_multiple_of(HEADER_BYTES)?;
    }
    Some((placed, end))
}

const _: () = assert!(HEADER_SECTIONS + SECTIONS_MAX * SECTION_ENTRY_BYTES <= HEADER_COMMIT);
const _: () = assert!(HEADER_COMMIT + 10 * 8 <= HEADER_HEARTBEAT);
const _: () = assert!(HEADER_HEARTBEAT + 128 <= HEADER_BELL && HEADER_NAMESPACE + 8 <= HEADER_BELL + 128);
const _: () = assert!(HEADER_ORDER + 4 <= HEADER_NAMESPACE && HEADER_BELL + 128 <= HEADER_POISON);
const _: () = assert!(HEADER_POISON + 4 + POISON_TEXT_MAX <= HEADER_BYTES);
const _: () = assert!(8 + 16 + EVENT_BODY_BYTES == EVENT_BYTES);

#[cfg(test)]
mod tests {
    use super::*;

    const BRIDGE: BridgeSizes = BridgeSizes { lanes: 4, lane_bytes: 65_536, ring_bytes: 1 << 20 };

    #[test]
    fn sections_follow_each_other_without_overlap_on_page_boundaries() {
        let (sections, bytes) = sections(1_000_003, 256_000, 3, &BRIDGE, 65_536).unwrap();
        let mut end = HEADER_BYTES;
        for section in sections {
            assert_eq!(section.offset, end);
            assert!(section.offset.is_multiple_of(HEADER_BYTES));
            end = (section.offset + section.item_bytes * section.items).next_multiple_of(HEADER_BYTES);
        }
        assert_eq!(bytes, end);
        assert!(super::sections(usize::MAX / 8, 1, 0, &BRIDGE, 0).is_none());
        assert!(super::sections(1 << 27, 1, usize::MAX >> 29, &BRIDGE, 0).is_none());
    }
}
