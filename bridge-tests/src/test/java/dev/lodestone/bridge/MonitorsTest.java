package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Engine;
import dev.lodestone.HeapSample;
import dev.lodestone.Metrics;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 600, unit = TimeUnit.SECONDS)
class MonitorsTest {
    @Test
    void heapAndPausesAreWatched() {
        try (Engine engine = Engine.open(Engines.small().set("monitoring.heap_profile_interval", "100ms").build())) {
            Metrics metrics = engine.metrics();
            Until.holds("samples", () -> metrics.heapSamples() >= 3);
            HeapSample sample = metrics.latestHeapSample().orElseThrow();
            assertTrue(sample.heapUsedBytes() > 0 && sample.heapUsedBytes() <= sample.heapCommittedBytes());
            assertTrue(sample.rssBytes() > 0);
            long before = metrics.gcPauses();
            System.gc();
            Until.holds("a pause", () -> metrics.gcPauses() > before);
            assertTrue(metrics.gcPauseMaxMs() >= 0);
        }
    }
}
