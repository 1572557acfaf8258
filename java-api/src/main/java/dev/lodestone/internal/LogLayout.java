package dev.lodestone.internal;

/** Where each byte of the log ring lies (docs/shared-memory.md). Offsets and sizes are bytes. */
public final class LogLayout {
    /** Log ring: position behind the last record that was begun. */
    public static final long TAIL = 128;
    /** Log ring: one more than the position up to which this process forwarded the records of its own engine, or 0. */
    public static final long TAKEN = 256;
    /** Log ring: cells. */
    public static final long CELLS = 512;
    /** Bytes of a cell. */
    public static final long CELL_BYTES = 512;

    /** Cell: Unix microseconds. */
    public static final long TIME = 8;
    /** Cell: level, one byte. */
    public static final long LEVEL = 16;
    /** Cell: flags, one byte. */
    public static final long FLAGS = 17;
    /** Cell: bytes of the thread's name, one byte. */
    public static final long THREAD_NAME_LENGTH = 18;
    /** Cell: bytes of the target, one byte. */
    public static final long TARGET_LENGTH = 19;
    /** Cell: bytes of the message, two bytes. */
    public static final long MESSAGE_LENGTH = 20;
    /** Cell: session, four bytes. */
    public static final long SESSION = 24;
    /** Cell: number of the thread, four bytes. */
    public static final long THREAD = 28;
    /** Cell: name of the thread. */
    public static final long THREAD_NAME = 32;
    /** Most bytes of it. */
    public static final int THREAD_NAME_BYTES = 16;
    /** Cell: target. */
    public static final long TARGET = 48;
    /** Most bytes of it. */
    public static final int TARGET_BYTES = 64;
    /** Cell: message. */
    public static final long MESSAGE = 112;
    /** Most bytes of it. */
    public static final int MESSAGE_BYTES = 400;

    /** Flag: the message was cut. */
    public static final int CUT = 1;

    private LogLayout() {}

    /**
     * How many log records were begun.
     *
     * @param region the region
     * @return the position behind the last one
     */
    public static long tail(Region region) {
        try {
            return Words.opaque(region.log() + TAIL);
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    /**
     * Tells the engine of this process how far its log records were forwarded.
     *
     * @param region the region
     * @param position the position behind the last one
     */
    static void tellTaken(Region region, long position) {
        Words.putOpaque(region.log() + TAKEN, position + 1);
    }

    /**
     * Whether a log ring may take so many bytes.
     *
     * @param bytes the size of its item
     * @return whether its cells are a power of two, and at least one
     */
    static boolean isLog(long bytes) {
        long cells = bytes - CELLS;
        return cells >= CELL_BYTES && Long.bitCount(cells) == 1;
    }
}
