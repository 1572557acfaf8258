package dev.lodestone.internal;

/**
 * A producer's end of its lane, or of the ring that producers share: claim, write, commit. The steps, and their order, are
 * those of {@code native/memory/src/rings}, where they are modelled. One thread, one claim at a time.
 *
 * <p>The two kinds have their claims and commits in classes of their own, so that the just-in-time compiler makes of each what
 * it would make of it alone, also in a JVM that has both. What a record looks like is the same and stands here.
 */
public abstract sealed class CommandRing permits LaneProducer, RingProducer {
    private static final long CLAIM_CELLS_MAX = 2_047;

    final Region region;
    final Producer producer;
    /** Address of the first cell. */
    final long cells;
    /** Bytes of all cells, a power of two, less one. */
    final long mask;
    final long tailWord;
    final long claimBytesMax;
    private final long headWord;
    private final long closedWord;
    private final long entryBits;
    /** Every position below this may be claimed as far as is known. */
    private long roomEnd;
    private long counter;

    /** Of a batch: addresses of its first record, of its next one and of its end; its first header, the counter before it. */
    private long first;
    private long next;
    private long end;
    private long firstHeader;
    private long counterBefore;

    CommandRing(Region region, Producer producer, long control, long capacity) {
        this.region = region;
        this.producer = producer;
        this.cells = control + BridgeLayout.RING_CELLS;
        this.mask = capacity - 1;
        this.tailWord = control + BridgeLayout.RING_TAIL;
        this.headWord = control + BridgeLayout.RING_HEAD;
        this.closedWord = control + BridgeLayout.RING_CLOSED;
        this.claimBytesMax = Math.min(capacity / 2, CLAIM_CELLS_MAX * BridgeLayout.CELL_BYTES);
        this.entryBits = (long) producer.entry() << Integer.SIZE;
        this.roomEnd = Words.acquire(headWord) + capacity;
    }

    /**
     * The lane of a producer, or the ring where it has none.
     *
     * @param region the region
     * @param producer the producer
     * @return its end of that
     */
    public static CommandRing of(Region region, Producer producer) {
        return producer.lane() >= 0 ? new LaneProducer(region, producer) : new RingProducer(region, producer);
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
    public final long claimBytesMax() {
        return claimBytesMax;
    }

    /**
     * Whether the engine gave the lane or ring up.
     *
     * @return true when nothing that is written there is taken any more
     */
    public final boolean isClosed() {
        return Words.opaque(closedWord) != 0;
    }

    /**
     * The counter of the last command.
     *
     * @return the counter, 0 before the first
     */
    public final long counter() {
        return counter;
    }

    /**
     * Claims room for one record, which is then sent by {@link #send}, or given up by {@link #giveUp}.
     *
     * @param bodyBytes bytes of its body
     * @return the address of its body, 0 when there is no room; nothing is claimed then
     */
    public abstract long claimOne(long bodyBytes);

    /**
     * Sends the one record claimed, whose body is written, and wakes the engine if it sleeps.
     *
     * @param body the address of its body
     * @param kind its type
     * @param bodyBytes bytes of its body, as claimed
     * @return its counter
     */
    public abstract long send(long body, long kind, long bodyBytes);

    /**
     * Gives the one record claimed up: it was never there.
     *
     * @param bodyBytes bytes of its body, as claimed
     */
    public final void giveUp(long bodyBytes) {
        drop(claimed(), spanOf(bodyBytes), spanOf(bodyBytes));
    }

    /**
     * Claims cells for a batch.
     *
     * @param bytes how many, whole cells
     * @return false when there is no room; nothing is claimed then
     */
    public final boolean claim(long bytes) {
        if (!claimCells(bytes)) {
            producer.countFull();
            return false;
        }
        counterBefore = counter;
        first = claimed();
        next = first;
        end = first + bytes;
        return true;
    }

    /** Claims so many bytes at {@link #claimed}, side by side; false when there is no room. */
    abstract boolean claimCells(long bytes);

    /** Address of the claim in hand. */
    abstract long claimed();

    /** Makes a claim of so many bytes visible by its first header, and wakes the engine if it sleeps. */
    abstract void publish(long record, long header, long bytes);

    /** Gives up a claim of which so many bytes may have been written. */
    abstract void drop(long record, long written, long claimed);

    /** A record elsewhere than at a cell would leave the cells. */
    final void requireCell(long tail) {
        if ((tail & BridgeLayout.CELL_BYTES - 1) != 0) {
            Words.release(producer.claimWord(), 0);
            throw region.damaged("a tail of commands that is none, " + Long.toUnsignedString(tail));
        }
    }

    /** Bytes to the end of the cells: what does not fit there begins at their start, behind padding claimed by itself. */
    final long left(long place) {
        return mask + 1 - (place & mask);
    }

    final long at(long place) {
        return cells + (place & mask);
    }

    final boolean hasRoom(long until) {
        if (until - roomEnd > 0) {
            // Pairs with the engine's release of the head: what it read there is read, and its headers are cleared.
            roomEnd = Words.acquire(headWord) + mask + 1;
        }
        return until - roomEnd <= 0;
    }

    /** Every position below this may be claimed as far as is known. */
    final long roomEnd() {
        return roomEnd;
    }

    static long header(long bodyBytes) {
        return BridgeLayout.RECORD_HEAD_BYTES + bodyBytes | BridgeLayout.CELL_RECORD << Integer.SIZE;
    }

    static long padding(long bytes) {
        return bytes | BridgeLayout.CELL_PADDING << Integer.SIZE;
    }

    /** Writes all of a record's head but its header, and gives the record's counter. */
    final long number(long record, long kind, long bodyBytes) {
        long number = counter + 1;
        counter = number;
        Words.putLong(record + Long.BYTES, kind | bodyBytes << Short.SIZE | entryBits);
        Words.putLong(record + 2 * Long.BYTES, number);
        return number;
    }

    /**
     * Bytes left of the batch.
     *
     * @return how many
     */
    public final long left() {
        return end - next;
    }

    /**
     * Begins the next record of the batch; its body is to be written to the address given, before anything else.
     *
     * @param kind its type
     * @param bodyBytes bytes of its body; {@link #left()} must suffice
     * @return the address of its body
     */
    public final long put(long kind, long bodyBytes) {
        long record = Words.line(next);
        next = record + spanOf(bodyBytes);
        number(record, kind, bodyBytes);
        head(record, header(bodyBytes));
        return record + BridgeLayout.RECORD_HEAD_BYTES;
    }

    private void head(long record, long header) {
        if (record == first) {
            firstHeader = header;
        } else {
            // Nobody looks here before the first header is there.
            Words.putLong(record, header);
        }
    }

    /** Makes the batch visible, the first header last, and wakes the engine if it sleeps. */
    public final void commit() {
        if (left() > 0) {
            head(next, padding(left()));
        }
        next = end;
        publish(first, firstHeader, end - first);
    }

    /** Gives the batch up: none of its records was ever there. */
    public final void abort() {
        counter = counterBefore;
        drop(first, next - first, end - first);
        next = end;
    }
}
