package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.AttachMode;
import dev.lodestone.AttachedEngine;
import dev.lodestone.Counter;
import dev.lodestone.Engine;
import dev.lodestone.EngineException;
import dev.lodestone.EngineState;
import dev.lodestone.Status;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Files of arbitrary bytes are attached to and read, in this very JVM: each is refused, or whatever it says is read without an
 * error of any kind but the documented ones. A read outside the mapping would end the test.
 */
class RegionBytesTest {
    private static final int FILES = Integer.getInteger("lodestone.region.files", 20_000);
    private static final int PAGE_BYTES = 4_096;
    private static final int SECTIONS_AT = 64;
    private static final int SECTIONS = 11;
    private static final int AT_REGION_BYTES = 48;
    private static final int CHANGES_MAX = 5_000;
    private static final int AT_MAGIC_AND_LIFE = 48;

    @TempDir
    private Path folder;

    private final List<Integer> changed = new ArrayList<>();
    private final AtomicBoolean changing = new AtomicBoolean();
    private boolean dirty;
    private int attached;
    private int read;
    private int produced;
    private boolean written;

    @Test
    @Timeout(value = 7_200, unit = TimeUnit.SECONDS)
    void whateverAFileSaysIsRefusedOrReadSafely() throws IOException, InterruptedException {
        try (Engine engine = open()) {
            for (int node = 0; node < 100; node++) {
                Engines.move(engine, node, node + 1, 0x1_0002);
            }
            AttachTest.rollBack(engine, 20);
            assertTrue(engine.graph().watch(3).awaitLive(Duration.ofSeconds(30)));
            byte[] good = Files.readAllBytes(engine.regionPath().orElseThrow());
            long seed = Long.getLong("lodestone.seed", System.nanoTime());
            Path file = Files.write(folder.resolve("bytes"), good);
            try (Locked _ = Locked.of(file)) {
                for (int number = 0; number < FILES; number++) {
                    one(file, good, new Random(seed + number), "-Dlodestone.seed=" + (seed + number) + ", the first file");
                }
            }
        }
        // A change that refuses everything would make the rest of this test blind.
        assertTrue(attached > FILES / 10, attached + " of " + FILES + " were attached to");
        assertTrue(read > FILES / 100, read + " of " + FILES + " were read to the end");
        assertTrue(produced > FILES / 200, produced + " of " + FILES + " took commands and calls to the end");
    }

    /** Somebody writes over lanes, ring, table and replies of a living engine while commands are sent and calls are made. */
    @Test
    @Timeout(value = 7_200, unit = TimeUnit.SECONDS)
    void whatIsWrittenOverCommandsInFlightCrashesNobody() throws IOException, InterruptedException {
        long seed = Long.getLong("lodestone.seed", System.nanoTime());
        for (int round = 0; round < Math.max(20, FILES / 1_000); round++) {
            String where = "-Dlodestone.seed=" + (seed + round) + ", the first round";
            Random random = new Random(seed + round);
            try (Engine engine = open(); AttachedEngine attached = Engine.attach(engine.regionPath().orElseThrow());
                    HostileUse.Vandal vandal = HostileUse.Vandal.start(engine.regionPath().orElseThrow(), random.nextLong())) {
                while (vandal.isAtWork()) {
                    HostileUse.ofCommandsAndCalls(attached, random);
                }
                vandal.join();
                // A rollback may have been asked for by whatever stood in the ring.
                assertEquals(EngineState.RUNNING, engine.state(), where);
                assertEquals(Status.OK, Engines.move(engine, 1, 2, 0x1_0005), where);
                assertEquals(engine.verifyHash(), engine.stateHash(), where);
            } catch (RuntimeException | Error wrong) {
                throw new AssertionError(where, wrong);
            }
        }
    }

    /** Its lanes and ring are small, so that chance meets what stands in them. */
    private Engine open() {
        return Engine.open(Engines.small().set("log.ring_kib", 16).set("runtime.shared_region", "file")
                .set("bridge.lanes", 2).set("bridge.lane_kib", 4).set("bridge.ring_kib", 4)
                .set("runtime.shared_region_directory", "\"" + folder + "\"").build());
    }

    private void one(Path file, byte[] good, Random random, String where) throws IOException {
        boolean cut = random.nextInt(20) == 0;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            write(channel, good, mutated(good, random));
            AttachMode mode = random.nextBoolean() ? AttachMode.READ_ONLY : AttachMode.READ_WRITE;
            try (AttachedEngine engine = Engine.attach(file, mode)) {
                attached++;
                if (cut) {
                    channel.truncate(random.nextInt(good.length));
                }
                if (random.nextInt(10) == 0) {
                    written = true;
                    produced += HostileUse.ofCommandsAndCalls(engine, random) ? 1 : 0;
                }
                Thread changer = random.nextInt(100) == 0 ? changer(file, random.nextLong()) : null;
                try {
                    RegionReads.all(engine, random);
                } finally {
                    end(changer);
                }
                read++;
            }
        } catch (EngineException refused) {
            // One of the answers there are.
            return;
        } catch (InternalError late) {
            // The JVM may tell of memory that is not there any more a moment after the read, when that has returned already.
            if (!cut || !late.getMessage().contains("unsafe memory access")) {
                throw new AssertionError(where, late);
            }
        } catch (RuntimeException | Error wrong) {
            throw new AssertionError(where, wrong);
        }
    }

    /** Somebody who goes on writing while the region is read: into the header, the section table, and what readers look at. */
    private Thread changer(Path file, long seed) {
        changing.set(true);
        return Thread.ofPlatform().start(() -> {
            Random random = new Random(seed);
            ByteBuffer word = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                for (int write = 0; write < CHANGES_MAX && changing.get(); write++) {
                    long words = channel.size() / Long.BYTES;
                    long at = random.nextInt(3) == 0 ? random.nextInt(PAGE_BYTES / Long.BYTES)
                            : random.nextLong(Math.max(words, 1));
                    // Never behind the end: the file would grow.
                    if (at < words) {
                        channel.read(word.clear(), at * Long.BYTES);
                        word.putLong(0, telling(random, word.getLong(0)));
                        channel.write(word.clear(), at * Long.BYTES);
                    }
                }
            } catch (IOException broken) {
                throw new UncheckedIOException(broken);
            }
        });
    }

    private void end(Thread changer) {
        changing.set(false);
        if (changer != null) {
            try {
                changer.join();
            } catch (InterruptedException never) {
                throw new AssertionError(never);
            }
            // Nobody knows what it wrote where, so that the next file is written as a whole.
            dirty = true;
        }
    }

    /** Makes the file that of the bytes: whatever it was before, only pages that differ from the good ones are written twice. */
    private void write(FileChannel channel, byte[] good, ByteBuffer bytes) throws IOException {
        for (int at : changed) {
            channel.write(ByteBuffer.wrap(good, at, Math.min(PAGE_BYTES, good.length - at)), at);
        }
        changed.clear();
        // Commands may have been written anywhere: where a layout that was changed says.
        if (dirty || written || channel.size() != good.length) {
            dirty = false;
            channel.truncate(0);
            channel.write(ByteBuffer.wrap(good), 0);
        }
        written = false;
        channel.truncate(bytes.limit());
        for (int at = 0; at < bytes.limit(); at += PAGE_BYTES) {
            int end = Math.min(at + PAGE_BYTES, bytes.limit());
            if (!Arrays.equals(bytes.array(), at, end, good, at, end)) {
                channel.write(ByteBuffer.wrap(bytes.array(), at, end - at), at);
                changed.add(at);
            }
        }
    }

    private static ByteBuffer mutated(byte[] good, Random random) {
        ByteBuffer bytes = ByteBuffer.wrap(good.clone()).order(ByteOrder.LITTLE_ENDIAN);
        switch (random.nextInt(8)) {
            case 0 -> flips(bytes, random, PAGE_BYTES);
            case 1 -> layout(bytes, random);
            case 2 -> bytes.limit(random.nextInt(random.nextBoolean() ? PAGE_BYTES + 1 : good.length));
            case 3 -> words(bytes, random);
            case 4 -> noise(bytes, random);
            case 5, 6 -> HostileUse.bridge(bytes, random);
            default -> {
                layout(bytes, random);
                words(bytes, random);
                flips(bytes, random, PAGE_BYTES);
            }
        }
        return bytes;
    }

    /** A few bits anywhere in the beginning. */
    private static void flips(ByteBuffer bytes, Random random, int end) {
        for (int flip = random.nextInt(4); flip >= 0; flip--) {
            int at = random.nextInt(end);
            bytes.put(at, (byte) (bytes.get(at) ^ 1 << random.nextInt(8)));
        }
    }

    /** Numbers of the section table that are likely to be nearly right. */
    private static void layout(ByteBuffer bytes, Random random) {
        for (int change = random.nextInt(3); change >= 0; change--) {
            int section = SECTIONS_AT + random.nextInt(SECTIONS) * 32;
            switch (random.nextInt(5)) {
                case 0 -> bytes.putInt(section, random.nextInt(14));
                case 1 -> bytes.putInt(section + 4, telling(random, bytes.getInt(section + 4)).intValue());
                case 2 -> bytes.putLong(section + 8, telling(random, bytes.getLong(section + 8)));
                case 3 -> bytes.putLong(section + 16, telling(random, bytes.getLong(section + 16)));
                default -> bytes.putLong(AT_REGION_BYTES, telling(random, bytes.getLong(AT_REGION_BYTES)));
            }
        }
    }

    /** Values at which sums and products go wrong. */
    static Long telling(Random random, long now) {
        return switch (random.nextInt(9)) {
            case 0 -> now + 1;
            case 1 -> now - 1;
            case 2 -> Long.MAX_VALUE - random.nextInt(64);
            case 3 -> Long.MIN_VALUE + random.nextInt(64);
            case 4 -> -1L - random.nextInt(64);
            case 5 -> 1L << random.nextInt(64);
            case 6 -> now << random.nextInt(8);
            case 7 -> now / 2;
            default -> (long) random.nextInt(400) * PAGE_BYTES;
        };
    }

    /** Words of the sections, those above all that readers compute addresses from. */
    private static void words(ByteBuffer bytes, Random random) {
        for (int change = random.nextInt(6); change >= 0; change--) {
            int section = SECTIONS_AT + random.nextInt(SECTIONS) * 32;
            long offset = bytes.getLong(section + 8);
            // The head of a ring and its first two cells lie within so many words.
            long near = random.nextBoolean() ? random.nextInt(192) * 8L : random.nextInt(bytes.capacity() / 8) * 8L;
            long at = offset + near & ~7L;
            if (at >= 0 && at <= bytes.capacity() - Long.BYTES) {
                bytes.putLong((int) at, telling(random, bytes.getLong((int) at)));
            }
        }
        // How many events were published is where a reader of events begins.
        long counters = bytes.getLong(SECTIONS_AT + 8);
        int place = (int) counters + Counter.EVENTS_PUBLISHED.ordinal() * Long.BYTES;
        if (random.nextBoolean() && place > 0 && place <= bytes.capacity() - Long.BYTES) {
            bytes.putLong(place, telling(random, bytes.getLong(place)));
        }
    }

    /** Nothing but chance, perhaps behind a beginning that passes for a living engine's. */
    private static void noise(ByteBuffer bytes, Random random) {
        byte[] chance = new byte[2 * PAGE_BYTES];
        random.nextBytes(chance);
        int from = random.nextBoolean() ? AT_MAGIC_AND_LIFE : 0;
        bytes.put(from, chance, 0, chance.length - from).limit(chance.length + random.nextInt(bytes.capacity() - chance.length));
    }
}
