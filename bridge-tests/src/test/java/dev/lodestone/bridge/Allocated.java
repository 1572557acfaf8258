package dev.lodestone.bridge;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.concurrent.TimeUnit;

/**
 * What something allocates on its thread. What the product allocates it allocates in every round of thousands of steps; the JVM
 * allocates for itself in some of them, until all is linked and compiled, which takes long where it gets little of the processor.
 */
final class Allocated {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final long LIMIT_NANOS = TimeUnit.SECONDS.toNanos(30);
    private static final int ROUNDS_MIN = 20;

    private Allocated() {}

    /** Bytes in the best round of the body; 0 ends the rounds. */
    static long least(Runnable body) {
        return least(() -> { }, body);
    }

    /** As {@link #least(Runnable)}, with something before each round that may allocate. */
    static long least(Runnable before, Runnable body) {
        long begun = System.nanoTime();
        long least = Long.MAX_VALUE;
        for (int round = 0; least > 0 && (round < ROUNDS_MIN || System.nanoTime() - begun < LIMIT_NANOS); round++) {
            before.run();
            long start = THREADS.getCurrentThreadAllocatedBytes();
            body.run();
            least = Math.min(least, THREADS.getCurrentThreadAllocatedBytes() - start);
        }
        return least;
    }
}
