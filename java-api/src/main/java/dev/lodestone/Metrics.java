package dev.lodestone;

import dev.lodestone.internal.Monitors;
import dev.lodestone.internal.ProcessMemory;
import dev.lodestone.internal.Region;
import java.util.Optional;

/** What the engine counts, read from shared memory, and what this JVM does beside it. Any thread. */
public final class Metrics extends EngineMetrics {
    private final Monitors monitors;

    Metrics(Region region, Monitors monitors) {
        super(region);
        this.monitors = monitors;
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
