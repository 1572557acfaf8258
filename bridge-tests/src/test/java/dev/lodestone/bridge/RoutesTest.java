package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Counter;
import dev.lodestone.Engine;
import dev.lodestone.EngineClosedException;
import dev.lodestone.EngineException;
import dev.lodestone.MoveBatch;
import dev.lodestone.Route;
import dev.lodestone.RouteBatch;
import dev.lodestone.RouteException;
import dev.lodestone.Status;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Routes in batches, with a time limit, given up; found by the pathfinder's thread and by the engine thread. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class RoutesTest {
    private static final int CHAIN_NODES = 400_000;
    private static final int CAPACITY = RouteBatch.CAPACITY_MAX;
    private static final int ROAD = 0x1_0000;

    private static Engine open(String pathfinder) {
        return Engine.open(Engines.small().set("graph.pathfinder", pathfinder).set("graph.route_budget", 12).build());
    }

    /** Two chains that do not meet: a route from node 0 to the last settles every node. */
    private static Engine openChains(String pathfinder) {
        Engine engine = Engine.open(Engines.small().nodesMax(CHAIN_NODES).set("graph.edges_max", CHAIN_NODES)
                .set("graph.pathfinder", pathfinder).build());
        engine.graph().put(IntStream.range(0, CHAIN_NODES - 2)
                .flatMap(node -> IntStream.of(node, node + 2, ROAD | 1)).toArray());
        return engine;
    }

    private static int[] all(int node) {
        int[] nodes = new int[CAPACITY];
        Arrays.fill(nodes, node);
        return nodes;
    }

    private static RouteBatch askForLong(Engine engine, Duration timeout) {
        return engine.graph().routes(all(0), all(CHAIN_NODES - 1), timeout);
    }

    /** Every one of the questions is counted once, as found or as given up; waits for what another thread does. */
    private static void awaitGivenUp(Engine engine) {
        Until.holds("every route is counted", () -> engine.metrics().counter(Counter.ROUTES_CANCELLED)
                + engine.metrics().counter(Counter.ROUTES) >= CAPACITY);
        assertTrue(engine.metrics().counter(Counter.ROUTES_CANCELLED) > 0, "every route was searched to its end");
    }

    @ParameterizedTest
    @ValueSource(strings = {"thread", "inline"})
    void aBatchAnswersEachPairAtOneRevision(String pathfinder) {
        try (Engine engine = open(pathfinder)) {
            engine.graph().put(1, 2, ROAD | 5, 2, 3, ROAD | 6, 1, 3, ROAD | 12);
            engine.graph().put(IntStream.range(100, 200).flatMap(node -> IntStream.of(node, node + 1, ROAD)).toArray());
            RouteBatch batch = engine.graph().routes(new int[] {1, 3, 7, 1, -1, 100}, new int[] {3, 1, 7, 1_000, 1, 200});
            assertEquals(6, batch.size());
            assertEquals(engine.revision(), batch.revision());
            assertEquals(List.of(Status.OK, Status.OK, Status.OK, Status.OUT_OF_BOUNDS, Status.OUT_OF_BOUNDS, Status.BUDGET),
                    IntStream.range(0, 6).mapToObj(batch::status).toList());
            Route first = batch.route(0);
            assertEquals(engine.graph().route(1, 3), first);
            assertEquals(List.of(11L, 3L, batch.revision()), List.of(first.distance(), first.nodesTotal(), first.revision()));
            assertArrayEquals(new int[] {1, 2, 3}, first.nodes());
            assertFalse(batch.route(1).found());
            assertEquals(0, batch.route(1).nodes().length);
            assertArrayEquals(new int[] {7}, batch.route(2).nodes());
            RouteException outside = assertThrows(RouteException.class, () -> batch.route(4));
            assertEquals(Status.OUT_OF_BOUNDS, outside.status());
            assertTrue(outside.getMessage().startsWith("the route from 4294967295 to 1 leaves the graph"), outside.getMessage());
            RouteException budget = assertThrows(RouteException.class, batch::routes);
            assertEquals(Status.OUT_OF_BOUNDS, budget.status());
            assertEquals(Status.BUDGET, assertThrows(RouteException.class, () -> batch.route(5)).status());
            assertThrows(IndexOutOfBoundsException.class, () -> batch.status(6));
            assertEquals(CAPACITY, engine.graph().routes(all(1), all(2)).routes().size());
            assertEquals(1, engine.metrics().counter(Counter.ROUTES_OVER_BUDGET));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"thread", "inline"})
    void misuseIsRefused(String pathfinder) {
        try (Engine engine = open(pathfinder)) {
            int[] tooMany = new int[CAPACITY + 1];
            assertThrows(IllegalArgumentException.class, () -> engine.graph().routes(tooMany, tooMany));
            assertThrows(IllegalArgumentException.class, () -> engine.graph().routes(new int[0], new int[0]));
            assertThrows(IllegalArgumentException.class, () -> engine.graph().routes(new int[1], new int[2]));
            assertThrows(IllegalArgumentException.class, () -> engine.graph().route(1, 2, Duration.ZERO));
            assertThrows(IllegalArgumentException.class, () -> engine.graph().route(1, 2, Duration.ofNanos(-1)));
            assertEquals("timeout",
                    assertThrows(NullPointerException.class, () -> engine.graph().route(1, 2, null)).getMessage());
            assertEquals("targets",
                    assertThrows(NullPointerException.class, () -> engine.graph().routes(tooMany, null)).getMessage());
            assertFalse(engine.graph().route(1, 2, Duration.ofSeconds(Long.MAX_VALUE)).found());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"thread", "inline"})
    void noBatchMixesRevisions(String pathfinder) throws Exception {
        try (Engine engine = open(pathfinder)) {
            engine.graph().put(1, 2, ROAD);
            long first = engine.revision();
            AtomicBoolean done = new AtomicBoolean();
            FutureTask<Void> moves = new FutureTask<>(() -> {
                MoveBatch batch = engine.moveBatch(1);
                while (!done.get()) {
                    batch.clear();
                    // The weight tells the revision.
                    batch.add(1, 2, ROAD | (int) (engine.revision() + 1 - first & 0xff), 0);
                    batch.submit();
                }
                return null;
            });
            Thread.ofPlatform().start(moves);
            long revisions = 0;
            long seen = -1;
            while (revisions < 30) {
                RouteBatch batch = engine.graph().routes(all(1), all(2));
                for (Route route : batch.routes()) {
                    assertEquals(batch.revision() - first & 0xff, route.distance());
                    assertEquals(batch.revision(), route.revision());
                }
                revisions += batch.revision() == seen ? 0 : 1;
                seen = batch.revision();
            }
            done.set(true);
            moves.get();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"thread", "inline"})
    void aRouteWhoseTimeIsUpIsGivenUp(String pathfinder) {
        try (Engine engine = openChains(pathfinder)) {
            RouteException late = assertThrows(RouteException.class, () -> askForLong(engine, Duration.ofMillis(1)));
            assertEquals(Status.TIMEOUT, late.status());
            assertTrue(late.getMessage().contains("within 1 ms"), late.getMessage());
            awaitGivenUp(engine);
            assertEquals(2, engine.graph().route(0, 4, Until.LONG).distance());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"thread", "inline"})
    void anInterruptedThreadWaitsNoLonger(String pathfinder) throws Exception {
        try (Engine engine = openChains(pathfinder)) {
            FutureTask<Boolean> asking = new FutureTask<>(() -> {
                Thread.currentThread().interrupt();
                RouteException interrupted =
                        assertThrows(RouteException.class, () -> askForLong(engine, Until.LONG));
                assertEquals(Status.INTERRUPTED, interrupted.status());
                return Thread.interrupted();
            });
            Thread.ofPlatform().start(asking);
            assertTrue(asking.get(), "the thread stays interrupted");
            awaitGivenUp(engine);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"thread", "inline"})
    void aCloseTellsWhoWaits(String pathfinder) throws Exception {
        Engine engine = openChains(pathfinder);
        CompletableFuture<EngineException> asking = CompletableFuture.supplyAsync(() -> {
            while (true) {
                try {
                    // Again, should all be found before the close.
                    askForLong(engine, Until.LONG);
                } catch (EngineException end) {
                    return end;
                }
            }
        });
        Until.holds("a route was found", () -> engine.metrics().counter(Counter.ROUTES) > 0);
        engine.close();
        EngineException end = asking.get(Until.LONG.toSeconds(), TimeUnit.SECONDS);
        assertTrue(end instanceof EngineClosedException, end.toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"thread", "inline"})
    void theRollbackIsVerifiedAndADamagedStateNeverGoesOn(String pathfinder) {
        try (Engine engine = Engine.open(Engines.small().set("graph.pathfinder", pathfinder)
                .set("rollback.verify", "true").build())) {
            Engines.move(engine, 1, 2, ROAD | 1);
            Engines.move(engine, 1, 2, ROAD | 9);
            assertEquals(9, engine.graph().route(1, 2).distance());
            assertEquals(engine.stateHash(1), engine.rollback(1).hash());
            assertEquals(1, engine.graph().route(1, 2).distance());
        }
        try (Engine engine = Engine.open(Engines.small().set("graph.pathfinder", pathfinder)
                .set("testing.rollback_verify_fails", "true").build())) {
            Engines.move(engine, 1, 2, ROAD | 1);
            EngineException damaged = assertThrows(EngineException.class, () -> engine.rollback(0));
            assertEquals(Status.POISONED, damaged.status());
            assertTrue(engine.poisonText().contains("rollback.verify"), engine.poisonText());
            assertEquals(1, engine.revision());
        }
    }
}
