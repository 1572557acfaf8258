package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Commands;
import dev.lodestone.Counter;
import dev.lodestone.Engine;
import dev.lodestone.EventType;
import dev.lodestone.Interests;
import dev.lodestone.Status;
import dev.lodestone.bridge.Probe.Line;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Java decides what clients over real QUIC are told. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class FanoutTest {
    private static final Duration LONG = Until.LONG;
    private static final byte[] PAYLOAD = {1, 2, 3};
    private static final String NO_SLOT = "no slot";

    @TempDir
    private Path folder;

    private static Engine open(String policy) {
        return Engine.open(Engines.small().set("fanout.policy", policy).build());
    }

    private static void sure(Commands commands, long counter) {
        assertTrue(counter > 0, "there is room");
        assertTrue(commands.awaitDecided(counter, LONG));
        assertFalse(commands.nextRejection((refused, status, node) -> {
            throw new AssertionError("command " + refused + " refused: " + Status.of(status) + ", node " + node);
        }));
    }

    private static void refused(Commands commands, long counter, Status status, int node) {
        assertTrue(commands.awaitDecided(counter, LONG));
        List<List<Object>> found = new ArrayList<>();
        assertTrue(commands.nextRejection((refused, code, about) -> found.add(List.of(refused, Status.of(code), about))));
        assertEquals(List.of(List.of(counter, status, node)), found);
    }

    private static void assertUpdate(Line line, long node, long version, String payload) {
        assertEquals(node, line.number("node"), line.text());
        assertEquals(version, line.number("node_version"), line.text());
        boolean active = !NO_SLOT.equals(payload);
        assertEquals(active ? payload : "", line.members().get("payload"), line.text());
        assertEquals(Boolean.toString(active), line.members().get("active"), line.text());
    }

    private static void move(Commands commands, int node) {
        sure(commands, commands.tryMove(node, node + 1, 0x1_0003, 0, PAYLOAD, 0, PAYLOAD.length));
    }

    @Test
    void javaGrantsAndTheClientSubscribes() {
        try (Engine engine = open("granted"); Commands commands = engine.commands()) {
            Interests interests = commands.interests();
            Events events = new Events(engine);
            try (Probe probe = Probe.openWithUpdates(engine, folder)) {
                events.await(EventType.SESSION_OPENED, probe.session());
                probe.frames(0, List.of("subscribe 7"));
                Line reject = probe.await("reject");
                assertEquals(Status.FORBIDDEN, reject.status());
                assertEquals(7, reject.number("node"));

                sure(commands, interests.tryGrant(probe.session(), 5, 9));
                probe.frames(0, List.of("subscribe 7 9"));
                List<Line> lines = new ArrayList<>();
                while (lines.size() < 3) {
                    // Answers and updates come on streams of their own, in no order with each other.
                    lines.add(probe.await(line -> line.is("subscribed") || line.is("update")));
                }
                Line subscribed = lines.stream().filter(line -> line.is("subscribed")).findFirst().orElseThrow();
                lines.remove(subscribed);
                assertEquals(2, subscribed.number("subscriptions"));
                assertUpdate(lines.get(0), 7, 0, NO_SLOT);
                assertUpdate(lines.get(1), 9, 0, NO_SLOT);
                move(commands, 9);
                assertUpdate(probe.await("update"), 9, 1, "010203");

                long before = engine.revision();
                move(commands, 7);
                assertUpdate(probe.await("update"), 7, 1, "010203");
                engine.rollback(before);
                Line back = probe.await("update");
                assertUpdate(back, 7, 0, NO_SLOT);
                assertEquals(List.of(before, 1L), List.of(back.number("revision"), back.number("rollbacks")));

                sure(commands, interests.tryRevoke(probe.session(), 9, 9));
                probe.frames(0, List.of("subscribe 9"));
                assertEquals(Status.FORBIDDEN, probe.await("reject").status());
                assertEquals(1, engine.metrics().counter(Counter.SUBSCRIPTIONS_LIVE));
                assertEquals(0, probe.end());
            }
        }
    }

    @Test
    void javaWritesInterestSets() {
        try (Engine engine = open("none"); Commands commands = engine.commands()) {
            Interests interests = commands.interests();
            try (Probe told = Probe.openWithUpdates(engine, folder); Probe old = Probe.open(engine, folder)) {
                int[] nodes = new int[100];
                for (int index = 0; index < nodes.length; index++) {
                    nodes[index] = index;
                }
                move(commands, 30);
                sure(commands, interests.trySubscribe(told.session(), nodes, 30, 2));
                assertUpdate(told.await("update"), 30, 1, "010203");
                assertUpdate(told.await("update"), 31, 0, NO_SLOT);
                sure(commands, interests.trySubscribe(told.session(), 40));
                assertUpdate(told.await("update"), 40, 0, NO_SLOT);
                sure(commands, interests.tryUnsubscribe(told.session(), nodes, 31, 62));
                move(commands, 40);
                move(commands, 30);
                assertUpdate(told.await("update"), 30, 2, "010203");
                sure(commands, interests.tryUnsubscribe(told.session(), 30));
                assertEquals(0, engine.metrics().counter(Counter.SUBSCRIPTIONS_LIVE));
                assertEquals(4, engine.metrics().counter(Counter.UPDATES_SENT));

                refused(commands, interests.trySubscribe(old.session(), 5), Status.VERSION_UNSUPPORTED, 5);
                refused(commands, interests.trySubscribe(-7, 6), Status.UNAUTHORIZED, 6);
                refused(commands, interests.trySubscribe(told.session(), -1), Status.OUT_OF_BOUNDS, -1);
                refused(commands, interests.tryGrant(told.session(), 3, 2), Status.OUT_OF_BOUNDS, 3);
                int[] many = new int[Interests.NODES_MAX + 1];
                for (int count : List.of(0, -1, many.length)) {
                    assertThrows(IndexOutOfBoundsException.class,
                            () -> interests.trySubscribe(told.session(), many, 0, count));
                }
                assertEquals(Status.OK, old.decide("move 50 51 1"));

                sure(commands, interests.trySubscribe(told.session(), 50));
                assertUpdate(told.await("update"), 50, 1, "");
                assertEquals(0, told.end());
            }
            Until.holds("no subscription is left", () -> engine.metrics().counter(Counter.SUBSCRIPTIONS_LIVE) == 0);
        }
    }

    @Test
    void decisionsAllocateNothing() {
        try (Engine engine = open("own"); Commands commands = engine.commands();
                Probe probe = Probe.openWithUpdates(engine, folder)) {
            int[] nodes = {1, 2, 3, 4, 5};
            int session = probe.session();
            assertEquals(0, Allocated.least(() -> play(commands.interests(), session, nodes)));
            long last = commands.interests().tryUnsubscribeAll(probe.session());
            while (last == Commands.FULL) {
                last = commands.interests().tryUnsubscribeAll(probe.session());
            }
            assertTrue(commands.awaitDecided(last, LONG));
            // What was ended keeps its place until the sender of updates has seen it, which nobody waits for here.
            while (commands.nextRejection((refused, status, node) -> assertEquals(Status.OVERLOADED, Status.of(status)))) {
                Thread.onSpinWait();
            }
        }
    }

    private static void play(Interests interests, int session, int... nodes) {
        for (int step = 0; step < 10_000; step++) {
            interests.trySubscribe(session, step % 50);
            interests.trySubscribe(session, nodes, 0, nodes.length);
            interests.tryUnsubscribe(session, nodes, 1, 3);
            interests.tryUnsubscribe(session, step % 50);
            interests.tryGrant(session, 10, 20);
            interests.tryRevoke(session, 15, 15);
        }
    }
}
