package dev.lodestone;

import dev.lodestone.internal.Region;
import dev.lodestone.internal.Words;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/**
 * The shortest distances from one node to all others, kept up to date by the engine and read straight from shared memory: no
 * call, no allocation, no lock. They go back with everything else at a rollback.
 *
 * <pre>{@code
 * try (WatchedDistances fromDepot = engine.graph().watch(depot)) {
 *     fromDepot.awaitLive(Duration.ofSeconds(10));
 *     long metres = fromDepot.distance(customer);
 * }
 * }</pre>
 *
 * <p>Any thread may read, at the same time as others, and any may close. What is read belongs to exactly one revision, which
 * follows the engine's within about 20 ms, or when the long routes asked before are found ({@link #awaitCommit} waits for one);
 * {@link #distances} reads several nodes at one revision. While the distances are computed, for the first time or after too
 * large a change, reading throws {@link DistancesNotReadyException}. A failed engine's distances stay readable as they were.
 *
 * <p>A watch that is not closed is in use until its engine closes. After either, reading throws {@link EngineClosedException}.
 * One that comes from {@link AttachedEngine#watchedDistances} belongs to whoever began it: closing it here ends only the reading
 * here.
 */
public final class WatchedDistances implements AutoCloseable {
    /** The distance that says: no path. The same as {@link Route#NO_PATH}. */
    public static final long NO_PATH = Route.NO_PATH;

    private static final int[] NO_NODES = {};
    private static final long[] NO_DISTANCES = {};
    private static final int EDGES_BITS = 28;
    private static final int EDGES_MASK = (1 << EDGES_BITS) - 1;
    private static final long UNREACHED = -1L;
    private static final long AT_STATE = 8;
    private static final long AT_ID = 16;
    private static final long AT_REVISION = 24;
    private static final long AT_BRANCH = 32;
    private static final int FREE = 0;
    private static final int FILLING = 1;
    private static final int LIVE = 2;
    private static final long LOOK_MS = 1;

    private final Region region;
    private final Runnable remove;
    private final long watch;
    private final int source;
    private final long head;
    private final long labels;
    private final long nodesMax;
    private final SlotBusyException busy = SlotBusyException.ofDistances();
    private final DistancesNotReadyException notReady = new DistancesNotReadyException();
    private volatile boolean closed;

    WatchedDistances(Region region, Runnable remove, long watch, int source) {
        this.region = region;
        this.remove = remove;
        this.watch = watch;
        this.source = source;
        this.head = region.watch((int) watch);
        this.labels = head + Region.WATCH_HEAD_BYTES;
        this.nodesMax = region.nodesMax();
    }

    /** The watch that somebody has begun on this source, if there is one; reading only. */
    static Optional<WatchedDistances> find(Region region, int source) {
        for (int place = 0; place < region.watchesMax(); place++) {
            long watch = usedBy(region.watch(place), source);
            if (watch != 0 && (int) watch == place) {
                return Optional.of(new WatchedDistances(region, () -> { }, watch, source));
            }
        }
        return Optional.empty();
    }

    /** The id of the watch at a head, 0 when it is free, of another source, or just changing hands. */
    private static long usedBy(long head, int source) {
        long watch = Words.acquire(head + AT_ID);
        long sourceAndState = Words.acquire(head + AT_STATE);
        VarHandle.acquireFence();
        boolean used = (int) sourceAndState == source && sourceAndState >>> Integer.SIZE != FREE;
        return used && Words.opaque(head + AT_ID) == watch ? watch : 0;
    }

    /**
     * The node that distances are measured from.
     *
     * @return the node, unsigned
     */
    public int source() {
        return source;
    }

    /**
     * The distance to a node: the least sum of weights on a path.
     *
     * @param node the node, unsigned
     * @return the distance, 0 for the source itself; {@link #NO_PATH} when there is no path
     * @throws IndexOutOfBoundsException when the node is not below {@code graph.nodes_max}
     * @throws DistancesNotReadyException when the distances are being computed; always the same object
     * @throws EngineClosedException when the watch or the engine is closed
     * @throws SlotBusyException when distances changed on every look; always the same object
     */
    public long distance(int node) {
        return distanceOf(label(node));
    }

    /**
     * The number of edges on the shortest path to a node; of paths of the same distance the one with the fewest edges counts.
     *
     * @param node the node, unsigned
     * @return the number, 0 for the source itself; -1 when there is no path
     * @throws IndexOutOfBoundsException when the node is not below {@code graph.nodes_max}
     * @throws DistancesNotReadyException as {@link #distance}
     * @throws EngineClosedException as {@link #distance}
     * @throws SlotBusyException as {@link #distance}
     */
    public int edgesOnPath(int node) {
        long label = label(node);
        return label == UNREACHED ? -1 : (int) label & EDGES_MASK;
    }

    /**
     * The distances to several nodes, all of them at one revision.
     *
     * @param nodes the nodes, unsigned
     * @param into where their distances go, in this order; longer is allowed
     * @return the revision
     * @throws IndexOutOfBoundsException when a node is not below {@code graph.nodes_max}, or {@code into} is too short
     * @throws DistancesNotReadyException as {@link #distance}
     * @throws EngineClosedException as {@link #distance}
     * @throws SlotBusyException as {@link #distance}; the more nodes, the likelier, while many edges change
     */
    public long distances(int[] nodes, long[] into) {
        Objects.checkFromIndexSize(0, nodes.length, into.length);
        try {
            return lookAt(nodes, into);
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    private long lookAt(int[] nodes, long[] into) {
        for (int looks = 0; looks < Region.LOOKS_SPINNING_MAX + Region.LOOKS_YIELDING_MAX; looks++) {
            long before = Words.acquire(head);
            if ((before & 1) == 0) {
                for (int index = 0; index < nodes.length; index++) {
                    into[index] = distanceOf(Words.opaque(place(nodes[index])));
                }
                // The labels first: a revision told since then, with the sequence unchanged, holds for them all the same.
                long state = Words.acquire(head + AT_STATE);
                long id = Words.acquire(head + AT_ID);
                long revision = Words.acquire(head + AT_REVISION);
                VarHandle.acquireFence();
                if (Words.opaque(head) == before) {
                    requireLive(id, state);
                    return revision;
                }
            }
            Region.pause(looks);
        }
        throw given(busy);
    }

    private long label(int node) {
        try {
            return lookAt(place(node));
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    private long lookAt(long place) {
        for (int looks = 0; looks < Region.LOOKS_SPINNING_MAX + Region.LOOKS_YIELDING_MAX; looks++) {
            long before = Words.acquire(head);
            if ((before & 1) == 0) {
                long state = Words.opaque(head + AT_STATE);
                long id = Words.opaque(head + AT_ID);
                long label = Words.opaque(place);
                // Pairs with the writer's release fence: if a label of a later change was seen, so is its odd sequence.
                VarHandle.acquireFence();
                if (Words.opaque(head) == before) {
                    requireLive(id, state);
                    return label;
                }
            }
            Region.pause(looks);
        }
        throw given(busy);
    }

    private long place(int node) {
        return labels + Objects.checkIndex(Integer.toUnsignedLong(node), nodesMax) * Long.BYTES;
    }

    private static long distanceOf(long label) {
        return label == UNREACHED ? NO_PATH : label >>> EDGES_BITS;
    }

    private void requireLive(long id, long sourceAndState) {
        if (id != watch || closed) {
            throw given(new EngineClosedException("the watch is closed", "watch the source again"));
        }
        if (sourceAndState >>> Integer.SIZE != LIVE) {
            throw given(notReady);
        }
        region.requireOpen();
    }

    /** The exception, unless the reason behind it is that the engine is closed. */
    private EngineException given(EngineException exception) {
        if (exception == busy) {
            return region.stuck(busy);
        }
        region.requireOpen();
        return exception;
    }

    /**
     * The revision that the distances belong to at this moment. It follows the engine's, also when no edge changed.
     *
     * @return the revision
     * @throws DistancesNotReadyException as {@link #distance}
     * @throws EngineClosedException as {@link #distance}
     * @throws SlotBusyException as {@link #distance}
     */
    public long revision() {
        return distances(NO_NODES, NO_DISTANCES);
    }

    /**
     * What the distances are worth at this moment.
     *
     * @return the state, {@link WatchState#CLOSED} after the close of the watch or the engine
     */
    public WatchState state() {
        long state;
        try {
            state = Words.acquire(head + AT_STATE) >>> Integer.SIZE;
            if (closed || Words.acquire(head + AT_ID) != watch || !region.isOpen()) {
                return WatchState.CLOSED;
            }
        } catch (InternalError fault) {
            region.fault(fault);
            return WatchState.CLOSED;
        }
        if (state == LIVE) {
            return WatchState.LIVE;
        }
        return state == FILLING ? WatchState.FILLING : WatchState.STALE;
    }

    /**
     * Waits until the distances can be read. Looks every millisecond.
     *
     * @param timeout how long at most
     * @return false when the time was up before, or the engine failed
     * @throws InterruptedException when the thread is interrupted
     * @throws EngineClosedException when the watch or the engine is closed
     */
    public boolean awaitLive(Duration timeout) throws InterruptedException {
        return await(timeout, () -> state() == WatchState.LIVE);
    }

    /**
     * Waits until the distances are those of a commit or of a later one, on its branch or a later one.
     *
     * @param commit the commit, from {@link Engine#commit}
     * @param timeout how long at most
     * @return false when the time was up before, or the engine failed
     * @throws InterruptedException when the thread is interrupted
     * @throws EngineClosedException when the watch or the engine is closed
     */
    public boolean awaitCommit(Commit commit, Duration timeout) throws InterruptedException {
        Objects.requireNonNull(commit, "commit");
        return await(timeout, () -> state() == WatchState.LIVE && isAt(commit));
    }

    /** Whether the head, when it is not just changing, is that of the commit or of a later one. */
    private boolean isAt(Commit commit) {
        long before;
        long branch;
        long revision;
        boolean whole;
        try {
            before = Words.acquire(head);
            branch = Words.acquire(head + AT_BRANCH);
            revision = Words.acquire(head + AT_REVISION);
            VarHandle.acquireFence();
            whole = (before & 1) == 0 && Words.opaque(head) == before;
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
        return whole && (branch > commit.branch() || branch == commit.branch() && revision >= commit.revision());
    }

    private boolean await(Duration timeout, BooleanSupplier reached) throws InterruptedException {
        long start = System.nanoTime();
        while (!reached.getAsBoolean()) {
            if (state() == WatchState.CLOSED) {
                throw given(new EngineClosedException("the watch is closed", "watch the source again"));
            }
            boolean late = Duration.ofNanos(System.nanoTime() - start).compareTo(timeout) >= 0;
            EngineState engine = region.state();
            if (late || engine == EngineState.POISONED || engine == EngineState.GONE) {
                return false;
            }
            Thread.sleep(LOOK_MS);
        }
        return true;
    }

    /**
     * Gives the watch back; while too many routes wait, waits for room among them. A second close does nothing, and so does
     * one after the engine's.
     *
     * @throws EngineException when the engine did not take it within 60 s ({@link Status#OVERLOADED},
     *     {@link Status#TIMEOUT}); the watch is in use until it is closed again
     */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            try {
                remove.run();
            } catch (EngineException refused) {
                closed = false;
                throw refused;
            }
        }
    }

    @Override
    public String toString() {
        return "WatchedDistances[source=" + Integer.toUnsignedString(source) + ", state=" + state() + "]";
    }
}
