package dev.lodestone.cli;

import dev.lodestone.Counter;
import dev.lodestone.Histogram;
import dev.lodestone.HistogramSnapshot;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;

/**
 * What happened between two samples; without an earlier one, since the engine was opened.
 *
 * @param now the later sample
 * @param before the earlier sample, or null
 */
record Window(Sample now, Sample before) {
    /** These tell how much there is now; they have no rate. */
    private static final Set<Counter> LEVELS = EnumSet.of(Counter.SESSIONS_LIVE, Counter.LOAD_DONE, Counter.LOAD_TOTAL,
            Counter.HANDSHAKES_LIVE, Counter.PATHFINDER_LAG, Counter.SLOTS_USED, Counter.SLOTS_HIGH_WATER, Counter.EDGES_USED,
            Counter.UNDO_BYTES_USED);
    private static final double NANOS_PER_SECOND = 1e9;

    static boolean hasRate(Counter counter) {
        return !LEVELS.contains(counter);
    }

    Duration length() {
        return before == null ? now.age() : Duration.ofNanos(now.nanos() - before.nanos());
    }

    long counter(Counter counter) {
        return now.counters().get(counter);
    }

    /** Per second; 0 for a window of no length. */
    double rate(Counter counter) {
        long counted = counter(counter) - (before == null ? 0 : before.counters().get(counter));
        long nanos = length().toNanos();
        return nanos <= 0 ? 0 : counted * NANOS_PER_SECOND / nanos;
    }

    HistogramSnapshot histogram(Histogram histogram) {
        HistogramSnapshot counts = now.histograms().get(histogram);
        return before == null ? counts : counts.since(before.histograms().get(histogram));
    }
}
