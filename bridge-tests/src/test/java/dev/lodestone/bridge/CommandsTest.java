package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.CommandBatch;
import dev.lodestone.Commands;
import dev.lodestone.Counter;
import dev.lodestone.Engine;
import dev.lodestone.EngineClosedException;
import dev.lodestone.EngineException;
import dev.lodestone.EnginePoisonedException;
import dev.lodestone.MoveBatch;
import dev.lodestone.SlotReader;
import dev.lodestone.Status;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

/** Commands through shared memory: what they do, what they refuse, what they cost. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class CommandsTest {
    private static final Duration LONG = Until.LONG;

    private static Engine open(String... keys) {
        var builder = Engines.small();
        for (int index = 0; index < keys.length; index += 2) {
            builder.set(keys[index], keys[index + 1]);
        }
        return Engine.open(builder.build());
    }

    /** Commands with a lane, and commands that share the ring. */
    private static List<Commands> both(Engine engine) {
        Commands lane = engine.commands();
        assertTrue(lane.hasLane());
        Commands other = engine.commands();
        while (other.hasLane()) {
            other = engine.commands();
        }
        return List.of(lane, other);
    }

    private static long sure(Callable<Long> command) throws Exception {
        long counter = command.call();
        while (counter == Commands.FULL) {
            Thread.onSpinWait();
            counter = command.call();
        }
        return counter;
    }

    private static void decided(Commands commands) {
        assertTrue(commands.awaitDecided(commands.sent(), LONG));
        assertEquals(commands.sent(), commands.decided());
    }

    @Test
    void randomCommandsDoWhatTheModelAndSubmittedMovesDo() throws Exception {
        for (int seed = 0; seed < 20; seed++) {
            try (Engine engine = Engine.open(Engines.small().arenaCapacity(24).nodesMax(40).set("graph.edges_max", 300)
                    .set("bridge.lanes", 1).build());
                    Engine submitted = Engine.open(Engines.small().arenaCapacity(24).nodesMax(40)
                            .set("graph.edges_max", 300).build())) {
                new Play(engine, submitted, seed).all();
            } catch (AssertionError | RuntimeException failure) {
                throw new AssertionError("seed " + seed, failure);
            }
        }
    }

    /** One seed's commands, through lane and ring in turn, one model, one engine that gets the same as batches. */
    private static final class Play {
        private final Engine engine;
        private final Engine submitted;
        private final Random random;
        private final Model model = new Model(40, 24, 300);
        private final List<Commands> all;
        private final MoveBatch batch;

        Play(Engine engine, Engine submitted, int seed) {
            this.engine = engine;
            this.submitted = submitted;
            this.random = new Random(seed);
            this.all = both(engine);
            this.batch = submitted.moveBatch(MoveBatch.CAPACITY_MAX);
        }

        void all() throws Exception {
            for (int round = 0; round < 60; round++) {
                Commands commands = all.get(random.nextInt(2));
                batch.clear();
                List<Status> expected = new ArrayList<>();
                long first = commands.sent() + 1;
                int count = 1 + random.nextInt(20);
                while (batch.size() < count) {
                    expected.add(random.nextInt(5) == 0 ? release(commands) : move(commands));
                }
                batch.submit();
                decided(commands);
                for (int index = 0; index < count; index++) {
                    if (expected.get(index) != Status.OK) {
                        Status status = expected.get(index);
                        long counter = first + index;
                        assertTrue(commands.nextRejection((told, number, node) -> {
                            assertEquals(counter, told);
                            assertEquals(status, Status.of(number));
                        }));
                    }
                }
                assertFalse(commands.nextRejection((counter, status, node) -> {}));
                assertEquals(submitted.stateHash(), engine.stateHash());
            }
            assertEquals(engine.verifyHash(), engine.stateHash());
            assertEquals(model.edgesCount(), engine.commit().edges());
            all.forEach(Commands::close);
        }

        private Status move(Commands commands) throws Exception {
            int source = random.nextInt(42);
            int target = random.nextInt(42);
            int mask = random.nextInt(4) == 0 ? 0 : random.nextInt();
            long version = random.nextInt(4) == 0 ? model.version(source) : 0;
            byte[] payload = new byte[random.nextInt(233)];
            random.nextBytes(payload);
            batch.add(source, target, mask, version);
            batch.putBytes(0, payload);
            if (payload.length == 0) {
                sure(() -> commands.tryMove(source, target, mask, version));
            } else {
                sure(() -> commands.tryMove(source, target, mask, version, payload, 0, payload.length));
            }
            return model.move(source, target, mask, version, payload);
        }

        private Status release(Commands commands) throws Exception {
            int node = random.nextInt(42);
            batch.addRelease(node);
            sure(() -> commands.tryRelease(node));
            return model.release(node);
        }
    }

    @Test
    void aPayloadOfEveryLengthArrivesFromArrayAndSegmentAndBatch() throws Exception {
        try (Engine engine = open("bridge.lanes", "1"); Arena lifetime = Arena.ofConfined()) {
            SlotReader slot = engine.slotReader();
            MemorySegment segment = lifetime.allocate(300);
            byte[] bytes = new byte[300];
            for (Commands commands : both(engine)) {
                for (int length = 0; length <= Commands.PAYLOAD_BYTES_MAX; length++) {
                    for (int index = 0; index < 300; index++) {
                        bytes[index] = (byte) (index * 31 + length);
                        segment.set(java.lang.foreign.ValueLayout.JAVA_BYTE, index, bytes[index]);
                    }
                    int size = length;
                    int from = length % 7;
                    sure(() -> commands.tryMove(1, 2, 3, 0, bytes, from, size));
                    sure(() -> commands.tryMove(2, 3, 4, 0, segment, from, size));
                    batch(commands, segment, from, size);
                    decided(commands);
                    for (int node = 1; node <= 3; node++) {
                        assertTrue(slot.read(node));
                        assertEquals(length, slot.payloadLength());
                        for (int index = 0; index < Commands.PAYLOAD_BYTES_MAX; index++) {
                            byte expected = index < length ? bytes[from + index] : 0;
                            assertEquals(expected, slot.payloadByte(index), length + " bytes, node " + node);
                        }
                    }
                }
                assertEquals(commands.sent(), commands.accepted());
                assertEquals(0, commands.rejected());
            }
        }
    }

    private static void batch(Commands commands, MemorySegment segment, int from, int length) {
        CommandBatch batch = commands.batch();
        Until.holds("room for a move", () -> batch.tryClaim(1, length));
        batch.move(3, 4, 5, 0);
        batch.putBytes(0, segment, from, length);
        assertEquals(commands.sent(), batch.commit());
    }

    @Test
    void aBatchIsCommittedWholeOrNotAtAll() throws Exception {
        try (Engine engine = open("bridge.lanes", "1", "bridge.lane_kib", "4", "bridge.ring_kib", "4")) {
            SlotReader slot = engine.slotReader();
            for (Commands commands : both(engine)) {
                for (int round = 1; round <= 500; round++) {
                    try (CommandBatch batch = commands.batch()) {
                        while (!batch.tryClaim(3, 8 + round % 100)) {
                            Thread.onSpinWait();
                        }
                        long first = batch.move(10, 11, 1, 0);
                        batch.putLong(0, round).putInt(4, 7).putByte(7, (byte) 9);
                        assertEquals(first + 1, batch.release(500));
                        if (round % 5 != 0) {
                            assertEquals(first + 1, batch.commit());
                        }
                    }
                    decided(commands);
                    assertTrue(slot.read(10));
                    int expected = round % 5 != 0 ? round : round - 1;
                    assertEquals(7L << 32 | 9L << 56 | expected, slot.payloadLong(0), "round " + round);
                    assertEquals(8 + expected % 100, slot.payloadLength());
                }
                assertEquals(800, commands.sent());
                assertEquals(400, commands.rejected());
                long[] told = new long[1];
                while (commands.nextRejection((counter, status, node) -> {
                    assertEquals(Status.NO_SLOT, Status.of(status));
                    assertEquals(500, node);
                    told[0]++;
                })) {
                    assertTrue(told[0] <= 64);
                }
                assertEquals(400, told[0] + commands.missedRejections());
            }
        }
    }

    @Test
    void misuseIsAnExceptionAndLeavesNothingHalfDone() throws Exception {
        try (Engine engine = open("bridge.lanes", "1"); Arena lifetime = Arena.ofConfined()) {
            for (Commands commands : both(engine)) {
                CommandBatch batch = commands.batch();
                byte[] bytes = new byte[300];
                MemorySegment dead;
                try (Arena shorter = Arena.ofConfined()) {
                    dead = shorter.allocate(100);
                }
                assertThrows(IndexOutOfBoundsException.class, () -> commands.tryMove(1, 2, 3, 0, bytes, 0, 233));
                assertThrows(IndexOutOfBoundsException.class, () -> commands.tryMove(1, 2, 3, 0, bytes, 299, 2));
                assertThrows(IndexOutOfBoundsException.class, () -> commands.tryMove(1, 2, 3, 0, bytes, 0, -1));
                assertThrows(IllegalStateException.class, () -> commands.tryMove(1, 2, 3, 0, dead, 0, 10));
                assertThrows(IllegalStateException.class, () -> batch.move(1, 2, 3, 0));
                assertThrows(IllegalStateException.class, batch::commit);
                assertThrows(IllegalArgumentException.class, () -> batch.tryClaim(0, 0));
                assertThrows(IllegalArgumentException.class, () -> batch.tryClaim(1, 233));
                assertThrows(IllegalArgumentException.class, () -> commands.awaitDecided(1, LONG));
                assertFalse(batch.tryClaim(commands.batchCommandsMax() + 1, 0));
                assertFalse(batch.tryClaim(Integer.MAX_VALUE, 232));
                assertTrue(batch.tryClaim(1, 10));
                assertThrows(IllegalStateException.class, () -> batch.tryClaim(1, 0));
                assertThrows(IllegalStateException.class, () -> batch.putInt(0, 1));
                assertThrows(IllegalStateException.class, () -> commands.tryMove(1, 2, 3, 0));
                batch.move(1, 2, 3, 0);
                assertThrows(IllegalStateException.class, () -> batch.release(1));
                assertThrows(IndexOutOfBoundsException.class, () -> batch.putLong(3, 1));
                assertThrows(IndexOutOfBoundsException.class, () -> batch.putBytes(0, lifetime.allocate(4), 0, 5));
                batch.close();
                batch.close();
                assertEquals(0, commands.sent());
                assertEquals(1, commands.tryMove(1, 2, 3, 0));
                decided(commands);
                assertEquals(1, commands.accepted());
            }
            assertEquals(0, engine.metrics().counter(Counter.COMMANDS_GARBAGE));
        }
    }

    @Test
    void fullIsAValueAndNothingIsLost() throws Exception {
        try (Engine engine = open("bridge.lanes", "1", "bridge.lane_kib", "4", "bridge.ring_kib", "4")) {
            byte[] payload = new byte[232];
            for (Commands commands : both(engine)) {
                long full = 0;
                int moves = 0;
                // As many as it takes until the engine does not keep up.
                while (moves < 200_000 || full == 0) {
                    moves++;
                    full += commands.tryMove(5, 6, moves | 1, 0, payload, 0, 232) == Commands.FULL ? 1 : 0;
                }
                decided(commands);
                assertEquals(commands.sent(), commands.accepted());
                assertEquals(engine.revision(), commands.revision());
                assertEquals(moves, commands.sent() + full);
            }
            Until.holds("what was full is counted", () -> engine.metrics().counter(Counter.COMMANDS_FULL) > 0);
        }
    }

    @Test
    void manyThreadsSendAtOnce() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try (Engine engine = open()) {
            List<Future<Long>> all = new ArrayList<>();
            for (int thread = 0; thread < 8; thread++) {
                int first = thread * 20;
                all.add(threads.submit(() -> {
                    try (Commands commands = engine.commands()) {
                        for (int round = 1; round <= 500; round++) {
                            for (int node = first; node < first + 20; node++) {
                                int source = node;
                                int version = round - 1;
                                sure(() -> commands.tryMove(source, source + 500, version | 1, version));
                            }
                        }
                        decided(commands);
                        return commands.accepted();
                    }
                }));
            }
            for (Future<Long> one : all) {
                assertEquals(10_000, one.get());
            }
            assertEquals(engine.verifyHash(), engine.stateHash());
            assertEquals(80_000, engine.commit().movesAccepted());
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void entriesComeBackAndTheirEndIsSaid() {
        try (Engine engine = open("bridge.lanes", "2")) {
            for (int round = 0; round < 3; round++) {
                List<Commands> all = new ArrayList<>();
                while (all.size() < 64) {
                    try {
                        all.add(engine.commands());
                    } catch (EngineException notYet) {
                        // Those of the round before come free one by one.
                        assertEquals(Status.OVERLOADED, notYet.status());
                        Thread.yield();
                    }
                }
                assertEquals(Status.OVERLOADED, assertThrows(EngineException.class, engine::commands).status());
                assertEquals(2, all.stream().filter(Commands::hasLane).count());
                all.forEach(commands -> assertTrue(commands.tryMove(1, 2, 3, 0) > 0));
                all.forEach(Commands::close);
            }
            Until.holds("all are decided", () -> engine.metrics().counter(Counter.MOVES_ACCEPTED) >= 192);
            assertEquals(192, engine.commit().movesAccepted());
            assertEquals(0, engine.metrics().counter(Counter.PRODUCERS_DIED));
        }
    }

    @Test
    void aSleepingEngineIsWokenByEachCommand() throws Exception {
        try (Engine engine = open("runtime.idle_strategy", "park")) {
            for (Commands commands : both(engine)) {
                for (int round = 0; round < 300; round++) {
                    // Longer than the engine looks before it sleeps.
                    Thread.sleep(1);
                    commands.tryMove(1, 2, round | 1, 0);
                    decided(commands);
                }
            }
        }
    }

    @Test
    void commandsAllocateNothing() {
        try (Engine engine = open(); Arena lifetime = Arena.ofConfined()) {
            MemorySegment payload = lifetime.allocate(64);
            byte[] array = new byte[64];
            for (Commands commands : both(engine)) {
                assertEquals(0, Allocated.least(() -> play(commands, payload, array)));
                decided(commands);
            }
        }
    }

    private static void play(Commands commands, MemorySegment payload, byte[] array) {
        CommandBatch batch = commands.batch();
        for (int step = 0; step < 20_000; step++) {
            commands.tryMove(1, 2, step | 1, 0);
            commands.tryMove(2, 3, step | 1, 0, payload, 0, 64);
            commands.tryMove(3, 4, step | 1, 0, array, 0, 64);
            commands.tryRelease(4);
            if (batch.tryClaim(4, 8)) {
                batch.move(5, 6, step | 1, 0);
                batch.putLong(0, step);
                batch.commit();
            }
            commands.nextRejection(CommandsTest::ignore);
            if (step % 1_000 == 0) {
                commands.awaitDecided(commands.sent(), LONG);
            }
        }
        commands.awaitDecided(commands.sent(), LONG);
    }

    private static void ignore(long counter, int status, int node) {
        if (counter < 0) {
            throw new AssertionError("a refusal of " + counter + ", status " + status + ", node " + node);
        }
    }

    @Test
    void everyUseAfterACloseIsRefused() {
        Engine engine = open("bridge.lanes", "1");
        List<Commands> all = both(engine);
        Commands closed = engine.commands();
        closed.tryMove(1, 2, 3, 0);
        closed.close();
        closed.close();
        refused(closed);
        all.forEach(commands -> assertTrue(commands.batch().tryClaim(1, 0)));
        engine.close();
        for (Commands commands : all) {
            assertThrows(EngineClosedException.class, () -> commands.batch().commit());
            commands.batch().close();
            refused(commands);
            commands.close();
            refused(commands);
        }
        assertThrows(EngineClosedException.class, engine::commands);
    }

    private static void refused(Commands commands) {
        List<Executable> uses = List.of(() -> commands.tryMove(1, 2, 3, 0), () -> commands.tryRelease(1),
                () -> commands.tryMove(1, 2, 3, 0, new byte[4], 0, 4), commands::decided, commands::revision,
                commands::accepted, commands::rejected, () -> commands.nextRejection((counter, status, node) -> {}),
                () -> commands.awaitDecided(0, LONG), () -> commands.batch().tryClaim(1, 0));
        for (int index = 0; index < uses.size(); index++) {
            assertThrows(EngineClosedException.class, uses.get(index), "use " + index);
        }
    }

    @Test
    void aCloseInTheMiddleOfCommandsEndsThemAll() throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool();
        try {
            for (int round = 0; round < 5; round++) {
                Engine engine = open("bridge.lanes", "2");
                CountDownLatch working = new CountDownLatch(4);
                List<Future<Long>> all = new ArrayList<>();
                for (int thread = 0; thread < 4; thread++) {
                    all.add(threads.submit(() -> untilClosed(engine, working)));
                }
                assertTrue(working.await(LONG.toSeconds(), TimeUnit.SECONDS));
                engine.close();
                for (Future<Long> one : all) {
                    assertTrue(one.get(LONG.toSeconds(), TimeUnit.SECONDS) >= 100);
                }
            }
        } finally {
            threads.shutdownNow();
        }
    }

    private static long untilClosed(Engine engine, CountDownLatch working) {
        long steps = 0;
        try (Commands commands = engine.commands()) {
            while (true) {
                commands.tryMove(1, 2, (int) steps | 1, 0);
                if (steps % 10 == 0) {
                    commands.awaitDecided(commands.sent(), LONG);
                }
                if (++steps == 100) {
                    working.countDown();
                }
            }
        } catch (EngineClosedException end) {
            return steps;
        }
    }

    @Test
    void aFailedEngineIsSaidAndNotWaitedFor() throws Exception {
        try (Engine engine = open("testing.panic_at_revision", "1", "bridge.lanes", "1", "bridge.lane_kib", "4",
                "bridge.ring_kib", "4")) {
            for (Commands commands : both(engine)) {
                commands.tryMove(1, 2, 3, 0);
                assertThrows(EnginePoisonedException.class, () -> commands.awaitDecided(1, LONG));
                assertThrows(EnginePoisonedException.class, () -> {
                    while (true) {
                        commands.tryMove(1, 2, 3, 0);
                    }
                });
            }
        }
    }
}
