package dev.lodestone.internal;

import dev.lodestone.bindings.Lodestone;
import dev.lodestone.bindings.LodestoneError;
import dev.lodestone.bindings.LodestoneNodeNews;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;

/** News that was fetched from a client in one call, handed out one by one. One thread at a time. */
public final class NativeNews {
    /** News fetched in one call. */
    private static final int FETCHED_MAX = 64;
    /** Longest wait of one call; then an interrupt is looked for. */
    private static final long FETCH_WAIT_MS = 200;
    private static final long NANOS_A_MS = 1_000_000;
    private static final long NANOS_A_SECOND = 1_000_000_000;
    private static final long CELL_BYTES = LodestoneNodeNews.sizeof();
    private static final long AT_REVISION = LodestoneNodeNews.revision$offset();
    private static final long AT_ROLLBACKS = LodestoneNodeNews.rollbacks$offset();
    private static final long AT_VERSION = LodestoneNodeNews.version$offset();
    private static final long AT_MISSED = LodestoneNodeNews.missed$offset();
    private static final long AT_CONNECTION = LodestoneNodeNews.connection$offset();
    private static final long AT_NODE = LodestoneNodeNews.node$offset();
    private static final long AT_STATUS = LodestoneNodeNews.status$offset();
    private static final long AT_SLOT = LodestoneNodeNews.slot$offset();

    private final long handle;
    private final MemorySegment cells;
    private final MemorySegment count;
    private final MemorySegment error;
    private final long first;
    private int position;
    private int fetched;

    /**
     * Room for the news of a client.
     *
     * @param handle the client's number
     */
    NativeNews(long handle) {
        this.handle = handle;
        Arena lifetime = Arena.ofAuto();
        this.cells = lifetime.allocate(LodestoneNodeNews.layout(), FETCHED_MAX);
        this.count = lifetime.allocate(ValueLayout.JAVA_INT);
        this.error = lifetime.allocate(LodestoneError.layout());
        this.first = cells.address();
    }

    /**
     * The next news.
     *
     * @param wanted how many the caller will take: no more are fetched, so that other readers find the rest
     * @param waitNanos how long to wait where there is none, nanoseconds; waits are whole milliseconds, rounded up
     * @return its address, which stays until the next call; 0 when there is none
     */
    public long next(int wanted, long waitNanos) {
        if (position == fetched && !fetch(Math.min(wanted, FETCHED_MAX), waitNanos)) {
            return 0;
        }
        return first + position++ * CELL_BYTES;
    }

    private boolean fetch(int wanted, long waitNanos) {
        long begun = waitNanos > 0 ? System.nanoTime() : 0;
        long left = waitNanos;
        do {
            long slice = Thread.currentThread().isInterrupted() ? 0 : Math.min(wholeMs(left), FETCH_WAIT_MS);
            position = 0;
            fetched = 0;
            int status = Lodestone.lodestone_client_news(handle, cells, wanted, slice, count, error);
            if (status != 0) {
                throw NativeClient.failure(status, error);
            }
            fetched = count.get(ValueLayout.JAVA_INT, 0);
            left = slice == 0 ? 0 : waitNanos - (System.nanoTime() - begun);
        } while (fetched == 0 && left > 0);
        return fetched > 0;
    }

    /**
     * A wait as {@link #next} takes it.
     *
     * @param wait how long, however long
     * @return nanoseconds, not negative; 292 years for what is longer
     */
    public static long nanoseconds(Duration wait) {
        if (wait.isNegative()) {
            return 0;
        }
        return wait.getSeconds() >= Long.MAX_VALUE / NANOS_A_SECOND ? Long.MAX_VALUE : wait.toNanos();
    }

    private static long wholeMs(long nanos) {
        return nanos / NANOS_A_MS + (nanos % NANOS_A_MS == 0 ? 0 : 1);
    }

    /**
     * The node.
     *
     * @param cell address of the news
     * @return the node
     */
    public static int node(long cell) {
        return Words.intAt(cell + AT_NODE);
    }

    /**
     * The number of the status.
     *
     * @param cell address of the news
     * @return the number
     */
    public static int status(long cell) {
        return Words.intAt(cell + AT_STATUS);
    }

    /**
     * The revision.
     *
     * @param cell address of the news
     * @return the revision
     */
    public static long revision(long cell) {
        return Words.longAt(cell + AT_REVISION);
    }

    /**
     * The rollbacks before it.
     *
     * @param cell address of the news
     * @return their number
     */
    public static long rollbacks(long cell) {
        return Words.longAt(cell + AT_ROLLBACKS);
    }

    /**
     * The version.
     *
     * @param cell address of the news
     * @return the version
     */
    public static long version(long cell) {
        return Words.longAt(cell + AT_VERSION);
    }

    /**
     * The states that it replaced.
     *
     * @param cell address of the news
     * @return their number
     */
    public static long missed(long cell) {
        return Words.longAt(cell + AT_MISSED);
    }

    /**
     * The connections before.
     *
     * @param cell address of the news
     * @return their number
     */
    public static long connection(long cell) {
        return Words.longAt(cell + AT_CONNECTION);
    }

    /**
     * Where the slot lies.
     *
     * @param cell address of the news
     * @return the address
     */
    public static long slot(long cell) {
        return cell + AT_SLOT;
    }
}
