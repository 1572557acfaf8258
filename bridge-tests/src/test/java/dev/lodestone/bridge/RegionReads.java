package dev.lodestone.bridge;

import dev.lodestone.AttachedEngine;
import dev.lodestone.Counter;
import dev.lodestone.EventReader;
import dev.lodestone.Histogram;
import dev.lodestone.LogReader;
import dev.lodestone.SlotReader;
import dev.lodestone.WatchedDistances;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/** Reads a region to its ends, whatever is in it: nothing but an {@code EngineException} may come out. */
final class RegionReads {
    private RegionReads() {}

    /** Everything that an attached engine can be asked, with what it leads to. */
    static void all(AttachedEngine engine, Random random) {
        engine.state();
        engine.isAlive();
        engine.poisonText();
        engine.heartbeatAge();
        for (Counter counter : Counter.values()) {
            engine.metrics().counter(counter);
        }
        for (Histogram histogram : Histogram.values()) {
            engine.metrics().histogram(histogram).percentileNanos(99.9);
        }
        SlotReader slot = engine.slotReader();
        for (int look = 0; look < 8; look++) {
            int node = look < 4 ? look : random.nextInt();
            try {
                if (slot.read(node)) {
                    slot.payload().get(ValueLayout.JAVA_BYTE, Math.max(0, slot.payloadLength() - 1));
                }
                slot.version(node);
            } catch (IndexOutOfBoundsException outside) {
                continue;
            }
        }
        poll(engine, random);
        logs(engine, random);
        distances(engine, random);
        engine.commit();
        engine.revision();
    }

    private static void poll(AttachedEngine engine, Random random) {
        EventReader events = engine.events();
        try {
            events = random.nextBoolean() ? events : engine.events(random.nextBoolean() ? 0 : events.position() - 1);
        } catch (IllegalArgumentException beyond) {
            return;
        } finally {
            for (int polls = 0; polls < 3; polls++) {
                events.poll((type, session, position, body) -> body.bodyLong(4), 20_000);
            }
        }
    }

    private static void logs(AttachedEngine engine, Random random) {
        LogReader logs = engine.logs();
        try {
            logs = random.nextBoolean() ? logs : engine.logs(random.nextBoolean() ? 0 : logs.position() - 1);
        } catch (IllegalArgumentException beyond) {
            return;
        } finally {
            for (int polls = 0; polls < 3; polls++) {
                logs.poll((level, position, record) -> {
                    record.time();
                    if (record.message().length() > 400 || record.target().length() > 64 || record.threadName().length() > 16) {
                        throw new AssertionError("a text is longer than its place");
                    }
                }, 2_000);
            }
        }
    }

    private static void distances(AttachedEngine engine, Random random) {
        WatchedDistances distances = engine.watchedDistances(3).orElse(null);
        if (distances == null) {
            return;
        }
        distances.state();
        distances.source();
        for (int node : new int[] {0, 3, 50, random.nextInt()}) {
            try {
                distances.distance(node);
                distances.edgesOnPath(node);
            } catch (IndexOutOfBoundsException outside) {
                continue;
            }
        }
        distances.distances(new int[] {1, 2}, new long[2]);
    }
}
