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
    private final long entryBits;
    /** Lane: where the next claim begins. Ring: where the claim in hand does. */
    private long position;
    /** Every position below this may be claimed as far as is known. */
    private long roomEnd;
    private long counter;

    /** Of a batch: its end, where its next record goes, its first header, and the counter before it. */
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
        this.entryBits = (long) producer.entry() << Integer.SIZE;
        this.position = Words.acquire(tailWord);
        this.roomEnd = Words.acquire(headWord) + capacity;
        this.region = region;
        if (lane) {
            requireCell(position);
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
     * Claims room for one record, which is then sent by {@link #send}, or given up by {@link #giveUp}.
     *
     * @param bodyBytes bytes of its body
     * @return the address of its body, 0 when there is no room; nothing is claimed then
     */
    public long claimOne(long bodyBytes) {
        long span = spanOf(bodyBytes);
        // A lane of a few cells, which no engine makes, has no room for it, whatever its head says.
        if (span > claimBytesMax || !(lane ? claimInLane(span) : claimInRing(span))) {
            producer.countFull();
            return 0;
        }
        return at(position) + BridgeLayout.RECORD_HEAD_BYTES;
    }

    /**
     * Sends the one record claimed, whose body is written, and wakes the engine if it sleeps.
     *
     * @param body the address of its body
     * @param kind its type
     * @param bodyBytes bytes of its body, as claimed
     * @return its counter
     */
    public long send(long body, long kind, long bodyBytes) {
        long record = body - BridgeLayout.RECORD_HEAD_BYTES;
        long number = counter + 1;
        counter = number;
        Words.putLong(record + Long.BYTES, kind | bodyBytes << Short.SIZE | entryBits);
        Words.putLong(record + 2 * Long.BYTES, number);
        if (lane) {
            position += spanOf(bodyBytes);
        }
        publish(record, header(bodyBytes));
        return number;
    }

    /**
     * Gives the one record claimed up: it was never there.
     *
     * @param bodyBytes bytes of its body, as claimed
     */
    public void giveUp(long bodyBytes) {
        drop(spanOf(bodyBytes), spanOf(bodyBytes));
    }

    /**
     * Claims cells for a batch.
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
        next = position;
        end = position + bytes;
        return true;
    }

    private boolean claimInLane(long bytes) {
        long left = left(position);
        if (bytes > left) {
            if (!hasRoom(position + left)) {
                return false;
            }
            Words.release(at(position), padding(left));
            position += left;
        }
        return hasRoom(position + bytes);
    }

    private boolean claimInRing(long bytes) {
        while (true) {
            long tail = Words.opaque(tailWord);
            requireCell(tail);
            long left = left(tail);
            long needed = Math.min(bytes, left);
            if (!hasRoom(tail + needed)) {
                Words.release(claimWord, 0);
                return false;
            }
            Words.release(claimWord, claim(tail, needed, STAGE_ATTEMPT));
            if (Words.replace(tailWord, tail, tail + needed)) {
                Words.release(claimWord, claim(tail, needed, STAGE_OWNED));
                // Whoever finds a byte of the record finds that the attempt succeeded.
                VarHandle.releaseFence();
                if (bytes <= left) {
                    position = tail;
                    return true;
                }
                Words.release(at(tail), padding(left));
            }
        }
    }

    private static long claim(long position, long bytes, long stage) {
        return position >>> CELL_SHIFT & CLAIM_CELL_MASK | bytes >>> CELL_SHIFT << CLAIM_COUNT_SHIFT
                | stage << CLAIM_STAGE_SHIFT;
    }

    /** Bytes to the end of the cells: what does not fit there begins at their start, behind padding claimed by itself. */
    private long left(long place) {
        return capacity - (place & capacity - 1);
    }

    private long at(long place) {
        return cells + (place & capacity - 1);
    }

    private boolean hasRoom(long until) {
        if (until - roomEnd > 0) {
            // Pairs with the engine's release of the head: what it read there is read, and its headers are cleared.
            roomEnd = Words.acquire(headWord) + capacity;
        }
        return until - roomEnd <= 0;
    }

    private static long header(long bodyBytes) {
        return BridgeLayout.RECORD_HEAD_BYTES + bodyBytes | BridgeLayout.CELL_RECORD << Integer.SIZE;
    }

    private static long padding(long bytes) {
        return bytes | BridgeLayout.CELL_PADDING << Integer.SIZE;
    }

    /**
     * Bytes left of the batch.
     *
     * @return how many
     */
    public long left() {
        return end - next;
    }

    /**
     * Begins the next record of the batch; its body is to be written to the address given, before anything else.
     *
     * @param kind its type
     * @param bodyBytes bytes of its body; {@link #left()} must suffice
     * @return the address of its body
     */
    public long put(long kind, long bodyBytes) {
        long place = next;
        long record = at(place);
        long number = counter + 1;
        counter = number;
        Words.putLong(record + Long.BYTES, kind | bodyBytes << Short.SIZE | entryBits);
        Words.putLong(record + 2 * Long.BYTES, number);
        head(place, header(bodyBytes));
        next = place + spanOf(bodyBytes);
        return record + BridgeLayout.RECORD_HEAD_BYTES;
    }

    private void head(long place, long header) {
        if (place == position) {
            firstHeader = header;
        } else {
            // Nobody looks here before the first header is there.
            Words.putLong(at(place), header);
        }
    }

    /** Makes the batch visible, the first header last, and wakes the engine if it sleeps. */
    public void commit() {
        if (left() > 0) {
            head(next, padding(left()));
        }
        long first = at(position);
        next = end;
        if (lane) {
            position = end;
        }
        publish(first, firstHeader);
    }

    private void publish(long first, long header) {
        Words.release(first, header);
        if (!lane) {
            Words.release(claimWord, 0);
        }
        producer.ringEngine();
    }

    /** Gives the batch up: none of its records was ever there. */
    public void abort() {
        counter = counterBefore;
        drop(next - position, end - position);
        next = end;
    }

    private void drop(long written, long claimed) {
        if (lane) {
            // Nobody saw it, and what comes next begins here: what stands in the first words of its cells must not.
            for (long offset = 0; offset < written; offset += BridgeLayout.CELL_BYTES) {
                Words.putOpaque(at(position + offset), 0);
            }
        } else {
            // The cells are this producer's and become padding.
            Words.release(at(position), padding(claimed));
            Words.release(claimWord, 0);
        }
    }
}
