package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.lodestone.Commit;
import dev.lodestone.Engine;
import dev.lodestone.EventHandler;
import dev.lodestone.EventReader;
import dev.lodestone.EventType;
import dev.lodestone.MoveBatch;
import dev.lodestone.SlotReader;
import java.lang.management.ManagementFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Readers of shared memory: they allocate nothing, see nothing torn, and know what they missed. */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class ReadersTest {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private long sum;

    /** Bytes that this thread allocates in the body, after it has run often enough to be compiled. */
    private static long bytesAllocated(Runnable body) {
        for (int warm = 0; warm < 20; warm++) {
            body.run();
        }
        long before = THREADS.getThreadAllocatedBytes(Thread.currentThread().threadId());
        long calibration = THREADS.getThreadAllocatedBytes(Thread.currentThread().threadId()) - before;
        before = THREADS.getThreadAllocatedBytes(Thread.currentThread().threadId());
        body.run();
        return THREADS.getThreadAllocatedBytes(Thread.currentThread().threadId()) - before - calibration;
    }

    @Test
    void slotReadsAllocateNothing() {
        try (Engine engine = Engines.open()) {
            for (int node = 0; node < 100; node++) {
                Engines.move(engine, node, node + 1, node + 1);
            }
            SlotReader slot = engine.slotReader();
            long bytes = bytesAllocated(() -> {
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
            long[] polled = new long[1];
            // Rollbacks allocate, being calls; so they happen before the measured polls.
            for (int round = 0; round < 2_000; round++) {
                engine.rollback(1);
            }
            long bytes = bytesAllocated(() -> {
                for (int step = 0; step < 10_000; step++) {
                    polled[0] += events.poll(handler, 1);
                }
            });
            assertEquals(0, bytes);
            assertEquals(2_000, polled[0]);
            EventReader late = engine.events();
            for (int round = 0; round < 3; round++) {
                engine.rollback(1);
            }
            long before = THREADS.getThreadAllocatedBytes(Thread.currentThread().threadId());
            int taken = late.poll(handler, 10);
            assertEquals(0, THREADS.getThreadAllocatedBytes(Thread.currentThread().threadId()) - before);
            assertEquals(3, taken);
        }
    }

    @Test
    void submissionsAllocateNothing() {
        try (Engine engine = Engines.open()) {
            MoveBatch batch = engine.moveBatch(8);
            long bytes = bytesAllocated(() -> {
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
            assertTrue(events.missed() >= published - 16_384, "missed " + events.missed());
            assertEquals(published, taken + events.missed());
            assertEquals(published - 1, last[0]);
        }
    }
}
