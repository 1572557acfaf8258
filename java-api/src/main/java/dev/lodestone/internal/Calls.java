package dev.lodestone.internal;

import dev.lodestone.EngineClosedException;
import dev.lodestone.EngineException;
import dev.lodestone.EngineGoneException;
import dev.lodestone.EnginePoisonedException;
import dev.lodestone.RollbackReport;
import dev.lodestone.Route;
import dev.lodestone.RouteException;
import dev.lodestone.StateHash;
import dev.lodestone.Status;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;

/**
 * Calls to the engine of another process: routes, rollbacks, hashes, watches, through the ring and back through reply areas.
 *
 * <p>Up to {@value #CALLERS_MAX} threads call at once, further ones wait for their turn within their time. As many producers as
 * that took stay registered for later calls. A call that is not waited for any more ends its producer: the engine gives a route
 * up then; anything else may still be done. Any thread.
 */
public final class Calls implements AutoCloseable {
    /** How long anything but a route is waited for. */
    public static final Duration TIMEOUT = Duration.ofSeconds(60);

    /** More would leave too few of the engine's 64 producers to others. */
    private static final int CALLERS_MAX = 4;
    private static final Duration WAIT_MAX = Duration.ofDays(36_500);
    /** How long the end of a watch sleeps while too many routes wait. */
    private static final long ROOM_LOOK_NS = 1_000_000;

    private static final long ROUTE = 0x20;
    private static final long ROLLBACK = 0x40;
    private static final long HASH = 0x41;
    private static final long REVISION_BEFORE = 0x42;
    private static final long UNWATCH = 0x44;

    private final Region region;
    private final Semaphore turns = new Semaphore(CALLERS_MAX);
    private final ArrayDeque<Caller> idle = new ArrayDeque<>(CALLERS_MAX);
    private final WatchCaller watches;
    private boolean closed;

    /**
     * Calls to the engine of a region. Nothing is registered before the first.
     *
     * @param region the region
     */
    public Calls(Region region) {
        this.region = region;
        this.watches = new WatchCaller(region);
    }

    /**
     * Finds a route.
     *
     * @param source first node, unsigned
     * @param target last node, unsigned
     * @param timeout how long to wait
     * @return the answer
     * @throws RouteException when the time is up or the thread is interrupted; the search is given up then
     * @throws EngineException when too many routes wait, or the engine is closed, failed or gone
     */
    public NativeRoutes.Answer route(int source, int target, Duration timeout) {
        long waitNs = (timeout.compareTo(WAIT_MAX) > 0 ? WAIT_MAX : timeout).toNanos();
        Caller caller = ask(ROUTE, Integer.toUnsignedLong(source) | (long) target << Integer.SIZE, waitNs);
        return read(caller, this::route);
    }

    private NativeRoutes.Answer route(Caller caller) {
        Status status = caller.status();
        if (status == Status.OVERLOADED || status == Status.SHUTTING_DOWN) {
            throw refusal(status);
        }
        int[] nodes = status == Status.OK ? caller.list() : new int[0];
        long total = caller.word(2);
        if (status == Status.OK && total < nodes.length) {
            throw region.damaged("a route of " + total + " nodes of which " + nodes.length + " are listed");
        }
        return new NativeRoutes.Answer(status, status == Status.OK
                ? new Route(caller.word(0), caller.word(1), total, caller.word(3), nodes)
                : new Route(0, Route.NO_PATH, 0, 0, nodes));
    }

    /**
     * Reads a reply and gives the caller back. A close that came in between put zero pages in the reply's place, and what was
     * read there, an answer or the reason of a refusal, is none: so the region must still be open behind the last word.
     */
    private <T> T read(Caller caller, Function<Caller, T> reading) {
        try {
            T answer = reading.apply(caller);
            requireStillOpen();
            return answer;
        } catch (InternalError fault) {
            throw region.fault(fault);
        } catch (EngineException refused) {
            region.requireOpen();
            throw refused;
        } finally {
            giveBack(caller);
        }
    }

    /**
     * Goes back.
     *
     * @param revision the revision to go back to
     * @return what was done
     * @throws EngineException with {@link Status#TIMEOUT} or {@link Status#INTERRUPTED} when that is not known
     */
    public RollbackReport rollback(long revision) {
        return read(ask(ROLLBACK, revision, TIMEOUT.toNanos()), caller -> {
            requireInWindow(caller, revision);
            long from = caller.word(0);
            long to = caller.word(1);
            return new RollbackReport(from, to, from - to, caller.word(2), Duration.ofNanos(caller.word(3)),
                    new StateHash(caller.word(4), caller.word(5)), caller.word(6), caller.word(7), caller.word(8) != 0);
        });
    }

    /**
     * A state hash.
     *
     * @param revision a revision of the window
     * @return the hash recorded with it
     */
    public StateHash hash(long revision) {
        return read(ask(HASH, revision, TIMEOUT.toNanos()), caller -> {
            requireInWindow(caller, revision);
            return new StateHash(caller.word(1), caller.word(2));
        });
    }

    private void requireInWindow(Caller caller, long revision) {
        if (caller.status() == Status.OUT_OF_WINDOW) {
            throw RollbackWindow.refusal(region, revision);
        }
        requireOk(caller);
    }

    /**
     * The newest revision of at least this age.
     *
     * @param ageMs the age, milliseconds
     * @return the revision; the oldest in the window when none is old enough
     */
    public long revisionBefore(long ageMs) {
        return word(REVISION_BEFORE, ageMs);
    }

    /**
     * Begins a watch. It ends with this process at the latest, and with {@link #close()}.
     *
     * @param source the node to measure from
     * @return the watch's id; the low half is its place in the shared region
     * @throws EngineException when the node is out of bounds or every watch is in use
     */
    public long watch(int source) {
        return watches.begin(source, this);
    }

    /**
     * Ends a watch, unless that has happened already or the engine is closed, failed or gone, which ends all of them. While too
     * many routes wait, waits for room among them.
     *
     * @param watch the watch's id
     * @throws EngineException when the engine did not take it in time
     */
    public void unwatch(long watch) {
        long begun = System.nanoTime();
        try {
            while (!isUnwatched(watch, System.nanoTime() - begun >= TIMEOUT.toNanos())) {
                LockSupport.parkNanos(ROOM_LOOK_NS);
            }
        } catch (EngineClosedException | EnginePoisonedException | EngineGoneException ended) {
            // Nothing is left to give back.
        }
    }

    private boolean isUnwatched(long watch, boolean last) {
        try {
            word(UNWATCH, watch);
            return true;
        } catch (EngineException refused) {
            if (refused.status() != Status.OVERLOADED || last) {
                throw refused;
            }
            return false;
        }
    }

    /** A call whose reply is one word; allocates nothing. */
    private long word(long kind, long argument) {
        Caller caller = ask(kind, argument, TIMEOUT.toNanos());
        // As in read(), without an object for the word.
        try {
            requireOk(caller);
            long word = caller.word(0);
            requireStillOpen();
            return word;
        } catch (InternalError fault) {
            throw region.fault(fault);
        } catch (EngineException refused) {
            region.requireOpen();
            throw refused;
        } finally {
            giveBack(caller);
        }
    }

    private void requireStillOpen() {
        // The look comes after the reads.
        VarHandle.acquireFence();
        region.requireOpen();
    }

    static void requireOk(Caller caller) {
        Status status = caller.status();
        if (status != Status.OK) {
            throw refusal(status);
        }
    }

    private static EngineException refusal(Status status) {
        return switch (status) {
            case OVERLOADED -> new EngineException(status,
                    "too many routes wait. What to do: ask again later, or raise graph.route_queue.");
            case SHUTTING_DOWN -> new EngineClosedException();
            default -> new EngineException(status, "the engine refused the call");
        };
    }

    /** Asks and waits; the caller has the reply and is to be given back. */
    private Caller ask(long kind, long argument, long waitNs) {
        long begun = System.nanoTime();
        if (!isMyTurn(waitNs)) {
            throw unanswered(kind, Thread.currentThread().isInterrupted() ? Status.INTERRUPTED : Status.TIMEOUT, waitNs);
        }
        Caller caller = null;
        Status given;
        try {
            caller = take();
            given = caller.ask(kind, argument, waitNs - (System.nanoTime() - begun));
            if (given == Status.OK) {
                return caller;
            }
        } catch (InternalError fault) {
            drop(null);
            throw region.fault(fault);
        } catch (RuntimeException | Error failed) {
            drop(caller);
            throw failed;
        }
        drop(caller);
        throw unanswered(kind, given, waitNs);
    }

    private boolean isMyTurn(long waitNs) {
        try {
            return turns.tryAcquire() || turns.tryAcquire(waitNs, TimeUnit.NANOSECONDS);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    static EngineException unanswered(long kind, Status status, long waitNs) {
        String why = status == Status.INTERRUPTED ? "the thread that waited for it was interrupted"
                : "it did not come within " + waitNs / 1_000_000 + " ms";
        if (kind == ROUTE) {
            return new RouteException(status, "no answer to the route: " + why);
        }
        return new EngineException(status, "no answer of the engine: " + why + (kind == ROLLBACK || kind == UNWATCH
                ? ", and it may still do what it was asked for. What to do: look at its revision before asking again." : ""));
    }

    private synchronized Caller take() {
        requireOpen();
        Caller caller = idle.pollLast();
        return caller == null ? Caller.register(region) : caller;
    }

    private void giveBack(Caller caller) {
        if (!keep(caller)) {
            caller.leave();
        }
        turns.release();
    }

    private synchronized boolean keep(Caller caller) {
        if (closed) {
            return false;
        }
        idle.addLast(caller);
        return true;
    }

    private void drop(Caller caller) {
        if (caller != null) {
            caller.leave();
        }
        turns.release();
    }

    private void requireOpen() {
        if (closed) {
            throw new EngineClosedException();
        }
        region.requireAlive();
    }

    /** Leaves, which ends the watches too. A second close does nothing. */
    @Override
    public void close() {
        List<Caller> leaving;
        synchronized (this) {
            closed = true;
            leaving = new ArrayList<>(idle);
            idle.clear();
        }
        try {
            leaving.forEach(Caller::leave);
            watches.close();
        } catch (InternalError fault) {
            region.fault(fault);
        }
    }
}
