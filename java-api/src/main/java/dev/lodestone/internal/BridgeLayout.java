package dev.lodestone.internal;

/** Where each byte of the bridge lies (docs/shared-memory.md). Offsets and sizes are bytes. */
public final class BridgeLayout {
    /** Bytes of a cell. */
    public static final long CELL_BYTES = 64;
    /** Bytes of a record before its body: cell header and record header. */
    public static final long RECORD_HEAD_BYTES = 24;
    /** Most bytes of a body. */
    public static final long BODY_BYTES_MAX = 256;
    /** Kind of a cell header: a record. */
    public static final long CELL_RECORD = 1;
    /** Kind of a cell header: nothing. */
    public static final long CELL_PADDING = 2;

    /** Lane: owner. */
    public static final long RING_OWNER = 0;
    /** Lane or ring: tail. */
    public static final long RING_TAIL = 128;
    /** Lane or ring: head. */
    public static final long RING_HEAD = 256;
    /** Lane or ring: given up by the engine. */
    public static final long RING_CLOSED = 264;
    /** Lane or ring: cells. */
    public static final long RING_CELLS = 512;

    /** Bytes of an entry of the table of producers. */
    public static final long PRODUCER_BYTES = 2_048;
    /** Entry: stage, epoch, process id. */
    public static final long PRODUCER_STATE = 0;
    /** Entry: start of the process. */
    public static final long PRODUCER_START = 8;
    /** Entry: namespace of the process id. */
    public static final long PRODUCER_NAMESPACE = 16;
    /** Entry: lane and tenant. */
    public static final long PRODUCER_PLACE = 24;
    /** Entry: claim in the ring. */
    public static final long PRODUCER_CLAIM = 128;
    /** Entry: last sign of life besides commands. */
    public static final long PRODUCER_SIGN = 256;
    /** Entry: how often there was no room. */
    public static final long PRODUCER_FULL = 264;
    /** Entry: acknowledgement line: sequence, decided, revision, accepted, rejected. */
    public static final long PRODUCER_ANSWERS = 384;
    /** Entry: rejections being written. */
    public static final long PRODUCER_REJECTING = 424;
    /** Entry: rejections written. */
    public static final long PRODUCER_REJECTED = 432;
    /** Entry: the half word on which the producer sleeps. */
    public static final long PRODUCER_BELL = 512;
    /** Entry: rejections. */
    public static final long PRODUCER_REJECTIONS = 1_024;
    /** Rejections that an entry holds. */
    public static final long REJECTIONS_MAX = 64;
    /** Bytes of a rejection. */
    public static final long REJECTION_BYTES = 16;

    /** Bytes of a reply area. Its first word is the counter of the call that it answers. */
    public static final long REPLY_BYTES = 33_024;
    /** Reply: status, and how many numbers are in the list. */
    public static final long REPLY_STATUS = 8;
    /** Reply: words. */
    public static final long REPLY_WORDS = 16;
    /** Reply: the list, 32 bits each. */
    public static final long REPLY_LIST = 256;
    /** Most numbers in the list. */
    public static final int REPLY_LIST_MAX = 8_192;

    /** A doorbell while its owner is awake. */
    public static final int BELL_AWAKE = 0;
    /** A doorbell while its owner sleeps or is about to. */
    public static final int BELL_ASLEEP = 1;
    /** Longest sleep on a doorbell. */
    public static final long SLEEP_NS_MAX = 50_000_000;

    private BridgeLayout() {}

    /**
     * Whether a lane or ring may take so many bytes.
     *
     * @param bytes the size of its item
     * @return whether its cells are a power of two of bytes, and some
     */
    static boolean isRing(long bytes) {
        long cells = bytes - RING_CELLS;
        return cells >= 2 * CELL_BYTES && Long.bitCount(cells) == 1;
    }
}
