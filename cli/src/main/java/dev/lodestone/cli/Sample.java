package dev.lodestone.cli;

import dev.lodestone.AttachedEngine;
import dev.lodestone.Commit;
import dev.lodestone.Counter;
import dev.lodestone.EngineState;
import dev.lodestone.Histogram;
import dev.lodestone.HistogramSnapshot;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumMap;
import java.util.Map;
import java.util.OptionalLong;

/**
 * All that an engine shows, taken within moments.
 *
 * @param time when it was taken, by this machine's clock
 * @param nanos the same instant by the clock that only goes forward
 * @param pid the engine's process
 * @param age time since the engine was opened
 * @param state what it is doing
 * @param poison why it failed, empty when it did not
 * @param heartbeatAge time since its last sign of life
 * @param commit its last commit
 * @param counters its counters
 * @param histograms its histograms
 * @param residentBytes resident memory of the engine's process, empty when the system does not tell
 */
record Sample(Instant time, long nanos, long pid, Duration age, EngineState state, String poison, Duration heartbeatAge,
        Commit commit, Map<Counter, Long> counters, Map<Histogram, HistogramSnapshot> histograms, OptionalLong residentBytes) {

    /** Takes one; throws what a closed engine throws. */
    static Sample of(AttachedEngine engine) {
        Map<Counter, Long> counters = new EnumMap<>(Counter.class);
        Map<Histogram, HistogramSnapshot> histograms = new EnumMap<>(Histogram.class);
        for (Counter counter : Counter.values()) {
            counters.put(counter, engine.metrics().counter(counter));
        }
        for (Histogram histogram : Histogram.values()) {
            histograms.put(histogram, engine.metrics().histogram(histogram));
        }
        Instant time = Instant.now();
        Duration age = Duration.between(engine.openedAt(), time);
        return new Sample(time, System.nanoTime(), engine.pid(), age.isNegative() ? Duration.ZERO : age, engine.state(),
                engine.poisonText(), engine.heartbeatAge(), engine.commit(), counters, histograms,
                ProcessFiles.residentBytes(engine.pid()));
    }
}
