package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Engine;
import dev.lodestone.HeapSample;
import dev.lodestone.Metrics;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
class MonitorsTest {
    private static void await(BooleanSupplier condition) {
        while (!condition.getAsBoolean()) {
            Thread.onSpinWait();
        }
    }

    @Test
    void heapAndPausesAreWatched() {
        try (Engine engine = Engine.open(Engines.small().set("monitoring.heap_profile_interval", "100ms").build())) {
            Metrics metrics = engine.metrics();
            await(() -> metrics.heapSamples() >= 3);
            HeapSample sample = metrics.latestHeapSample().orElseThrow();
            assertTrue(sample.heapUsedBytes() > 0 && sample.heapUsedBytes() <= sample.heapCommittedBytes());
            assertTrue(sample.rssBytes() > 0);
            long before = metrics.gcPauses();
            System.gc();
            await(() -> metrics.gcPauses() > before);
            assertTrue(metrics.gcPauseMaxMs() >= 0);
        }
    }
}
