package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Commands;
import dev.lodestone.Engine;
import dev.lodestone.Interests;
import dev.lodestone.Status;
import dev.lodestone.client.ClientClosedException;
import dev.lodestone.client.ClientException;
import dev.lodestone.client.Delivery;
import dev.lodestone.client.LodestoneClient;
import dev.lodestone.client.Move;
import dev.lodestone.client.MoveResult;
import dev.lodestone.client.NewsHandler;
import dev.lodestone.client.NewsReader;
import dev.lodestone.client.NodeState;
import dev.lodestone.client.RequestRefusedException;
import dev.lodestone.client.SubscribeResult;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The Java client over real QUIC is told of nodes, and asks by datagram. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class NewsTest {
    private static final Duration LONG = Until.LONG;

    private static Engine open(String policy) {
        return Engine.open(Engines.small().set("fanout.policy", policy).build());
    }

    private static LodestoneClient watcher(Engine engine) {
        return LodestoneClient.open(ClientTest.to(engine).updatesMax(100).datagramTimeout(LONG).requestTimeout(LONG).build());
    }

    /** Sends a command as soon as there is room for it. */
    private static long sent(LongSupplier command) {
        long[] counter = new long[1];
        Until.holds("there is no room for a command", () -> {
            counter[0] = command.getAsLong();
            return counter[0] != Commands.FULL;
        });
        return counter[0];
    }

    private static void sure(Commands commands, long counter) {
        assertTrue(counter > 0 && commands.awaitDecided(counter, LONG));
        assertFalse(commands.nextRejection((refused, status, node) -> {
            throw new AssertionError("command " + refused + " refused: " + Status.of(status) + ", node " + node);
        }));
    }

    /** The next news, in words. */
    private static String next(NewsReader news) {
        List<String> told = new ArrayList<>();
        assertEquals(1, news.poll((node, state) -> told.add(node + " " + state.status() + " v" + state.version()
                + (state.active() ? " to " + state.target() + ", " + state.payloadLength() + " bytes" : "")), 1, LONG));
        return told.getFirst();
    }

    @ParameterizedTest
    @EnumSource
    void aClientIsToldUntilItUnsubscribes(Delivery delivery) {
        try (Engine engine = open("all"); LodestoneClient client = watcher(engine);
                LodestoneClient other = LodestoneClient.open(ClientTest.to(engine).build())) {
            NewsReader news = client.news();
            assertEquals(0, news.poll((node, state) -> {}, 10));
            assertEquals(0, news.poll((node, state) -> {}, 10, Duration.ofNanos(1)));
            assertEquals(0, news.poll((node, state) -> {}, 10, Duration.ofSeconds(Long.MIN_VALUE)));
            other.move(Move.of(5, 6, 0x1_0003).withPayload(new byte[] {1, 0, 0, 0x7f, 5, 6, 7, 8}));
            SubscribeResult subscribed = client.subscribe(delivery, 5, 7);
            assertEquals(List.of(Status.OK, 2, 0), List.of(subscribed.status(), subscribed.subscriptions(), subscribed.node()));
            assertEquals(1, news.poll((node, state) -> {
                assertEquals(List.of(5, 6, 0x1_0003, 2 + 1, 1L), List.of(node, state.target(), state.edgeMask(), state.weight(),
                        state.version()));
                assertEquals(0x7f00_0001, state.payloadInt(0));
                assertEquals(0x0807_0605_7f00_0001L, state.payloadLong(0));
                assertEquals(8, state.payloadByte(7));
                assertArrayEquals(new byte[] {1, 0, 0, 0x7f, 5, 6, 7, 8}, state.payload());
                assertThrows(IndexOutOfBoundsException.class, () -> state.payloadInt(5));
                assertEquals(List.of(0L, 0L), List.of(state.connection(), state.rollbacks()));
            }, 1, Duration.ofSeconds(Long.MAX_VALUE)));
            assertEquals("7 OK v0", next(news));
            long before = engine.revision();
            other.move(Move.of(7, 8, 1));
            assertEquals("7 OK v1 to 8, 0 bytes", next(news));
            engine.rollback(before);
            assertEquals("7 OK v0", next(news));
            assertEquals(1, client.unsubscribe(5, 700).subscriptions());
            other.move(Move.of(5, 9, 1));
            other.move(Move.of(7, 9, 1));
            assertEquals("7 OK v1 to 9, 0 bytes", next(news));
            assertThrows(IllegalStateException.class, news::version);
            assertThrows(IllegalArgumentException.class, () -> client.subscribe(delivery));
            assertThrows(IllegalArgumentException.class, () -> client.unsubscribe(new int[65]));
            client.close(LONG);
            assertThrows(ClientClosedException.class, () -> news.poll((node, state) -> {}, 1, LONG));
        }
    }

    @Test
    void refusalsAreResultsAndTheApplicationMayChooseTheWay() {
        try (Engine engine = open("granted"); Commands commands = engine.commands(); LodestoneClient client = watcher(engine)) {
            Interests interests = commands.interests();
            int session = client.status().session();
            SubscribeResult refused = client.subscribe(Delivery.DATAGRAM, 3, 4);
            assertEquals(new SubscribeResult(Status.FORBIDDEN, 0, 0, 3), refused);
            sure(commands, interests.tryGrant(session, 3, 3));
            assertTrue(client.subscribe(Delivery.DATAGRAM, 3).accepted());
            assertEquals("3 OK v0", next(client.news()));
            sure(commands, interests.trySubscribeLatest(session, 8));
            assertEquals("8 OK v0", next(client.news()));
            sure(commands, interests.trySubscribeLatest(session, new int[] {1, 9, 10, 2}, 1, 2));
            assertEquals(List.of("9 OK v0", "10 OK v0"), List.of(next(client.news()), next(client.news())));
            sure(commands, interests.tryRevoke(session, 0, 8));
            assertEquals(2, client.unsubscribe(999).subscriptions());
            assertEquals(Status.OUT_OF_BOUNDS, client.subscribe(Delivery.STREAM, -1).status());
        }
        try (Engine engine = open("all"); LodestoneClient without = LodestoneClient.open(ClientTest.to(engine).build())) {
            assertThrows(ClientException.class, () -> without.subscribe(Delivery.STREAM, 1));
            assertThrows(ClientException.class, () -> without.news().poll((node, state) -> {}, 1));
        }
    }

    @Test
    void whoTakesNothingIsClosedComesBackAndIsToldEverythingAnew() {
        try (Engine engine = Engine.open(Engines.small().set("fanout.policy", "all").set("transport.slow_consumer_ms", 300)
                .set("arena.capacity", 1_000).build());
                Commands commands = engine.commands();
                LodestoneClient client = LodestoneClient.open(ClientTest.to(engine).updatesMax(1).build())) {
            for (int first = 0; first < 640; first += 64) {
                int[] nodes = new int[64];
                for (int index = 0; index < nodes.length; index++) {
                    nodes[index] = first + index;
                }
                assertTrue(client.subscribe(Delivery.STREAM, nodes).accepted());
            }
            byte[] payload = new byte[200];
            while (client.status().reconnects() == 0) {
                for (int node = 0; node < 640; node++) {
                    commands.tryMove(node, 999, 1, 0, payload, 0, payload.length);
                }
            }
            assertEquals(Status.SLOW_CONSUMER, client.status().lastLoss());
            Map<Integer, Long> told = new HashMap<>();
            NewsReader news = client.news();
            while (told.size() < 640) {
                news.poll((node, state) -> {
                    if (state.connection() > 0) {
                        told.put(node, state.version());
                    }
                }, 64, LONG);
            }
            Map<Integer, Long> last = new HashMap<>();
            sure(commands, sent(() -> commands.tryMove(7, 998, 1, 0, payload, 0, payload.length)));
            while (last.getOrDefault(7, 0L) != engine.slotReader().version(7)) {
                news.poll((node, state) -> last.put(node, state.version()), 64, LONG);
            }
        }
    }

    @Test
    void aSessionThatAnOperatorClosesEndsTheNews() {
        try (Engine engine = open("all"); LodestoneClient client = watcher(engine)) {
            assertTrue(client.subscribe(Delivery.DATAGRAM, 1, 2).accepted());
            NewsReader news = client.news();
            assertEquals(List.of("1 OK v0", "2 OK v0"), List.of(next(news), next(news)));
            engine.sessions().close(client.status().session());
            ClientException over = assertThrows(ClientException.class, () -> {
                while (true) {
                    news.poll((node, state) -> {}, 10, Duration.ofMillis(50));
                }
            });
            assertEquals(Status.CONNECTION_LOST, over.status());
        }
    }

    @Test
    void whatIsBehindAHandlerThatThrowsStaysWithItsReader() {
        try (Engine engine = open("all"); LodestoneClient client = watcher(engine)) {
            assertTrue(client.subscribe(Delivery.STREAM, 1, 2, 3).accepted());
            NewsReader news = client.news();
            assertThrows(UnsupportedOperationException.class, () -> news.poll((node, state) -> {
                throw new UnsupportedOperationException("a handler of the application");
            }, 3, LONG));
            assertEquals(List.of("2 OK v0", "3 OK v0"), List.of(next(news), next(news)));
        }
    }

    @Test
    void requestsByDatagramAreAnsweredOrForgotten() {
        try (Engine engine = open("all"); LodestoneClient client = watcher(engine)) {
            MoveResult moved = client.moveByDatagram(Move.of(1, 2, 3));
            assertEquals(new MoveResult(Status.OK, 1, 0), moved);
            assertEquals(Status.CONFLICT, client.moveByDatagram(Move.of(1, 2, 3).withVersion(9)).status());
            NodeState state = client.readByDatagram(1);
            assertEquals(List.of(true, 2, 1L), List.of(state.active(), state.target(), state.version()));
            assertEquals(Status.OUT_OF_BOUNDS,
                    assertThrows(RequestRefusedException.class, () -> client.readByDatagram(-1)).status());
            client.subscribe(Delivery.STREAM, 1);
            NewsReader news = client.news();
            assertEquals("1 OK v1 to 2, 0 bytes", next(news));
            assertTrue(client.trySend(Move.of(1, 5, 3).withPayload(new byte[3])));
            assertEquals("1 OK v2 to 5, 3 bytes", next(news));
            client.close(LONG);
            assertThrows(ClientClosedException.class, () -> client.trySend(Move.of(1, 5, 3)));
        }
    }

    @Test
    void newsAllocatesNothingAndTheLastStateIsTheEngines() {
        try (Engine engine = open("all"); Commands commands = engine.commands(); LodestoneClient client = watcher(engine)) {
            int[] nodes = new int[50];
            for (int node = 0; node < nodes.length; node++) {
                nodes[node] = node;
            }
            assertTrue(client.subscribe(Delivery.STREAM, nodes).accepted());
            NewsReader news = client.news();
            long[] versions = new long[nodes.length];
            NewsHandler handler = (node, state) -> versions[node] = state.version() + state.payloadLength();
            byte[] payload = new byte[0];
            long[] version = new long[1];
            assertEquals(0, Allocated.least(() -> {
                for (int step = 0; step < 2_000; step++) {
                    int changed = step;
                    sent(() -> commands.tryMove(changed % nodes.length, 99, changed | 1, 0, payload, 0, 0));
                }
                version[0] += 2_000 / nodes.length;
            }, () -> {
                while (!allAt(versions, version[0])) {
                    news.poll(handler, 64);
                }
            }), "bytes for a round of 2,000 changes of 50 nodes");
            Map<Integer, Long> wrong = new HashMap<>();
            for (int node : nodes) {
                if (engine.slotReader().version(node) != versions[node]) {
                    wrong.put(node, versions[node]);
                }
            }
            assertEquals(Map.of(), wrong);
        }
    }

    private static boolean allAt(long[] versions, long wanted) {
        for (long version : versions) {
            if (version != wanted) {
                return false;
            }
        }
        return true;
    }
}
