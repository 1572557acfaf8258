package dev.lodestone.internal;

import java.lang.invoke.VarHandle;

/**
 * A producer's end of its lane, or of the ring that producers share: claim, write, commit. The steps, and their order, are
 * those of {@code native/memory/src/rings}, where they are modelled. One thread, one claim at a time.
 */
public final class CommandRing {
    private static final int CELL_SHIFT = 6;
    private static final long CLAIM_CELL_MASK = (1L << 50) - 1;
    private static final int CLAIM_COUNT_SHIFT = 50;
    private static final int CLAIM_STAGE_SHIFT = 62;
    private static final long STAGE_ATTEMPT = 1;
    private static final long STAGE_OWNED = 2;
    private static final long CLAIM_CELLS_MAX = 2_047;

    private final Region region;
    private final Producer producer;
    private final boolean lane;
    private final long tailWord;
    private final long headWord;
    private final long closedWord;
    private final long cells;
    private final long capacity;
    private final long claimWord;
    private final long claimBytesMax;
    private long laneTail;
    private long headSeen;
    private long counter;

    private long position;
    private long end;
    private long next;
    private long firstHeader;
    private long counterBefore;

    /**
     * The lane or ring of a producer.
     *
     * @param region the region
     * @param producer the producer
     */
    public CommandRing(Region region, Producer producer) {
        this.producer = producer;
        this.lane = producer.lane() >= 0;
        long control = lane ? region.lane(producer.lane()) : region.ring();
        this.tailWord = control + BridgeLayout.RING_TAIL;
        this.headWord = control + BridgeLayout.RING_HEAD;
        this.closedWord = control + BridgeLayout.RING_CLOSED;
        this.cells = control + BridgeLayout.RING_CELLS;
        this.capacity = lane ? region.laneBytes() : region.ringBytes();
        this.claimWord = producer.claimWord();
        this.claimBytesMax = Math.min(capacity / 2, CLAIM_CELLS_MAX * BridgeLayout.CELL_BYTES);
        this.laneTail = Words.acquire(tailWord);
        this.headSeen = Words.acquire(headWord);
        this.region = region;
        if (lane) {
            requireCell(laneTail);
        }
    }

    /** A record elsewhere than at a cell would leave the cells. */
    private void requireCell(long tail) {
        if ((tail & BridgeLayout.CELL_BYTES - 1) != 0) {
            Words.release(claimWord, 0);
            throw region.damaged("a tail of commands that is none, " + Long.toUnsignedString(tail));
        }
    }

    /**
     * Bytes that a record with a body of this size takes.
     *
     * @param bodyBytes bytes of its body
     * @return whole cells
     */
    public static long spanOf(long bodyBytes) {
        return BridgeLayout.RECORD_HEAD_BYTES + bodyBytes + BridgeLayout.CELL_BYTES - 1 & -BridgeLayout.CELL_BYTES;
    }

    /**
     * Most bytes of one claim.
     *
     * @return half of the lane or ring, at most 2,047 cells
     */
    public long claimBytesMax() {
        return claimBytesMax;
    }

    /**
     * Whether the engine gave the lane or ring up.
     *
     * @return true when nothing that is written there is taken any more
     */
    public boolean isClosed() {
        return Words.opaque(closedWord) != 0;
    }

    /**
     * The counter of the last command.
     *
     * @return the counter, 0 before the first
     */
    public long counter() {
        return counter;
    }

    /**
     * Claims cells.
     *
     * @param bytes how many, whole cells
     * @return false when there is no room; nothing is claimed then
     */
    public boolean claim(long bytes) {
        if (bytes > claimBytesMax || !(lane ? claimInLane(bytes) : claimInRing(bytes))) {
            producer.countFull();
            return false;
        }
        counterBefore = counter;
        return true;
    }

    private boolean claimInLane(long bytes) {
        if (!hasRoom(laneTail, needed(laneTail, bytes))) {
            return false;
        }
        begin(laneTail, bytes);
        return true;
    }

    private boolean claimInRing(long bytes) {
        while (true) {
            long tail = Words.opaque(tailWord);
            requireCell(tail);
            long needed = needed(tail, bytes);
            if (!hasRoom(tail, needed)) {
                Words.release(claimWord, 0);
                return false;
            }
            Words.release(claimWord, claim(tail, needed, STAGE_ATTEMPT));
            if (Words.replace(tailWord, tail, tail + needed)) {
                Words.release(claimWord, claim(tail, needed, STAGE_OWNED));
                // Whoever finds a byte of the record finds that the attempt succeeded.
                VarHandle.releaseFence();
                begin(tail, bytes);
                return true;
            }
        }
    }

    private static long claim(long position, long bytes, long stage) {
        return position >>> CELL_SHIFT & CLAIM_CELL_MASK | bytes >>> CELL_SHIFT << CLAIM_COUNT_SHIFT
                | stage << CLAIM_STAGE_SHIFT;
    }

    /** What is claimed, with the padding before the end of the cells where the rest does not fit. */
    private long needed(long tail, long bytes) {
        long left = capacity - (tail & capacity - 1);
        return bytes > left ? left + bytes : bytes;
    }

    private boolean hasRoom(long tail, long needed) {
        if (tail + needed - headSeen > capacity) {
            headSeen = Words.acquire(headWord);
        }
        return tail + needed - headSeen <= capacity;
    }

    private void begin(long tail, long bytes) {
        long left = capacity - (tail & capacity - 1);
        position = tail;
        next = bytes > left ? tail + left : tail;
        firstHeader = bytes > left ? padding(left) : 0;
        end = next + bytes;
    }

    private static long padding(long bytes) {
        return bytes | BridgeLayout.CELL_PADDING << Integer.SIZE;
    }

    /**
     * Bytes left of the claim.
     *
     * @return how many
     */
    public long left() {
        return end - next;
    }

    /**
     * Begins the next record of the claim; its body is to be written to the address given, before anything else.
     *
     * @param kind its type
     * @param bodyBytes bytes of its body; {@link #left()} must suffice
     * @return the address of its body
     */
    public long put(long kind, long bodyBytes) {
        long at = cells + (next & capacity - 1);
        counter++;
        Words.putLong(at + Long.BYTES, kind | bodyBytes << Short.SIZE | (long) producer.entry() << Integer.SIZE);
        Words.putLong(at + 2 * Long.BYTES, counter);
        head(next, BridgeLayout.RECORD_HEAD_BYTES + bodyBytes | BridgeLayout.CELL_RECORD << Integer.SIZE);
        next += spanOf(bodyBytes);
        return at + BridgeLayout.RECORD_HEAD_BYTES;
    }

    private void head(long place, long header) {
        if (place == position) {
            firstHeader = header;
        } else {
            Words.putOpaque(cells + (place & capacity - 1), header);
        }
    }

    /** Makes the claim's records visible, the first header last, and wakes the engine if it sleeps. */
    public void commit() {
        if (left() > 0) {
            head(next, padding(left()));
        }
        long first = cells + (position & capacity - 1);
        if (lane) {
            Words.putOpaque(first, firstHeader);
            laneTail = end;
            Words.release(tailWord, end);
        } else {
            Words.release(first, firstHeader);
            Words.release(claimWord, 0);
        }
        next = end;
        producer.ringEngine();
    }

    /** Gives the claim up: none of its records was ever there. */
    public void abort() {
        counter = counterBefore;
        if (!lane) {
            // The cells are this producer's and become padding, in two parts where they pass the end.
            long left = Math.min(capacity - (position & capacity - 1), end - position);
            if (end - position > left) {
                Words.putOpaque(cells, padding(end - position - left));
            }
            Words.release(cells + (position & capacity - 1), padding(left));
            Words.release(claimWord, 0);
        }
        next = end;
    }
}
