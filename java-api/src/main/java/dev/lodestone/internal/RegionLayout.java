package dev.lodestone.internal;

/**
 * Where the sections of a region lie, read from its header page and checked against its size, layout version 4
 * (docs/shared-memory.md).
 *
 * <p>All that a reader computes addresses from is taken once, here, and never looked up again in memory that another process
 * can write: with these numbers no index that passes its check leads out of the region, whatever the bytes are.
 */
public final class RegionLayout {
    /** Bytes of the header page, and what sections begin on. */
    public static final int HEADER_BYTES = 4_096;
    /** The layout version that this code reads. */
    public static final int VERSION = 4;
    /** Counters. */
    static final int COUNTERS = 1;
    /** Histograms. */
    static final int HISTOGRAMS = 2;
    /** Node table. */
    static final int NODES = 3;
    /** Slots. */
    static final int SLOTS = 4;
    /** Event ring. */
    static final int EVENTS = 5;
    /** Watched distances. */
    static final int WATCHED = 6;
    /** Producers of commands. */
    static final int PRODUCERS = 7;
    /** Lanes. */
    static final int LANES = 8;
    /** The ring that producers share. */
    static final int RING = 9;
    /** Replies to calls. */
    static final int REPLIES = 10;
    /** The log ring. */
    static final int LOG = 11;

    private static final long MAGIC = 0x314E_5453_4544_4F4CL;
    private static final long AT_VERSION = 8;
    private static final long AT_HEADER_BYTES = 12;
    private static final long AT_REGION_BYTES = 48;
    private static final long AT_SECTION_COUNT = 56;
    private static final long AT_SECTIONS = 64;
    private static final int SECTIONS_MAX = 16;
    private static final long SECTION_ENTRY_BYTES = 32;
    private static final int KINDS = 12;
    private static final long NODES_MAX = 1L << 32;

    private final long bytes;
    private final long[] offsets = new long[KINDS];
    private final long[] items = new long[KINDS];
    private final long[] itemBytes = new long[KINDS];

    /** What is wrong with a region. */
    public enum Flaw {
        /** All zero so far: whoever made the file has not written its header yet. */
        EMPTY,
        /** Something else than a region. */
        FOREIGN,
        /** A region of another layout version. */
        VERSION,
        /** A region whose numbers contradict each other or its size. */
        DAMAGED
    }

    /** A region that cannot be read. */
    public static final class Problem extends Exception {
        private static final long serialVersionUID = 1L;

        private final Flaw flaw;

        Problem(Flaw flaw, String what) {
            super(what);
            this.flaw = flaw;
        }

        /**
         * What is wrong.
         *
         * @return the flaw
         */
        public Flaw flaw() {
            return flaw;
        }
    }

    private RegionLayout(long bytes) {
        this.bytes = bytes;
    }

    /**
     * Reads a header page.
     *
     * @param header address of a header page, or of a copy of one, {@link #HEADER_BYTES} long
     * @param bytesMax bytes that there are for the region
     * @return the layout, all of it inside {@code bytesMax}
     * @throws Problem when it is not a region of this layout
     */
    public static RegionLayout of(long header, long bytesMax) throws Problem {
        requireMagic(header, bytesMax);
        int version = Words.intAt(header + AT_VERSION);
        if (version != VERSION) {
            throw new Problem(Flaw.VERSION, "has layout version " + Integer.toUnsignedString(version)
                    + ", these jars read version " + VERSION);
        }
        long bytes = Words.longAt(header + AT_REGION_BYTES);
        if (Words.intAt(header + AT_HEADER_BYTES) != HEADER_BYTES || bytes < HEADER_BYTES || bytes > bytesMax) {
            throw damaged("says that it has " + Long.toUnsignedString(bytes) + " bytes where there are " + bytesMax);
        }
        RegionLayout layout = new RegionLayout(bytes);
        int count = Words.intAt(header + AT_SECTION_COUNT);
        if (count < 0 || count > SECTIONS_MAX) {
            throw damaged("says that it has " + Integer.toUnsignedString(count) + " sections");
        }
        for (int index = 0; index < count; index++) {
            layout.take(header + AT_SECTIONS + index * SECTION_ENTRY_BYTES);
        }
        layout.check();
        return layout;
    }

    private static void requireMagic(long header, long bytesMax) throws Problem {
        if (bytesMax < HEADER_BYTES) {
            throw new Problem(bytesMax == 0 ? Flaw.EMPTY : Flaw.FOREIGN, "has " + bytesMax + " bytes, less than a header");
        }
        if (Words.acquire(header) != MAGIC) {
            boolean empty = true;
            for (long offset = 0; offset < HEADER_BYTES; offset += Long.BYTES) {
                empty &= Words.longAt(header + offset) == 0;
            }
            throw new Problem(empty ? Flaw.EMPTY : Flaw.FOREIGN, empty ? "is empty so far" : "does not begin like one");
        }
    }

    private static Problem damaged(String what) {
        return new Problem(Flaw.DAMAGED, what);
    }

    private void take(long entry) throws Problem {
        int kind = Words.intAt(entry);
        if (kind <= 0 || kind >= KINDS) {
            // Of a later version of the same layout: nothing here reads it.
            return;
        }
        if (offsets[kind] != 0) {
            throw damaged("has section " + kind + " twice");
        }
        itemBytes[kind] = Integer.toUnsignedLong(Words.intAt(entry + 4));
        offsets[kind] = Words.longAt(entry + 8);
        items[kind] = Words.longAt(entry + 16);
    }

    /** After all entries are there: the size of a watch depends on the number of nodes, wherever its entry stands. */
    private void check() throws Problem {
        for (int kind = 1; kind < KINDS; kind++) {
            long fewest = kind == WATCHED ? 0 : 1;
            if (offsets[kind] < HEADER_BYTES || offsets[kind] > bytes || offsets[kind] % HEADER_BYTES != 0) {
                throw damaged("has section " + kind + " at " + Long.toUnsignedString(offsets[kind]) + " or not at all");
            }
            boolean ring = (kind == LANES || kind == RING) && BridgeLayout.isRing(itemBytes[kind])
                    || kind == LOG && LogLayout.isLog(itemBytes[kind]);
            if (!ring && itemBytes[kind] != bytesOf(kind)) {
                throw damaged("has items of " + itemBytes[kind] + " bytes in section " + kind);
            }
            if (items[kind] < fewest || items[kind] > (bytes - offsets[kind]) / itemBytes[kind]) {
                throw damaged("has " + Long.toUnsignedString(items[kind]) + " items in section " + kind
                        + ", which has no room for them");
            }
        }
        if (items[LANES] > Integer.MAX_VALUE || items[PRODUCERS] > items[REPLIES] || items[REPLIES] > Integer.MAX_VALUE) {
            throw damaged("has " + items[PRODUCERS] + " producers, " + items[REPLIES] + " replies and " + items[LANES]
                    + " lanes");
        }
        if (items[NODES] > NODES_MAX || Long.bitCount(items[EVENTS]) != 1) {
            throw damaged("has " + items[NODES] + " nodes and " + items[EVENTS] + " events");
        }
    }

    private long bytesOf(int kind) {
        return switch (kind) {
            case COUNTERS -> Long.BYTES;
            case HISTOGRAMS -> (long) Region.HISTOGRAM_BUCKETS * Long.BYTES;
            case NODES -> Region.NODE_BYTES;
            case SLOTS -> Region.SLOT_BYTES;
            case EVENTS -> Region.EVENT_BYTES;
            case WATCHED -> watchBytes();
            case PRODUCERS -> BridgeLayout.PRODUCER_BYTES;
            case REPLIES -> BridgeLayout.REPLY_BYTES;
            // Of a lane, ring or log that is none: no size is right.
            default -> -1;
        };
    }

    /**
     * Bytes of one watch: its head and a label a node, up to a full cache line.
     *
     * @return the bytes
     */
    long watchBytes() {
        long line = Region.WATCH_HEAD_BYTES;
        return line + (items[NODES] * Long.BYTES + line - 1) / line * line;
    }

    /**
     * Bytes of the region.
     *
     * @return at least {@link #HEADER_BYTES}
     */
    long bytes() {
        return bytes;
    }

    /**
     * Where a section begins.
     *
     * @param kind which section
     * @return bytes from the region's start
     */
    long offset(int kind) {
        return offsets[kind];
    }

    /**
     * Bytes of an item of a section.
     *
     * @param kind which section
     * @return the bytes
     */
    long itemBytes(int kind) {
        return itemBytes[kind];
    }

    /**
     * How many items a section has.
     *
     * @param kind which section
     * @return the number
     */
    long items(int kind) {
        return items[kind];
    }
}
