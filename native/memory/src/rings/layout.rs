//! Where each byte of the bridge lies; part of the contract of `docs/shared-memory.md`. Offsets and sizes are bytes.

/// Bytes of a cell, the unit in which rings are claimed: one cache line.
pub const CELL_BYTES: usize = 64;
/// Bytes of the header of a record's first cell: u32 bytes with this header, u16 kind, u16 zero.
pub const CELL_HEADER_BYTES: usize = 8;
/// Bytes of the header behind it: u8 type, u8 flags 0, u16 bytes of body, u32 producer, u64 counter.
pub const RECORD_HEADER_BYTES: usize = 16;
/// Most bytes of a body: the packet of a MOVE with 232 bytes of payload.
pub const BODY_BYTES_MAX: usize = 256;
/// Most bytes of a record.
pub const RECORD_BYTES_MAX: usize = RECORD_HEAD_BYTES + BODY_BYTES_MAX;
/// Bytes of a record before its body.
pub const RECORD_HEAD_BYTES: usize = 24;

/// Kind of a cell header: a record.
pub const CELL_RECORD: u16 = 1;
/// Kind of a cell header: nothing, to be skipped.
pub const CELL_PADDING: u16 = 2;

/// Lane or ring: u64 owner of a lane, {u32 entry + 1, u32 epoch}; 0: free. Always 0 in the ring.
pub const RING_OWNER: usize = 0;
/// Lane or ring: u64 tail, the position behind the last record (of a lane) or claim (of the ring).
pub const RING_TAIL: usize = 128;
/// Lane or ring: u64 head, the position of the first record that the engine has not taken.
pub const RING_HEAD: usize = 256;
/// Lane or ring: u64, 1 once the engine gave it up because it held what no producer writes.
pub const RING_CLOSED: usize = 264;
/// Lane or ring: its cells.
pub const RING_CELLS: usize = 512;

/// Most producers at once.
pub const PRODUCERS_MAX: usize = 64;
/// Bytes of an entry of the table of producers.
pub const PRODUCER_BYTES: usize = 2048;
/// Entry: u64 {u8 state, u24 epoch, u32 process id}.
pub const PRODUCER_STATE: usize = 0;
/// Entry: u64 start of the process, clock ticks since the machine's boot.
pub const PRODUCER_START: usize = 8;
/// Entry: u64 number of the namespace that the process id belongs to.
pub const PRODUCER_NAMESPACE: usize = 16;
/// Entry: u64 {u32 lane + 1 or 0 for the ring, u32 tenant}.
pub const PRODUCER_PLACE: usize = 24;
/// Entry: u64 claim, see [`super::claims`].
pub const PRODUCER_CLAIM: usize = 128;
/// Entry: u64 Unix milliseconds of the producer's last sign of life besides its commands.
pub const PRODUCER_SIGN: usize = 256;
/// Entry: u64 number of times that it found no room.
pub const PRODUCER_FULL: usize = 264;
/// Entry: u64 sequence of the acknowledgement line, odd while it changes; then u64 decided, revision, accepted, rejected.
pub const PRODUCER_ANSWERS: usize = 384;
/// Entry: u64 number of rejections written or being written.
pub const PRODUCER_REJECTING: usize = 424;
/// Entry: u64 number of rejections written.
pub const PRODUCER_REJECTED: usize = 432;
/// Entry: u32 word on which the producer sleeps.
pub const PRODUCER_BELL: usize = 512;
/// Entry: 64 rejections of {u64 counter, u32 node, u16 status, u16 zero}.
pub const PRODUCER_REJECTIONS: usize = 1024;
/// Rejections that an entry holds.
pub const REJECTIONS_MAX: usize = 64;
/// Bytes of a rejection.
pub const REJECTION_BYTES: usize = 16;

/// Bytes of a reply.
pub const REPLY_BYTES: usize = 33_024;
/// Reply: u64 counter of the call that it answers, written last.
pub const REPLY_COUNTER: usize = 0;
/// Reply: u64 {u16 status, u16 zero, u32 numbers in the list}.
pub const REPLY_STATUS: usize = 8;
/// Reply: 12 words.
pub const REPLY_WORDS: usize = 16;
/// Words of a reply.
pub const REPLY_WORDS_MAX: usize = 12;
/// Reply: its list, u32 each.
pub const REPLY_LIST: usize = 256;
/// Status of a reply beside those of the wire contract: every watch is in use. The number of the C interface.
pub const REPLY_WATCHES_FULL: u16 = 110;
/// Most numbers in the list: nodes of a path.
pub const REPLY_LIST_MAX: usize = 8_192;
/// Most bytes of the list.
pub const REPLY_LIST_BYTES_MAX: usize = 4 * REPLY_LIST_MAX;

/// How large the bridge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BridgeSizes {
    /// Number of lanes.
    pub lanes: usize,
    /// Bytes of the cells of one lane, a power of two.
    pub lane_bytes: usize,
    /// Bytes of the cells of the ring, a power of two.
    pub ring_bytes: usize,
}

impl Default for BridgeSizes {
    /// 4 lanes of 64 KiB and a ring of 1 MiB: the defaults of the configuration.
    fn default() -> BridgeSizes {
        BridgeSizes { lanes: 4, lane_bytes: 64 << 10, ring_bytes: 1 << 20 }
    }
}

impl BridgeSizes {
    /// Bytes of a lane's item in its section.
    pub(crate) fn lane_item_bytes(&self) -> usize {
        RING_CELLS + self.lane_bytes
    }

    /// Bytes of the ring's item in its section.
    pub(crate) fn ring_item_bytes(&self) -> usize {
        RING_CELLS + self.ring_bytes
    }
}

const _: () = assert!(RECORD_HEAD_BYTES == CELL_HEADER_BYTES + RECORD_HEADER_BYTES);
const _: () = assert!(REPLY_BYTES == REPLY_LIST + REPLY_LIST_BYTES_MAX);
const _: () = assert!(REPLY_WORDS + REPLY_WORDS_MAX * 8 <= REPLY_LIST);
const _: () = assert!(PRODUCER_REJECTIONS + REJECTIONS_MAX * REJECTION_BYTES <= PRODUCER_BYTES);
const _: () = assert!(RING_CELLS.is_multiple_of(CELL_BYTES) && RING_CLOSED < RING_CELLS);
