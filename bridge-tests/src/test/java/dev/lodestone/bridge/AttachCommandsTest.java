package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.AttachMode;
import dev.lodestone.AttachedEngine;
import dev.lodestone.CommandBatch;
import dev.lodestone.Commands;
import dev.lodestone.Counter;
import dev.lodestone.Engine;
import dev.lodestone.EngineClosedException;
import dev.lodestone.EngineException;
import dev.lodestone.EngineGoneException;
import dev.lodestone.EnginePoisonedException;
import dev.lodestone.EngineView;
import dev.lodestone.GraphView;
import dev.lodestone.RollbackException;
import dev.lodestone.RollbackReport;
import dev.lodestone.Route;
import dev.lodestone.RouteException;
import dev.lodestone.SlotReader;
import dev.lodestone.Status;
import dev.lodestone.WatchState;
import dev.lodestone.WatchedDistances;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** Commands and calls to an engine that is attached to: what they do, what they refuse, what a close in their middle leaves. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class AttachCommandsTest {
    private static final Duration LONG = Until.LONG;

    @TempDir
    private Path folder;

    private Engine open(String... keys) {
        var builder = Engines.small().set("runtime.shared_region", "file")
                .set("runtime.shared_region_directory", "\"" + folder + "\"");
        for (int index = 0; index < keys.length; index += 2) {
            builder.set(keys[index], keys[index + 1]);
        }
        return Engine.open(builder.build());
    }

    private static void decided(Commands commands) {
        assertTrue(commands.awaitDecided(commands.sent(), LONG));
    }

    private static void until(Engine engine, Counter counter, long value) {
        Until.holds(() -> counter + " is " + engine.metrics().counter(counter) + ", not " + value,
                () -> engine.metrics().counter(counter) == value);
    }

    @Test
    void commandsDoWhatThoseOfTheEnginesOwnProcessDo() {
        try (Engine engine = open("bridge.lanes", "1"); AttachedEngine attached = Engine.attach(folder);
                Engine alone = Engine.open(Engines.small().set("bridge.lanes", "1").build());
                Commands laneThere = attached.commands(); Commands ringThere = attached.commands();
                Commands laneHere = alone.commands(); Commands ringHere = alone.commands()) {
            assertTrue(laneThere.hasLane() && laneHere.hasLane());
            assertFalse(ringThere.hasLane() || ringHere.hasLane());
            for (Commands commands : List.of(laneThere, ringThere)) {
                play(commands);
            }
            for (Commands commands : List.of(laneHere, ringHere)) {
                play(commands);
            }
            assertEquals(alone.stateHash(), attached.stateHash());
            assertEquals(engine.verifyHash(), engine.stateHash());
            assertEquals(0, engine.metrics().counter(Counter.COMMANDS_GARBAGE));
        }
    }

    private static void play(Commands commands) {
        for (int step = 0; step < 2_000; step++) {
            byte[] payload = new byte[step % 233];
            Arrays.fill(payload, (byte) step);
            while (commands.tryMove(step % 50, 50 + step % 7, step | 1, 0, payload, 0, payload.length) == Commands.FULL) {
                decided(commands);
            }
        }
        decided(commands);
        try (CommandBatch batch = commands.batch()) {
            assertTrue(batch.tryClaim(3, 8));
            batch.move(1, 2, 0x1_0007, 0);
            batch.putLong(0, 42);
            batch.release(3);
            batch.move(7, 7, 0x1_0007, 0);
            batch.commit();
        }
        decided(commands);
        assertEquals(1, commands.rejected());
        assertTrue(commands.nextRejection((counter, status, node) -> {
            assertEquals(commands.sent(), counter);
            assertEquals(Status.OUT_OF_BOUNDS.number(), status);
            assertEquals(7, node);
        }));
        assertFalse(commands.nextRejection((counter, status, node) -> { }));
    }

    @Test
    void callsAnswerAsTheEngineDoes() throws InterruptedException {
        for (String place : List.of("thread", "inline")) {
            try (Engine engine = open("graph.pathfinder", place, "graph.route_budget", "400", "graph.watches_max", "2",
                    "monitoring.rollback_sla_ms", "60000");
                    AttachedEngine attached = Engine.attach(folder)) {
                for (int node = 0; node < 100; node++) {
                    assertEquals(Status.OK, Engines.move(engine, node, node + 1, 0x1_0002));
                }
                sameRoutes(engine, attached);
                sameHistory(engine, attached);
                sameWatches(engine, attached);
                assertEquals(0, engine.metrics().counter(Counter.COMMANDS_GARBAGE));
            }
        }
    }

    private static String told(Status status, Executable call) {
        EngineException refusal = assertThrows(EngineException.class, call);
        assertEquals(status, refusal.status(), refusal.getMessage());
        return refusal.getClass() + " " + refusal.getMessage();
    }

    private static void sameRoutes(Engine engine, AttachedEngine attached) {
        for (int target : new int[] {10, 100, 101, 999}) {
            Route expected = engine.graph().route(10, target);
            assertEquals(expected, attached.graph().route(10, target));
            assertEquals(target <= 100, expected.found());
        }
        for (int target : new int[] {1_000, -1}) {
            assertEquals(told(Status.OUT_OF_BOUNDS, () -> engine.graph().route(5, target)),
                    told(Status.OUT_OF_BOUNDS, () -> attached.graph().route(5, target)));
        }
        int[] arcs = new int[3 * 800];
        for (int index = 0; index < 800; index++) {
            arcs[3 * index] = 100 + index;
            arcs[3 * index + 1] = 101 + index;
            arcs[3 * index + 2] = 0x1_0001;
        }
        engine.graph().put(arcs);
        assertEquals(told(Status.BUDGET, () -> engine.graph().route(0, 900)),
                told(Status.BUDGET, () -> attached.graph().route(0, 900)));
        assertThrows(RouteException.class, () -> attached.graph().route(0, 900));
        assertThrows(IllegalArgumentException.class, () -> attached.graph().route(1, 2, Duration.ZERO));
    }

    private static void sameHistory(Engine engine, AttachedEngine attached) {
        long middle = engine.revision() - 30;
        for (EngineView view : List.of(engine, attached)) {
            assertEquals(engine.stateHash(middle), view.stateHash(middle));
            assertEquals(engine.stateHash(), view.stateHash(engine.revision()));
            assertEquals(0, view.revisionBefore(Duration.ofDays(1_000_000)));
            assertEquals(engine.revision(), view.revisionBefore(Duration.ZERO));
            assertThrows(IllegalArgumentException.class, () -> view.revisionBefore(Duration.ofSeconds(-1)));
        }
        for (long outside : new long[] {-1, engine.revision() + 1, Long.MAX_VALUE}) {
            assertEquals(told(Status.OUT_OF_WINDOW, () -> engine.stateHash(outside)),
                    told(Status.OUT_OF_WINDOW, () -> attached.stateHash(outside)));
            assertEquals(told(Status.OUT_OF_WINDOW, () -> engine.rollback(outside)),
                    told(Status.OUT_OF_WINDOW, () -> attached.rollback(outside)));
            assertThrows(RollbackException.class, () -> attached.rollback(outside));
        }
        long now = engine.revision();
        RollbackReport back = attached.rollback(middle);
        assertEquals(List.of(now, middle, now - middle), List.of(back.fromRevision(), back.toRevision(), back.revisions()));
        assertEquals(engine.stateHash(), back.hash());
        assertEquals(engine.verifyHash(), back.hash());
        assertEquals(engine.commit().edges(), back.edges());
        assertEquals(1, back.branch());
        assertTrue(back.records() > 0 && back.elapsed().toNanos() > 0 && back.withinSla(), back.toString());
        assertEquals(0, attached.rollback(Duration.ofDays(1)).toRevision());
        for (int node = 0; node < 100; node++) {
            Engines.move(engine, node, node + 1, 0x1_0002);
        }
    }

    private static void sameWatches(Engine engine, AttachedEngine attached) throws InterruptedException {
        assertEquals(told(Status.OUT_OF_BOUNDS, () -> engine.graph().watch(1_000)),
                told(Status.OUT_OF_BOUNDS, () -> attached.graph().watch(1_000)));
        WatchedDistances there = attached.graph().watch(3);
        try (WatchedDistances here = engine.graph().watch(4)) {
            assertTrue(there.awaitCommit(attached.commit(), LONG) && here.awaitCommit(engine.commit(), LONG));
            assertEquals(2 * 47, there.distance(50));
            Engines.move(engine, 20, 50, 0x1_0001);
            assertTrue(there.awaitCommit(attached.commit(), LONG));
            assertEquals(2 * 17 + 1, there.distance(50));
            assertEquals(there.distance(50), attached.watchedDistances(3).orElseThrow().distance(50));
            assertEquals(told(Status.WATCHES_FULL, () -> engine.graph().watch(5)),
                    told(Status.WATCHES_FULL, () -> attached.graph().watch(5)));
            there.close();
            there.close();
            assertEquals(WatchState.CLOSED, there.state());
            try (WatchedDistances next = attached.graph().watch(5)) {
                assertTrue(next.awaitLive(LONG));
            }
        }
        assertTrue(attached.watchedDistances(3).isEmpty() && attached.watchedDistances(5).isEmpty());
    }

    @Test
    void readOnlyChangesNothingAndSaysSo() {
        try (Engine engine = open(); AttachedEngine attached = Engine.attach(folder, AttachMode.READ_ONLY)) {
            Engines.move(engine, 1, 2, 0x1_0007);
            List<Executable> uses = List.of(attached::commands, () -> attached.commands(7), () -> attached.rollback(0),
                    () -> attached.rollback(Duration.ZERO), () -> attached.revisionBefore(Duration.ZERO),
                    () -> attached.stateHash(0), () -> attached.graph().route(1, 2), () -> attached.graph().watch(1));
            for (Executable use : uses) {
                String text = told(Status.READ_ONLY, use);
                assertTrue(text.contains("What to do: attach with AttachMode.READ_WRITE."), text);
            }
            assertEquals(engine.stateHash(), attached.stateHash());
            SlotReader slot = attached.slotReader();
            assertTrue(slot.read(1));
            assertEquals(0, engine.metrics().counter(Counter.PRODUCERS_LIVE));
        }
    }

    @Test
    void aSleepingEngineIsWokenByEachCommandAndWakesWhoWaits() throws InterruptedException {
        try (Engine engine = open("runtime.idle_strategy", "park"); AttachedEngine attached = Engine.attach(folder)) {
            try (Commands commands = attached.commands()) {
                for (int round = 0; round < 300; round++) {
                    // Longer than the engine looks before it sleeps.
                    Thread.sleep(1);
                    commands.tryMove(1, 2, round | 1, 0);
                    decided(commands);
                    assertEquals(engine.revision(), attached.revisionBefore(Duration.ZERO));
                }
            }
        }
    }

    @Test
    void commandsAndShortCallsAllocateNothing() {
        try (Engine engine = open("bridge.lanes", "1"); AttachedEngine attached = Engine.attach(folder);
                Commands lane = attached.commands(); Commands ring = attached.commands()) {
            Engines.move(engine, 1, 2, 0x1_0007);
            Duration age = Duration.ofSeconds(1);
            assertEquals(0, Allocated.least(() -> {
                for (int step = 0; step < 5_000; step++) {
                    lane.tryMove(1, 2, step | 1, 0);
                    ring.tryMove(2, 3, step | 1, 0);
                    if (step % 100 == 0) {
                        lane.awaitDecided(lane.sent(), LONG);
                        attached.revisionBefore(age);
                    }
                }
                ring.awaitDecided(ring.sent(), LONG);
            }));
        }
    }

    @Test
    void manyThreadsCallAtOnceAndFewEntriesAreTaken() throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool();
        try (Engine engine = open(); AttachedEngine attached = Engine.attach(folder)) {
            for (int node = 0; node < 100; node++) {
                Engines.move(engine, node, node + 1, 0x1_0002);
            }
            long revision = engine.revision();
            List<Future<?>> all = new ArrayList<>();
            for (int thread = 0; thread < 12; thread++) {
                int first = thread;
                all.add(threads.submit(() -> {
                    for (int round = 0; round < 200; round++) {
                        Route route = attached.graph().route(first, first + round % 80);
                        assertEquals(2L * (round % 80), route.distance());
                        assertEquals(revision, attached.revisionBefore(Duration.ZERO));
                        assertEquals(engine.stateHash(revision), attached.stateHash(revision));
                    }
                }));
            }
            for (Future<?> one : all) {
                one.get(500, TimeUnit.SECONDS);
            }
            assertTrue(engine.metrics().counter(Counter.PRODUCERS_LIVE) <= 4);
            assertEquals(0, engine.metrics().counter(Counter.COMMANDS_GARBAGE));
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void aCloseInTheMiddleOfClaimsLeavesNothingBehind() throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool();
        try (Engine engine = open("bridge.lanes", "1", "graph.watches_max", "1"); Commands lane = engine.commands();
                Commands bystander = engine.commands()) {
            assertTrue(lane.hasLane());
            for (int round = 0; round < 20; round++) {
                AttachedEngine attached = Engine.attach(folder);
                CountDownLatch working = new CountDownLatch(3);
                List<Future<Long>> all = new ArrayList<>();
                for (int thread = 0; thread < 3; thread++) {
                    all.add(threads.submit(() -> untilClosed(attached, working)));
                }
                assertTrue(working.await(LONG.toSeconds(), TimeUnit.SECONDS));
                begun(attached.graph(), round);
                Commands held = attached.commands();
                Until.holds("room for three", () -> held.batch().tryClaim(3, 100));
                held.batch().move(1, 2, 3, 0);
                // Whoever closes may have been interrupted, and the engine is told all the same.
                boolean interrupted = round % 2 == 1;
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
                attached.close();
                assertEquals(interrupted, Thread.interrupted());
                for (Future<Long> one : all) {
                    assertTrue(one.get(LONG.toSeconds(), TimeUnit.SECONDS) > 0);
                }
                assertThrows(EngineClosedException.class, held.batch()::commit);
                held.close();
                // Those that hold cells for ever would keep these from being decided.
                int mask = round | 1;
                Until.holds("room for one", () -> bystander.tryMove(3, 4, mask, 0) != Commands.FULL);
                decided(bystander);
                until(engine, Counter.PRODUCERS_LIVE, 2);
            }
            assertTrue(engine.metrics().counter(Counter.CLAIMS_REPAIRED) >= 20);
            assertEquals(0, engine.metrics().counter(Counter.PRODUCERS_DIED));
            assertEquals(0, engine.metrics().counter(Counter.COMMANDS_GARBAGE));
            assertEquals(1, begun(engine.graph(), 1).source());
        } finally {
            threads.shutdownNow();
        }
    }

    /** The watch of the round before ends a moment after its producer. */
    private static WatchedDistances begun(GraphView graph, int source) {
        while (true) {
            try {
                return graph.watch(source);
            } catch (EngineException notYet) {
                assertEquals(Status.WATCHES_FULL, notYet.status());
                Thread.yield();
            }
        }
    }

    private static long untilClosed(AttachedEngine attached, CountDownLatch working) {
        long sent = 0;
        try (Commands commands = attached.commands()) {
            while (true) {
                if (commands.tryMove(1, 2, (int) sent | 1, 0) != Commands.FULL && ++sent == 100) {
                    working.countDown();
                }
                if (commands.batch().tryClaim(2, 16)) {
                    commands.batch().move(5, 6, 7, 0);
                    commands.batch().commit();
                }
            }
        } catch (EngineClosedException closed) {
            return sent;
        }
    }

    @Test
    void anEngineThatEndsIsToldToWhoWaits() throws Exception {
        try (Daemon daemon = Daemon.start(folder, ""); AttachedEngine attached = Engine.attach(folder.resolve("regions"));
                Commands commands = attached.commands()) {
            commands.tryMove(1, 2, 3, 0);
            decided(commands);
            assertEquals(daemon.pid(), attached.pid());
            Signals.send(daemon.pid(), "STOP");
            commands.tryMove(1, 2, 5, 0);
            assertFalse(commands.awaitDecided(2, Duration.ofMillis(20)), "a stopped engine decides nothing");
            told(Status.TIMEOUT, () -> attached.graph().route(1, 2, Duration.ofMillis(50)));
            interruptedCall(attached);
            AtomicReference<Throwable> ended = new AtomicReference<>();
            List<Thread> waiting = new ArrayList<>();
            List<Executable> uses = List.of(() -> commands.awaitDecided(2, LONG), () -> attached.rollback(0),
                    () -> attached.graph().route(1, 2));
            for (Executable use : uses) {
                waiting.add(Thread.ofPlatform().start(() -> {
                    try {
                        assertThrows(EngineGoneException.class, use);
                    } catch (Throwable wrong) {
                        ended.set(wrong);
                    }
                }));
            }
            daemon.kill();
            for (Thread thread : waiting) {
                thread.join();
            }
            assertEquals(null, ended.get());
            assertThrows(EngineGoneException.class, attached::commands);
            assertThrows(EngineGoneException.class, () -> {
                while (true) {
                    commands.tryMove(1, 2, 3, 0);
                }
            });
        }
    }

    private static void interruptedCall(AttachedEngine attached) {
        Thread.currentThread().interrupt();
        told(Status.INTERRUPTED, () -> attached.graph().route(1, 2));
        told(Status.INTERRUPTED, () -> attached.rollback(0));
        assertTrue(Thread.interrupted(), "it stays interrupted");
    }

    @Test
    void afterATimeoutTheNextCallIsAnsweredAndTheEntryComesFree() throws Exception {
        try (Daemon daemon = Daemon.start(folder, ""); AttachedEngine attached = Engine.attach(folder.resolve("regions"))) {
            for (int round = 0; round < 3; round++) {
                Signals.send(daemon.pid(), "STOP");
                told(Status.TIMEOUT, () -> attached.graph().route(1, 2, Duration.ofMillis(20)));
                Signals.send(daemon.pid(), "CONT");
                assertFalse(attached.graph().route(1, 2).found());
            }
            Until.holds("one entry is left", () -> attached.metrics().counter(Counter.PRODUCERS_LIVE) == 1);
            assertEquals(0, attached.metrics().counter(Counter.COMMANDS_GARBAGE));
        }
    }

    @Test
    void aClosedOrFailedEngineIsToldByEveryUse() {
        Engine engine = open("testing.panic_at_revision", "2");
        try (AttachedEngine attached = Engine.attach(folder); Commands commands = attached.commands()) {
            Engines.move(engine, 1, 2, 0x1_0001);
            attached.graph().route(1, 2);
            commands.tryMove(2, 3, 0x1_0001, 0);
            assertThrows(EnginePoisonedException.class, () -> commands.awaitDecided(1, LONG));
            List<Executable> uses = List.of(attached::commands, () -> attached.rollback(0), () -> attached.stateHash(0),
                    () -> attached.graph().route(1, 2), () -> attached.graph().watch(1));
            uses.forEach(use -> assertThrows(EnginePoisonedException.class, use));
            SlotReader slot = attached.slotReader();
            assertTrue(slot.read(1));
            engine.close();
            uses.forEach(use -> assertThrows(EngineClosedException.class, use));
            assertThrows(EngineClosedException.class, () -> commands.tryMove(1, 2, 3, 0));
        }
    }
}
