package dev.lodestone.benchmarks.rings;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/** The time of a trial, and what the threads of this JVM allocated meanwhile, by the JVM's own count. One thread. */
final class Clock {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private static long bytesBefore;
    private static long bytes;

    private Clock() {}

    /**
     * Begins.
     *
     * @return reading of the clock in nanoseconds
     */
    static long begin() {
        bytesBefore = THREADS.getTotalThreadAllocatedBytes();
        return System.nanoTime();
    }

    /**
     * Ends.
     *
     * @return reading of the clock in nanoseconds
     */
    static long end() {
        long now = System.nanoTime();
        bytes = THREADS.getTotalThreadAllocatedBytes() - bytesBefore;
        return now;
    }

    /**
     * What was allocated between the last begin and its end.
     *
     * @return bytes
     */
    static long bytes() {
        return bytes;
    }
}
