package dev.lodestone;

import dev.lodestone.internal.Monitors;
import dev.lodestone.internal.ProcessMemory;
import dev.lodestone.internal.Region;
import java.util.Objects;
import java.util.Optional;

/** What the engine counts, read from shared memory, and what this JVM does beside it. Any thread. */
public final class Metrics {
    private final Region region;
    private final Monitors monitors;

    Metrics(Region region, Monitors monitors) {
        this.region = region;
        this.monitors = monitors;
    }

    /**
     * A counter's value.
     *
     * @param counter which one
     * @return the value, unsigned
     * @throws EngineClosedException when the engine is closed
     */
    public long counter(Counter counter) {
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
    public HistogramSnapshot histogram(Histogram histogram) {
        Objects.requireNonNull(histogram, "histogram");
        HistogramSnapshot snapshot = new HistogramSnapshot(region.histogram(histogram.place()));
        region.requireOpen();
        return snapshot;
    }

    /**
     * Resident memory of this process: heap, slots, graph, everything.
     *
     * @return bytes, -1 where the system does not tell
     */
    public long rssBytes() {
        return ProcessMemory.rssBytes();
    }

    /**
     * Garbage collection pauses since the engine was opened.
     *
     * @return number of pauses
     */
    public long gcPauses() {
        return monitors.gcPauses();
    }

    /**
     * The longest garbage collection pause since the engine was opened.
     *
     * @return milliseconds, 0 when there was none
     */
    public long gcPauseMaxMs() {
        return monitors.gcPauseMaxMs();
    }

    /**
     * How many heap samples were taken, one every {@code monitoring.heap_profile_interval}.
     *
     * @return number of samples
     */
    public long heapSamples() {
        return monitors.heapSamples();
    }

    /**
     * The latest heap sample.
     *
     * @return the sample, empty before the first
     */
    public Optional<HeapSample> latestHeapSample() {
        return monitors.latestHeapSample();
    }
}
