package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Commit;
import dev.lodestone.Engine;
import dev.lodestone.EventHandler;
import dev.lodestone.EventReader;
import dev.lodestone.EventType;
import dev.lodestone.MoveBatch;
import dev.lodestone.SlotBusyException;
import dev.lodestone.SlotReader;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Readers of shared memory: they allocate nothing, see nothing torn, and know what they missed. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class ReadersTest {
    private static final int RING_EVENTS = 16_384;

    private long sum;

    @Test
    void slotReadsAllocateNothing() {
        try (Engine engine = Engines.open()) {
            for (int node = 0; node < 100; node++) {
                Engines.move(engine, node, node + 1, node + 1);
            }
            SlotReader slot = engine.slotReader();
            long bytes = Allocated.least(() -> {
                for (int step = 0; step < 100_000; step++) {
                    int node = step % 200;
                    if (slot.read(node)) {
                        sum += slot.target() + slot.weight() + slot.version() + slot.payloadLong(0) + slot.payload().byteSize();
                    }
                    sum += slot.version(node);
                }
            });
            assertEquals(0, bytes);
            assertTrue(sum > 0);
        }
    }

    @Test
    void eventPollsAllocateNothing() {
        try (Engine engine = Engines.open()) {
            EventReader events = engine.events();
            Engines.move(engine, 1, 2, 3);
            EventHandler handler = (type, session, position, body) -> sum += type + session + position + body.bodyLong(0);
            // Rollbacks allocate, being calls; so they happen before the measured polls.
            for (int event = 0; event < RING_EVENTS; event++) {
                engine.rollback(1);
            }
            long[] counts = new long[2];
            long bytes = Allocated.least(() -> {
                counts[1]++;
                for (int poll = 0; poll < 10; poll++) {
                    counts[0] += events.poll(handler, 1) + events.poll(handler, 9);
                }
            });
            assertEquals(0, bytes);
            assertEquals(100 * counts[1], counts[0], "each round had its events");
        }
    }

    @Test
    void submissionsAllocateNothing() {
        try (Engine engine = Engines.open()) {
            MoveBatch batch = engine.moveBatch(8);
            long bytes = Allocated.least(() -> {
                for (int step = 0; step < 2_000; step++) {
                    batch.clear();
                    for (int node = 0; node < 8; node++) {
                        batch.add(node, node + 1, step, 0);
                        batch.putLong(0, step);
                    }
                    batch.submit();
                    sum += batch.accepted() + batch.status(7).number();
                }
            });
            assertEquals(0, bytes);
        }
    }

    @Test
    void noReadIsTornWhileAWriterRuns() throws InterruptedException {
        AtomicBoolean done = new AtomicBoolean();
        AtomicReference<Throwable> failure = new AtomicReference<>();
        try (Engine engine = Engines.open()) {
            Thread writer = Thread.ofPlatform().start(() -> {
                try {
                    write(engine);
                } catch (RuntimeException bad) {
                    failure.set(bad);
                } finally {
                    done.set(true);
                }
            });
            SlotReader slot = engine.slotReader();
            long reads = 0;
            long lastVersion = 0;
            long lastRevision = 0;
            while (!done.get()) {
                try {
                    if (slot.read(3)) {
                        long version = slot.version();
                        assertTrue(version >= lastVersion, "the version went back");
                        lastVersion = version;
                        for (int offset = 0; offset < 232; offset += 8) {
                            assertEquals(version, slot.payloadLong(offset), "torn at " + offset);
                        }
                        assertEquals(version & 0xff | 0x1_0000, slot.edgeMask());
                        reads++;
                    }
                    Commit commit = engine.commit();
                    assertTrue(commit.revision() >= lastRevision);
                    lastRevision = commit.revision();
                    assertEquals(commit.revision(), commit.movesAccepted(), "a torn commit line");
                } catch (SlotBusyException engineStandsStill) {
                    // Kept from the processor in the middle of a move, on a busy machine.
                    Thread.onSpinWait();
                }
            }
            writer.join();
            assertEquals(null, failure.get());
            assertTrue(reads > 100, "only " + reads + " reads met the writer");
            assertEquals(30_000, engine.slotReader().version(3));
        }
    }

    private static void write(Engine engine) {
        MoveBatch batch = engine.moveBatch(1);
        for (long version = 1; version <= 30_000; version++) {
            batch.clear();
            batch.add(3, 4, (int) (version & 0xff | 0x1_0000), version - 1);
            for (int offset = 0; offset < 232; offset += 8) {
                batch.putLong(offset, version);
            }
            batch.submit();
        }
    }

    @Test
    void anOvertakenReaderKnowsWhatItMissed() {
        try (Engine engine = Engines.open()) {
            EventReader events = engine.events();
            Engines.move(engine, 1, 2, 3);
            int published = 20_000;
            for (int round = 0; round < published; round++) {
                engine.rollback(1);
            }
            long[] last = {-1};
            EventHandler handler = (type, session, position, body) -> {
                assertEquals(EventType.ROLLED_BACK, type);
                assertEquals(1, body.bodyLong(0));
                assertEquals(position + 1, body.bodyLong(1), "the branch counts the rollbacks");
                assertTrue(position > last[0]);
                last[0] = position;
            };
            long taken = 0;
            int some;
            while ((some = events.poll(handler, 1_000)) > 0) {
                taken += some;
            }
            assertTrue(events.missed() >= published - RING_EVENTS, "missed " + events.missed());
            assertEquals(published, taken + events.missed());
            assertEquals(published - 1, last[0]);
        }
    }
}
