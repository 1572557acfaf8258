package dev.lodestone.internal;

import dev.lodestone.EngineClosedException;
import dev.lodestone.EngineException;
import dev.lodestone.Status;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Begins the watches of an attached process, all of them with one producer: the engine ends them when that leaves or dies. So it
 * is kept also when a reply was not waited for, and that reply is looked at before the next question. Any thread.
 */
final class WatchCaller {
    private static final long WATCH = 0x43;

    private final Region region;
    private final ReentrantLock turn = new ReentrantLock();
    private Caller caller;
    private boolean closed;

    WatchCaller(Region region) {
        this.region = region;
    }

    /**
     * Begins a watch.
     *
     * @param source the node to measure from
     * @param calls ends a watch that nobody waited for
     * @return its id
     */
    long begin(int source, Calls calls) {
        long begun = System.nanoTime();
        long waitNs = Calls.TIMEOUT.toNanos();
        requireTurn(waitNs);
        try {
            if (closed) {
                throw new EngineClosedException();
            }
            region.requireAlive();
            if (caller == null) {
                caller = Caller.register(region);
            }
            if (caller.isOwedAReply()) {
                require(caller.await(waitNs - (System.nanoTime() - begun)), waitNs);
                if (caller.status() == Status.OK) {
                    calls.unwatch(caller.word(0));
                }
            }
            require(caller.ask(WATCH, Integer.toUnsignedLong(source), waitNs - (System.nanoTime() - begun)), waitNs);
            return watch(source);
        } catch (InternalError fault) {
            throw region.fault(fault);
        } finally {
            turn.unlock();
        }
    }

    private void requireTurn(long waitNs) {
        try {
            if (!turn.tryLock() && !turn.tryLock(waitNs, TimeUnit.NANOSECONDS)) {
                throw Calls.unanswered(WATCH, Status.TIMEOUT, waitNs);
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw Calls.unanswered(WATCH, Status.INTERRUPTED, waitNs);
        }
    }

    private static void require(Status given, long waitNs) {
        if (given != Status.OK) {
            throw Calls.unanswered(WATCH, given, waitNs);
        }
    }

    private long watch(int source) {
        Status status = caller.status();
        if (status == Status.OUT_OF_BOUNDS) {
            throw new EngineException(status, "node " + Integer.toUnsignedString(source)
                    + " is not in the graph. What to do: keep it below graph.nodes_max, " + region.nodesMax() + ".");
        }
        if (status == Status.WATCHES_FULL) {
            throw new EngineException(status, "all " + region.watchesMax()
                    + " watches are in use. What to do: close one, or raise graph.watches_max.");
        }
        Calls.requireOk(caller);
        long watch = caller.word(0);
        if (watch == 0 || Integer.toUnsignedLong((int) watch) >= region.watchesMax()) {
            throw region.damaged("a watch at a place that is none, " + Long.toUnsignedString(watch));
        }
        return watch;
    }

    /** Ends all watches. */
    void close() {
        // Who waits for a reply in there finds the engine closed, a moment later.
        if (turn.tryLock()) {
            try {
                closed = true;
                if (caller != null) {
                    caller.leave();
                }
            } finally {
                turn.unlock();
            }
        }
    }
}
