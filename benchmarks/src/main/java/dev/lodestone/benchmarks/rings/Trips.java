package dev.lodestone.benchmarks.rings;

import java.util.Arrays;

/** Times of the round trips of one trial, from one reading of the clock to the next. One thread. */
final class Trips {
    /** Most trips of a trial. */
    static final int MAX = 200_000;

    private static final long[] NANOSECONDS = new long[MAX];

    private Trips() {}

    /**
     * Keeps a time.
     *
     * @param trip its number
     * @param nanoseconds the time
     */
    static void keep(int trip, long nanoseconds) {
        NANOSECONDS[trip] = nanoseconds;
    }

    /**
     * Sorts the first times.
     *
     * @param count how many
     */
    static void sort(int count) {
        Arrays.sort(NANOSECONDS, 0, count);
    }

    /**
     * A percentile of the first times, once sorted.
     *
     * @param count how many
     * @param share from 0 to 1
     * @return nanoseconds
     */
    static long percentile(int count, double share) {
        return NANOSECONDS[Math.min(count - 1, (int) (count * share))];
    }
}
