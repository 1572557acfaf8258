package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.AttachMode;
import dev.lodestone.AttachedEngine;
import dev.lodestone.CommandBatch;
import dev.lodestone.Commands;
import dev.lodestone.Engine;
import dev.lodestone.EventReader;
import dev.lodestone.EventType;
import dev.lodestone.SlotBusyException;
import dev.lodestone.SlotReader;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The hunt for a torn read: a few nodes change as fast as commands go, with rollbacks in between, while readers of the same JVM
 * and of the region's file look. {@code lodestone.torn.seconds} says how long (2 unless set).
 */
class TornReadsTest {
    private static final long SECONDS = Long.getLong("lodestone.torn.seconds", 2);
    private static final int NODES = 4;
    private static final int BATCH = 64;
    private static final int PAYLOAD_BYTES = 232;
    private static final int LOOKS_BETWEEN_CLOCKS = 1_000;

    @TempDir
    private Path folder;

    private static final int SEEN_MIN = 10;

    private final AtomicBoolean done = new AtomicBoolean();
    /** What each reader has read by now. */
    private final AtomicLongArray seenBy = new AtomicLongArray(3);

    @Test
    @Timeout(value = 900, unit = TimeUnit.SECONDS)
    void nothingIsEverReadHalf() throws Exception {
        try (Engine engine = Engine.open(Engines.small().set("runtime.shared_region", "file")
                .set("runtime.shared_region_directory", "\"" + folder + "\"").build());
                AttachedEngine attached = Engine.attach(engine.regionPath().orElseThrow(), AttachMode.READ_ONLY);
                ExecutorService threads = Executors.newCachedThreadPool()) {
            List<Future<Long>> readers = new ArrayList<>();
            readers.add(threads.submit(reader(0, engine.slotReader())));
            readers.add(threads.submit(reader(1, attached.slotReader())));
            readers.add(threads.submit(events(2, attached.events())));
            try {
                write(engine, () -> readers.stream().anyMatch(Future::isDone));
            } finally {
                done.set(true);
            }
            for (Future<Long> reader : readers) {
                assertTrue(reader.get() > SEEN_MIN, "a reader saw next to nothing");
            }
            assertEquals(engine.verifyHash(), engine.stateHash());
        }
    }

    /** All words of a payload are the same number, whose low bits are those of the mask. */
    private void write(Engine engine, BooleanSupplier isFailed) {
        long end = System.nanoTime() + Duration.ofSeconds(SECONDS).toNanos();
        long limit = end + Until.LONG.toNanos();
        long value = 0;
        try (Commands commands = engine.commands()) {
            // Longer where the readers get so little of the processor that they have seen nothing yet.
            for (long round = 1; System.nanoTime() < end || isUnseen() && System.nanoTime() < limit; round++) {
                if (isFailed.getAsBoolean()) {
                    return;
                }
                CommandBatch batch = commands.batch();
                while (!batch.tryClaim(BATCH, PAYLOAD_BYTES)) {
                    Thread.onSpinWait();
                }
                for (int command = 0; command < BATCH; command++) {
                    value++;
                    int node = command % NODES;
                    batch.move(node, node + 1, (int) (value & 0xff | 0x1_0000), 0);
                    for (int offset = 0; offset < PAYLOAD_BYTES; offset += Long.BYTES) {
                        batch.putLong(offset, value);
                    }
                }
                batch.commit();
                if (round % 32 == 0) {
                    // What is still under way would be committed behind the revision asked for, and be undone as well.
                    assertTrue(commands.awaitDecided(commands.sent(), Duration.ofSeconds(60)));
                    long revision = engine.revision();
                    engine.rollback(revision - Math.min(revision - engine.commit().oldestRevision(), 3));
                }
            }
            assertTrue(commands.awaitDecided(commands.sent(), Duration.ofSeconds(60)));
        }
    }

    private boolean isUnseen() {
        return IntStream.range(0, seenBy.length()).anyMatch(reader -> seenBy.get(reader) <= SEEN_MIN);
    }

    private Callable<Long> reader(int number, SlotReader slot) {
        return () -> {
            long read = 0;
            long busy = 0;
            while (!done.get()) {
                for (int look = 0; look < LOOKS_BETWEEN_CLOCKS; look++) {
                    try {
                        if (slot.read(look % NODES)) {
                            check(slot);
                            read++;
                        }
                    } catch (SlotBusyException always) {
                        busy++;
                    }
                }
                seenBy.set(number, read);
            }
            assertTrue(busy <= read, busy + " looks were given up, " + read + " were not");
            return read;
        };
    }

    private static void check(SlotReader slot) {
        long value = slot.payloadLong(0);
        for (int offset = Long.BYTES; offset < PAYLOAD_BYTES; offset += Long.BYTES) {
            if (slot.payloadLong(offset) != value) {
                throw new AssertionError("torn at " + offset + ": " + value + " and " + slot.payloadLong(offset));
            }
        }
        if (slot.edgeMask() != (value & 0xff | 0x1_0000) || slot.target() != slot.source() + 1) {
            throw new AssertionError("torn in the head: mask " + slot.edgeMask() + ", payload " + value);
        }
    }

    /** Each event once, whole, in order; the branch counts the rollbacks. */
    private Callable<Long> events(int number, EventReader events) {
        return () -> {
            long[] seen = {0, events.position()};
            boolean more = true;
            while (more) {
                more = !done.get();
                while (events.poll((type, session, position, body) -> {
                    assertEquals(EventType.ROLLED_BACK, type);
                    assertTrue(position >= seen[1], "an event came twice");
                    assertEquals(position + 1, body.bodyLong(1));
                    assertTrue(body.bodyLong(2) <= 3, "more revisions undone than asked for");
                    seen[0]++;
                    seen[1] = position + 1;
                }, 64) > 0) {
                    Thread.onSpinWait();
                }
                seenBy.set(number, seen[0]);
                Thread.onSpinWait();
            }
            return seen[0];
        };
    }
}
