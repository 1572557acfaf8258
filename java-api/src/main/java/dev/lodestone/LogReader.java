package dev.lodestone;

import dev.lodestone.internal.LogLayout;
import dev.lodestone.internal.Region;
import dev.lodestone.internal.Words;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Objects;

/**
 * Polls what the engine's native threads have to say, from shared memory, without a call. Looking allocates nothing; texts are
 * made when they are asked for.
 *
 * <p>The ring holds the last records only ({@code log.ring_kib}, 512 bytes each) and waits for nobody: a reader that falls behind
 * further skips to what is still there and counts what it {@linkplain #missed() missed}. One reader belongs to one thread;
 * readers do not disturb each other.
 *
 * <p>An {@link Engine} forwards all records to the {@link System.Logger} {@code dev.lodestone.native} by itself, what is
 * routine as {@code DEBUG}. A reader is for other uses, and for engines of other processes.
 */
public final class LogReader {
    /** What part of a lap an overtaken reader leaves to the writers, so that it is not overtaken again at once. */
    private static final long MARGIN_PART = 16;

    private final Region region;
    private final long cells;
    private final long cellsMax;
    private final MemorySegment buffer = Arena.ofAuto().allocate(LogLayout.CELL_BYTES, Long.BYTES);
    private final long copy = buffer.address();
    private long position;
    private long missed;

    private LogReader(Region region, long position) {
        this.region = region;
        this.cells = region.log() + LogLayout.CELLS;
        this.cellsMax = region.logRecordsMax();
        this.position = position;
    }

    /** A reader that begins with the next record. */
    static LogReader ofNext(Region region) {
        region.requireOpen();
        return new LogReader(region, LogLayout.tail(region));
    }

    /** A reader that goes on at a position. */
    static LogReader from(Region region, long instance, long position) {
        region.requireOpen();
        if (instance != region.generation()) {
            throw new EngineGoneException("the position " + position + " belongs to another engine than this one: it was"
                    + " restarted, and its log began anew");
        }
        long tail = LogLayout.tail(region);
        if (position < 0 || position > tail) {
            throw new IllegalArgumentException("position " + position + " is not from 0 to " + tail);
        }
        return new LogReader(region, position);
    }

    /**
     * Hands the records that are there to the handler, in order. Never waits.
     *
     * @param handler takes the records
     * @param limit most records to take
     * @return number of records handed over
     * @throws EngineClosedException when the engine is closed; what was written before the close may be lost then
     */
    public int poll(LogHandler handler, int limit) {
        Objects.requireNonNull(handler, "handler");
        int taken = 0;
        while (taken < limit && next()) {
            taken++;
            handler.onRecord(level(), position - 1, this);
        }
        region.requireOpen();
        Reference.reachabilityFence(this);
        return taken;
    }

    /** Copies the next record and steps behind it; false when there is none yet. */
    private boolean next() {
        try {
            return look();
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    private boolean look() {
        // A lap in which each cell is overtaken once is more than any engine does; what is behind it comes with the next poll.
        for (long looks = 0; looks <= cellsMax; looks++) {
            // Masked, so that no position leads out of the ring, whatever wrote the words that it was computed from.
            long cell = cells + (position & (cellsMax - 1)) * LogLayout.CELL_BYTES;
            long sequence = Words.acquire(cell);
            if (sequence > position + 1) {
                skipTo(sequence - cellsMax + cellsMax / MARGIN_PART);
                continue;
            }
            if (sequence != position + 1) {
                return false;
            }
            Words.copy(cell, copy, LogLayout.CELL_BYTES);
            // Pairs with the writers' release fence: if a byte of a later record was seen, so is its changed sequence.
            VarHandle.acquireFence();
            if (Words.opaque(cell) == sequence) {
                position++;
                return true;
            }
            Thread.onSpinWait();
        }
        return false;
    }

    private void skipTo(long oldest) {
        long next = Math.max(oldest, position + 1);
        missed += next - position;
        position = next;
    }

    /**
     * The position of the next record: what a reader that is made later goes on with, in this process or in another one, as
     * long as the engine is the same. The record at hand has the position before it.
     *
     * @return the position; the first record of an engine has 0
     */
    public long position() {
        return position;
    }

    /**
     * How many records this reader was too late for.
     *
     * @return number of records, since it was made; those between a position that it was made with and the oldest one left are
     *     among them. Records that the engine could not write are a counter, {@link Counter#LOG_RECORDS_LOST}
     */
    public long missed() {
        return missed;
    }

    private Level level() {
        return switch (Words.byteAt(copy + LogLayout.LEVEL)) {
            case 1 -> Level.ERROR;
            case 2 -> Level.WARNING;
            case 4 -> Level.DEBUG;
            case 5 -> Level.TRACE;
            // Also a number that no engine writes.
            default -> Level.INFO;
        };
    }

    /**
     * When the record at hand was written, by this machine's clock.
     *
     * @return the time, exact to a microsecond
     */
    public Instant time() {
        long microseconds = Words.longAt(copy + LogLayout.TIME);
        Reference.reachabilityFence(this);
        return Instant.EPOCH.plus(microseconds, ChronoUnit.MICROS);
    }

    /**
     * The session that the record at hand concerns.
     *
     * @return the number of the session, unsigned; 0 when it concerns none
     */
    public int session() {
        int session = Words.intAt(copy + LogLayout.SESSION);
        Reference.reachabilityFence(this);
        return session;
    }

    /**
     * The system's number of the thread that wrote the record at hand.
     *
     * @return the number, as in {@code top -H}
     */
    public int threadId() {
        int thread = Words.intAt(copy + LogLayout.THREAD);
        Reference.reachabilityFence(this);
        return thread;
    }

    /**
     * The name of the thread that wrote the record at hand.
     *
     * @return the name, at most 16 bytes; empty when it has none
     */
    public String threadName() {
        return text(LogLayout.THREAD_NAME, Words.byteAt(copy + LogLayout.THREAD_NAME_LENGTH), LogLayout.THREAD_NAME_BYTES);
    }

    /**
     * The module that the record at hand comes from.
     *
     * @return the module, such as {@code transport::session}, at most 64 bytes
     */
    public String target() {
        return text(LogLayout.TARGET, Words.byteAt(copy + LogLayout.TARGET_LENGTH), LogLayout.TARGET_BYTES);
    }

    /**
     * What happened, in one line.
     *
     * @return the message, at most 400 bytes of UTF-8
     */
    public String message() {
        return text(LogLayout.MESSAGE, Words.shortAt(copy + LogLayout.MESSAGE_LENGTH), LogLayout.MESSAGE_BYTES);
    }

    /**
     * Whether the message of the record at hand was longer than there was room for: then it ends in an ellipsis.
     *
     * @return true when it was cut
     */
    public boolean isCut() {
        boolean cut = (Words.byteAt(copy + LogLayout.FLAGS) & LogLayout.CUT) != 0;
        Reference.reachabilityFence(this);
        return cut;
    }

    /** A length that no engine writes counts as the most there can be. */
    private String text(long offset, int length, int most) {
        byte[] bytes = Words.bytes(copy + offset, Math.min(length, most));
        Reference.reachabilityFence(this);
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
