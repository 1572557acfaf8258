package dev.lodestone;

import java.util.Objects;

/** The counts of a latency histogram at one moment. Buckets are 3 % wide; percentiles are upper ends of buckets. Immutable. */
public final class HistogramSnapshot {
    /** Buckets to an octave; below this value a bucket holds one value. */
    private static final int OCTAVE_BUCKETS = 32;

    private final long[] counts;
    private final long total;

    HistogramSnapshot(long[] counts) {
        this.counts = counts;
        long sum = 0;
        for (long count : counts) {
            sum += count;
        }
        this.total = sum;
    }

    /** The smallest value that the bucket counts, nanoseconds. */
    static long floorOf(int bucket) {
        return bucket < OCTAVE_BUCKETS
                ? bucket
                : (OCTAVE_BUCKETS + bucket % OCTAVE_BUCKETS & 0xffff_ffffL) << bucket / OCTAVE_BUCKETS - 1;
    }

    /**
     * Number of values counted.
     *
     * @return the number
     */
    public long count() {
        return total;
    }

    /**
     * The value that this share of all values does not exceed.
     *
     * @param percentile from 0 to 100, for example 99.9
     * @return nanoseconds, at most 3 % too high; 0 when nothing was counted
     * @throws IllegalArgumentException when the percentile is not from 0 to 100
     */
    public long percentileNanos(double percentile) {
        if (!(percentile >= 0 && percentile <= 100)) {
            throw new IllegalArgumentException("percentile " + percentile + " is not from 0 to 100");
        }
        long wanted = Math.max(1, (long) Math.ceil(total * percentile / 100));
        long seen = 0;
        for (int bucket = 0; bucket < counts.length; bucket++) {
            seen += counts[bucket];
            if (seen >= wanted) {
                return floorOf(bucket + 1) - 1;
            }
        }
        return 0;
    }

    /**
     * The largest value.
     *
     * @return nanoseconds, at most 3 % too high; 0 when nothing was counted
     */
    public long maxNanos() {
        return percentileNanos(100);
    }

    /**
     * What was counted since an earlier snapshot of the same histogram.
     *
     * @param earlier the earlier snapshot
     * @return the difference
     */
    public HistogramSnapshot since(HistogramSnapshot earlier) {
        Objects.requireNonNull(earlier, "earlier");
        long[] difference = counts.clone();
        for (int bucket = 0; bucket < difference.length; bucket++) {
            difference[bucket] -= earlier.counts[bucket];
        }
        return new HistogramSnapshot(difference);
    }
}
