package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Commit;
import dev.lodestone.Counter;
import dev.lodestone.DistancesNotReadyException;
import dev.lodestone.Engine;
import dev.lodestone.EngineClosedException;
import dev.lodestone.EngineException;
import dev.lodestone.EnginePoisonedException;
import dev.lodestone.EngineState;
import dev.lodestone.MoveBatch;
import dev.lodestone.SlotBusyException;
import dev.lodestone.Status;
import dev.lodestone.WatchState;
import dev.lodestone.WatchedDistances;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Distances that the engine keeps up to date and Java reads from shared memory. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class WatchedDistancesTest {
    private static final Duration PATIENCE = Until.LONG;
    private static final int NODES = 30;

    private long sum;

    private static void settle(Engine engine, WatchedDistances watched) throws InterruptedException {
        assertTrue(watched.awaitCommit(engine.commit(), PATIENCE), "the distances do not follow: " + watched);
    }

    private static void check(Engine engine, WatchedDistances watched, Model model, long seed) {
        assertEquals(engine.revision(), watched.revision(), "seed " + seed);
        for (int node = 0; node < NODES; node++) {
            List<Long> expected = model.route(watched.source(), node);
            String what = "seed " + seed + ", revision " + engine.revision() + ": " + watched.source() + " to " + node;
            assertEquals(expected.isEmpty() ? WatchedDistances.NO_PATH : expected.getFirst(), watched.distance(node), what);
            assertEquals(expected.size() - 2, expected.isEmpty() ? -2 : watched.edgesOnPath(node), what);
            assertEquals(expected.isEmpty(), watched.edgesOnPath(node) == -1, what);
        }
    }

    private static void randomMoves(Engine engine, Model model, Random random) {
        MoveBatch batch = engine.moveBatch(20);
        int moves = random.nextInt(1, 21);
        for (int move = 0; move < moves; move++) {
            int source = random.nextInt(NODES);
            int target = (source + random.nextInt(1, NODES)) % NODES;
            int mask = random.nextInt(4) == 0 ? 0 : 0x1_0000 * random.nextInt(1, 3) + random.nextInt(12);
            batch.add(source, target, mask, 0);
            model.move(source, target, mask, 0, new byte[0]);
        }
        batch.submit();
    }

    @ParameterizedTest
    @CsvSource({"thread, 50000", "inline, 50000", "thread, 2", "inline, 2"})
    void distancesAreThoseOfTheModelThroughMovesAndRollbacks(String pathfinder, long budget) throws InterruptedException {
        long seed = budget * 7 + pathfinder.length();
        Random random = new Random(seed);
        Map<Long, Model> models = new TreeMap<>();
        models.put(0L, new Model(NODES, 256, 10_000));
        Model model = models.get(0L).copy();
        try (Engine engine = Engine.open(Engines.small().nodesMax(NODES).set("graph.pathfinder", pathfinder)
                        .set("graph.watch_budget", budget).build());
                WatchedDistances first = engine.graph().watch(0);
                WatchedDistances second = engine.graph().watch(NODES - 1)) {
            for (int round = 0; round < 120; round++) {
                if (round % 7 == 6) {
                    List<Long> revisions = new ArrayList<>(models.keySet());
                    long back = revisions.get(random.nextInt(Math.max(0, revisions.size() - 10), revisions.size()));
                    engine.rollback(back);
                    models.keySet().removeIf(revision -> revision > back);
                    model = models.get(back).copy();
                } else {
                    randomMoves(engine, model, random);
                    models.put(engine.revision(), model.copy());
                }
                for (WatchedDistances watched : List.of(first, second)) {
                    settle(engine, watched);
                    check(engine, watched, model, seed);
                }
            }
            long stale = engine.metrics().counter(Counter.WATCHES_STALE);
            assertEquals(budget == 2, stale > 0, stale + " times stale with a budget of " + budget);
            assertTrue(engine.metrics().counter(Counter.WATCH_REPAIRS) > 100);
            assertEquals(budget == 2, engine.metrics().counter(Counter.WATCH_FILLS) > 2);
        }
    }

    @Test
    void readsAllocateNothing() throws InterruptedException {
        try (Engine engine = Engines.open(); WatchedDistances watched = engine.graph().watch(0)) {
            engine.graph().put(0, 1, 0x1_0005, 1, 2, 0x1_0006, 2, 3, 0x1_0007);
            settle(engine, watched);
            int[] nodes = {0, 1, 2, 3, 999};
            long[] distances = new long[nodes.length];
            Runnable reads = () -> {
                for (int step = 0; step < 100_000; step++) {
                    sum += watched.distance(step % 1_000) + watched.edgesOnPath(step % 4) + watched.revision();
                    sum += watched.distances(nodes, distances) + watched.state().ordinal();
                }
            };
            assertEquals(0, Allocated.least(reads));
            assertEquals(List.of(0L, 5L, 11L, 18L, WatchedDistances.NO_PATH),
                    Arrays.stream(distances).boxed().toList());
            assertEquals(3, watched.edgesOnPath(3));
            assertTrue(sum != 0);
        }
    }

    @Test
    void severalDistancesBelongToOneRevisionWhileEdgesChange() throws InterruptedException {
        AtomicBoolean done = new AtomicBoolean();
        AtomicReference<Throwable> failure = new AtomicReference<>();
        try (Engine engine = Engines.open(); WatchedDistances watched = engine.graph().watch(0)) {
            engine.graph().put(0, 1, 0x1_0000, 0, 2, 0x1_00ff, 1, 3, 0x1_0001);
            settle(engine, watched);
            Thread writer = Thread.ofPlatform().start(() -> {
                try {
                    MoveBatch batch = engine.moveBatch(2);
                    for (int step = 0; step < 20_000; step++) {
                        batch.clear();
                        batch.add(0, 1, 0x1_0000 | step % 256, 0);
                        batch.add(0, 2, 0x1_0000 | 255 - step % 256, 0);
                        batch.submit();
                    }
                } catch (RuntimeException bad) {
                    failure.set(bad);
                } finally {
                    done.set(true);
                }
            });
            int[] nodes = {1, 2, 3};
            long[] distances = new long[3];
            long reads = 0;
            long last = 0;
            while (!done.get()) {
                try {
                    long revision = watched.distances(nodes, distances);
                    assertEquals(255, distances[0] + distances[1], "torn at revision " + revision);
                    assertEquals(distances[0] + 1, distances[2], "torn at revision " + revision);
                    assertTrue(revision >= last, "the revision went back");
                    last = revision;
                    reads++;
                } catch (SlotBusyException busy) {
                    Thread.onSpinWait();
                }
            }
            writer.join();
            assertEquals(null, failure.get());
            assertTrue(reads > 100, "only " + reads + " reads met the writer");
            settle(engine, watched);
            assertEquals(19_999 % 256, watched.distance(1));
        }
    }

    @Test
    void theSixtyFifthWatchIsRefusedAndAClosedOneMakesRoom() throws InterruptedException {
        try (Engine engine = Engine.open(Engines.small().set("graph.watches_max", 64).build())) {
            List<WatchedDistances> all = new ArrayList<>();
            for (int source = 0; source < 64; source++) {
                all.add(engine.graph().watch(source));
            }
            EngineException refusal = assertThrows(EngineException.class, () -> engine.graph().watch(64));
            assertEquals(Status.WATCHES_FULL, refusal.status());
            assertTrue(refusal.getMessage().contains("all 64 watches")
                    && refusal.getMessage().contains("What to do:"), refusal.getMessage());
            engine.graph().put(64, 5, 0x1_0009, 7, 5, 0x1_0003);
            WatchedDistances old = all.get(7);
            settle(engine, old);
            assertEquals(3, old.distance(5));
            old.close();
            old.close();
            try (WatchedDistances next = engine.graph().watch(64)) {
                settle(engine, next);
                assertEquals(9, next.distance(5));
                assertEquals(64, next.source());
                assertThrows(EngineClosedException.class, () -> old.distance(5));
                assertEquals(WatchState.CLOSED, old.state());
                assertThrows(EngineClosedException.class, () -> old.awaitLive(PATIENCE));
            }
            for (WatchedDistances watched : all) {
                watched.close();
            }
            engine.graph().watch(1).close();
        }
    }

    @Test
    void wrongArgumentsAreRefused() throws InterruptedException {
        try (Engine engine = Engines.open(); WatchedDistances watched = engine.graph().watch(999)) {
            EngineException refusal = assertThrows(EngineException.class, () -> engine.graph().watch(1_000));
            assertEquals(Status.OUT_OF_BOUNDS, refusal.status());
            assertTrue(refusal.getMessage().contains("1000"), refusal.getMessage());
            assertThrows(EngineException.class, () -> engine.graph().watch(-1));
            assertTrue(watched.awaitLive(PATIENCE));
            assertThrows(IndexOutOfBoundsException.class, () -> watched.distance(1_000));
            assertThrows(IndexOutOfBoundsException.class, () -> watched.edgesOnPath(-1));
            assertThrows(IndexOutOfBoundsException.class, () -> watched.distances(new int[2], new long[1]));
            assertThrows(IndexOutOfBoundsException.class, () -> watched.distances(new int[] {1_000}, new long[1]));
            assertEquals(0, watched.distance(999));
            assertEquals(WatchedDistances.NO_PATH, watched.distance(0));
        }
        try (Engine engine = Engine.open(Engines.small().set("graph.watches_max", 0).build())) {
            assertEquals(Status.WATCHES_FULL,
                    assertThrows(EngineException.class, () -> engine.graph().watch(0)).status());
        }
    }

    @Test
    void distancesThatAreBeingComputedCannotBeRead() throws InterruptedException {
        try (Engine engine = Engine.open(Engines.small().nodesMax(2_000_000).build())) {
            DistancesNotReadyException seen = null;
            for (int round = 0; round < 1_000 && seen == null; round++) {
                try (WatchedDistances watched = engine.graph().watch(round)) {
                    WatchState state = watched.state();
                    seen = assertThrowsOrNull(watched);
                    if (seen != null) {
                        assertTrue(state == WatchState.FILLING, "it was " + state);
                        assertEquals(Status.NOT_READY, seen.status());
                        DistancesNotReadyException again = assertThrowsOrNull(watched);
                        assertTrue(again == null || again == seen, "always the same object");
                    }
                    assertTrue(watched.awaitLive(PATIENCE));
                    assertEquals(0, watched.distance(round));
                    assertEquals(WatchState.LIVE, watched.state());
                }
            }
            assertTrue(seen != null, "no read ever met a fill");
        }
    }

    private static DistancesNotReadyException assertThrowsOrNull(WatchedDistances watched) {
        try {
            watched.distance(0);
            return null;
        } catch (DistancesNotReadyException notReady) {
            return notReady;
        }
    }

    @Test
    void readersLearnOfTheEnginesClose() throws InterruptedException {
        Engine engine = Engines.open();
        engine.graph().put(1, 2, 0x1_0003);
        WatchedDistances watched = engine.graph().watch(1);
        settle(engine, watched);
        assertEquals(3, watched.distance(2));
        assertFalse(watched.awaitCommit(new Commit(99, 0, engine.stateHash(), 0, 0, 0,
                Instant.EPOCH, 0), Duration.ofMillis(5)));
        engine.close();
        assertThrows(EngineClosedException.class, () -> watched.distance(2));
        assertThrows(EngineClosedException.class, () -> watched.edgesOnPath(2));
        assertThrows(EngineClosedException.class, watched::revision);
        assertThrows(EngineClosedException.class, () -> watched.distances(new int[] {2}, new long[1]));
        assertThrows(EngineClosedException.class, () -> watched.awaitLive(PATIENCE));
        assertThrows(EngineClosedException.class, () -> engine.graph().watch(1));
        assertEquals(WatchState.CLOSED, watched.state());
        assertTrue(watched.toString().contains("source=1"), watched.toString());
        watched.close();
        watched.close();
    }

    @Test
    void distancesOfAFailedEngineStayReadable() throws InterruptedException {
        try (Engine engine = Engine.open(Engines.small().set("testing.panic_at_revision", 3).build())) {
            WatchedDistances watched = engine.graph().watch(1);
            Engines.move(engine, 1, 2, 0x1_0005);
            Engines.move(engine, 2, 3, 0x1_0006);
            settle(engine, watched);
            assertThrows(EnginePoisonedException.class, () -> Engines.move(engine, 3, 4, 0x1_0007));
            assertEquals(EngineState.POISONED, engine.state());
            assertEquals(11, watched.distance(3));
            assertEquals(2, watched.revision());
            assertSame(WatchState.LIVE, watched.state());
            watched.close();
            assertThrows(EngineClosedException.class, () -> watched.distance(3));
        }
    }
}
