package dev.lodestone.bridge;

import dev.lodestone.AttachedEngine;
import dev.lodestone.CommandBatch;
import dev.lodestone.Commands;
import dev.lodestone.EngineException;
import dev.lodestone.WatchedDistances;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;

/** What another process may write over lanes, ring, producers and replies, and every use that meets it. */
final class HostileUse {
    private static final int SECTIONS_AT = 64;
    private static final int PRODUCERS = 7;
    private static final int LANES = 8;
    private static final int RING = 9;
    private static final int REPLIES = 10;
    private static final int PRODUCER_BYTES = 2_048;
    private static final int REPLY_BYTES = 33_024;
    private static final int AT_BELL = 1_536;
    private static final Duration SHORT = Duration.ofMillis(1);
    /** Words that producers and the engine act upon: of a lane or ring; of an entry; of a reply. */
    private static final int[] RING_WORDS = {0, 128, 256, 264, 512, 576, 640, 4_096};
    private static final int[] PRODUCER_WORDS = {0, 8, 16, 24, 128, 256, 264, 384, 392, 400, 408, 416, 424, 432, 512, 1_024};

    private HostileUse() {}

    /** Changes some words of the bridge that are acted upon. */
    static void bridge(ByteBuffer bytes, Random random) {
        for (int change = random.nextInt(8); change >= 0; change--) {
            long at = place(bytes, random);
            if (at >= 0 && at <= bytes.limit() - Long.BYTES) {
                bytes.putLong((int) at, RegionBytesTest.telling(random, bytes.getLong((int) at)));
            }
        }
        for (int entry = random.nextInt(6); entry >= 0; entry--) {
            reply(bytes, random, entry);
        }
    }

    /** A reply that is there before it is asked for. */
    private static void reply(ByteBuffer bytes, Random random, int entry) {
        int at = (int) section(bytes, REPLIES) + entry * REPLY_BYTES;
        if (at > 0 && at <= bytes.limit() - REPLY_BYTES) {
            bytes.putLong(at, 1 + random.nextInt(3));
            int status = random.nextBoolean() ? 0 : random.nextInt(120);
            bytes.putLong(at + 8, status | RegionBytesTest.telling(random, random.nextInt(8_193)) << Integer.SIZE);
            for (int word = 0; word < 12; word++) {
                bytes.putLong(at + 16 + word * Long.BYTES, RegionBytesTest.telling(random, random.nextInt(300)));
            }
        }
    }

    private static long section(ByteBuffer bytes, int kind) {
        return bytes.getLong(SECTIONS_AT + (kind - 1) * 32 + 8);
    }

    private static long place(ByteBuffer bytes, Random random) {
        int itemBytes = bytes.getInt(SECTIONS_AT + (LANES - 1) * 32 + 4);
        return switch (random.nextInt(6)) {
            case 0 -> section(bytes, RING) + RING_WORDS[random.nextInt(RING_WORDS.length)];
            case 1 -> section(bytes, LANES) + (long) random.nextInt(2) * itemBytes
                    + RING_WORDS[random.nextInt(RING_WORDS.length)];
            case 2, 3 -> section(bytes, PRODUCERS) + (long) random.nextInt(8) * PRODUCER_BYTES
                    + PRODUCER_WORDS[random.nextInt(PRODUCER_WORDS.length)];
            case 4 -> section(bytes, REPLIES) + (long) random.nextInt(8) * REPLY_BYTES + random.nextInt(20) * 8L;
            default -> random.nextInt(8) == 0 ? AT_BELL : section(bytes, RING) + 512 + random.nextInt(512) * 8L;
        };
    }

    /** Uses commands and calls; each is answered, or refused in words. True when some of it was taken. */
    static boolean ofCommandsAndCalls(AttachedEngine engine, Random random) {
        int taken = 0;
        try (Commands commands = engine.commands(random.nextInt())) {
            taken++;
            for (int step = random.nextInt(20); step >= 0; step--) {
                taken += isRefused(() -> command(commands, random)) ? 0 : 1;
            }
        } catch (EngineException refused) {
            // One of the answers there are.
            taken += 0;
        }
        List<Runnable> calls = List.of(() -> engine.graph().route(random.nextInt(100), random.nextInt(100), SHORT),
                () -> engine.rollback(random.nextInt(100)), () -> engine.stateHash(random.nextInt(100)),
                () -> engine.revisionBefore(SHORT), () -> watch(engine, random.nextInt(100)));
        for (int call = random.nextInt(4); call > 0; call--) {
            // Who is interrupted looks whether the answer is there and does not wait for it.
            Thread.currentThread().interrupt();
            taken += isRefused(calls.get(random.nextInt(calls.size()))) ? 0 : 1;
        }
        Thread.interrupted();
        return taken > 0;
    }

    private static boolean isRefused(Runnable use) {
        try {
            use.run();
            return false;
        } catch (EngineException refused) {
            return true;
        }
    }

    private static void watch(AttachedEngine engine, int source) {
        try (WatchedDistances watched = engine.graph().watch(source)) {
            watched.distance(5);
        }
    }

    private static void command(Commands commands, Random random) {
        switch (random.nextInt(7)) {
            case 0 -> commands.tryRelease(random.nextInt());
            case 1 -> commands.nextRejection((counter, status, node) -> { });
            case 2 -> commands.awaitDecided(commands.sent(), random.nextInt(8) > 0 ? Duration.ZERO : SHORT);
            case 3 -> {
                commands.accepted();
                commands.revision();
            }
            case 4 -> commands.tryMove(1, 2, 3, 0, new byte[232], 0, random.nextInt(233));
            case 5 -> {
                try (CommandBatch batch = commands.batch()) {
                    if (batch.tryClaim(1 + random.nextInt(5), random.nextInt(233))) {
                        batch.move(1, 2, 3, 0);
                        if (random.nextBoolean()) {
                            batch.commit();
                        }
                    }
                }
            }
            default -> commands.tryMove(random.nextInt(), random.nextInt(), random.nextInt(), 0);
        }
    }

    /** A thread that writes over the bridge of a living engine for a while. */
    static final class Vandal implements AutoCloseable {
        private static final int WRITES = 400;

        private final Thread thread;
        private final AtomicReference<IOException> failure = new AtomicReference<>();

        private Vandal(Path region, long seed) {
            thread = Thread.ofPlatform().start(() -> {
                try (FileChannel file = FileChannel.open(region, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                    write(file, new Random(seed));
                } catch (IOException broken) {
                    failure.set(broken);
                }
            });
        }

        static Vandal start(Path region, long seed) {
            return new Vandal(region, seed);
        }

        private static void write(FileChannel file, Random random) throws IOException {
            ByteBuffer bytes = ByteBuffer.allocate((int) file.size()).order(ByteOrder.LITTLE_ENDIAN);
            file.read(bytes, 0);
            bytes.clear();
            ByteBuffer word = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            for (int writes = 0; writes < WRITES; writes++) {
                long at = place(bytes, random) & -Long.BYTES;
                file.read(word.clear(), at);
                word.putLong(0, RegionBytesTest.telling(random, word.getLong(0)));
                file.write(word.clear(), at);
                // What is written over is met at every point of a claim and of a call.
                for (int spins = random.nextInt(5_000); spins > 0; spins--) {
                    Thread.onSpinWait();
                }
            }
        }

        boolean isAtWork() {
            return thread.isAlive();
        }

        void join() throws InterruptedException {
            thread.join();
            if (failure.get() != null) {
                throw new AssertionError(failure.get());
            }
        }

        @Override
        public void close() {
            thread.interrupt();
        }
    }
}
