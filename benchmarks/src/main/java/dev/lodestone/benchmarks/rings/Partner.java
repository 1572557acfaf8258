package dev.lodestone.benchmarks.rings;

import java.util.concurrent.SynchronousQueue;
import java.util.function.LongSupplier;

/** The thread on the other core: runs one task at a time, and sleeps in between, since that core may be needed. */
final class Partner {
    private final SynchronousQueue<LongSupplier> tasks = new SynchronousQueue<>();
    private final Thread thread = new Thread(this::work, "partner");
    private volatile boolean running;
    private volatile boolean done;
    private volatile Throwable failure;
    private long result;
    private long doneNs;

    Partner() {
        thread.setDaemon(true);
        thread.start();
    }

    private void work() {
        Cores.pin(Cores.TAKER);
        while (true) {
            try {
                LongSupplier task = tasks.take();
                running = true;
                result = task.getAsLong();
                doneNs = System.nanoTime();
            } catch (InterruptedException | RuntimeException | Error thrown) {
                failure = thrown;
            }
            done = true;
        }
    }

    /**
     * Starts a task; returns once it runs, so that the clock does not count how long a thread takes to wake.
     *
     * @param task what to do
     */
    void start(LongSupplier task) {
        running = false;
        done = false;
        try {
            tasks.put(task);
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException("interrupted", interrupted);
        }
        while (!running) {
            Thread.onSpinWait();
        }
    }

    /**
     * Waits for the task.
     *
     * @return what it returned
     */
    long result() {
        while (!done) {
            Thread.onSpinWait();
        }
        if (failure != null) {
            throw new IllegalStateException("the other side failed", failure);
        }
        return result;
    }

    /**
     * When the task that {@link #result} waited for was done.
     *
     * @return reading of the clock in nanoseconds
     */
    long doneNs() {
        return doneNs;
    }
}
