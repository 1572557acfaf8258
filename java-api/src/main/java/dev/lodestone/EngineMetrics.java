package dev.lodestone;

import dev.lodestone.internal.Region;
import java.util.Objects;

/** What an engine counts, read from shared memory, whichever process it lives in. Any thread. */
public sealed class EngineMetrics permits Metrics {
    private final Region region;

    EngineMetrics(Region region) {
        this.region = region;
    }

    /**
     * A counter's value.
     *
     * @param counter which one
     * @return the value, unsigned
     * @throws EngineClosedException when the engine is closed
     */
    public final long counter(Counter counter) {
        long value = region.counter(Objects.requireNonNull(counter, "counter").place());
        region.requireOpen();
        return value;
    }

    /**
     * The counts of a histogram. Takes 8 KiB of heap: for live lines and reports, not for every move.
     *
     * @param histogram which one
     * @return its counts now
     * @throws EngineClosedException when the engine is closed
     */
    public final HistogramSnapshot histogram(Histogram histogram) {
        Objects.requireNonNull(histogram, "histogram");
        HistogramSnapshot snapshot = new HistogramSnapshot(region.histogram(histogram.place()));
        region.requireOpen();
        return snapshot;
    }
}
