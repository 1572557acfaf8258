package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Engine;
import dev.lodestone.Route;
import dev.lodestone.SlotReader;
import dev.lodestone.Status;
import dev.lodestone.client.ClientClosedException;
import dev.lodestone.client.ClientConfig;
import dev.lodestone.client.ClientException;
import dev.lodestone.client.ClientState;
import dev.lodestone.client.ConnectionLostException;
import dev.lodestone.client.InFlightFullException;
import dev.lodestone.client.LodestoneClient;
import dev.lodestone.client.Move;
import dev.lodestone.client.MoveResult;
import dev.lodestone.client.NodeState;
import dev.lodestone.client.RequestRefusedException;
import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The Java client over real QUIC: every request, misuse, and connections that are lost. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class ClientTest {
    private static final Duration PATIENCE = Until.LONG;

    @TempDir
    private Path folder;

    private final List<CompletableFuture<NodeState>> late = new ArrayList<>();

    static ClientConfig.Builder to(Engine engine) {
        return ClientConfig.to("127.0.0.1:" + engine.quicAddress().getPort()).trustPem(engine.certificatePem());
    }

    private static ClientException failureOf(CompletableFuture<?> future) {
        long seconds = PATIENCE.toSeconds();
        ExecutionException failed = assertThrows(ExecutionException.class, () -> future.get(seconds, TimeUnit.SECONDS));
        return assertInstanceOf(ClientException.class, failed.getCause());
    }

    private static <T> T get(CompletableFuture<T> future) {
        return future.orTimeout(PATIENCE.toSeconds(), TimeUnit.SECONDS).join();
    }

    @Test
    void everyRequestIsAnswered() {
        try (Engine engine = Engines.open(); LodestoneClient client = LodestoneClient.open(to(engine).build())) {
            assertEquals(ClientState.CONNECTED, client.status().state());
            assertEquals(1_000, client.status().nodesMax());
            assertEquals(engine.sessions().list().getFirst().id(), client.status().session());
            MoveResult moved = client.move(Move.of(1, 2, 0x1_0003).withPayload(new byte[] {8, 9}));
            assertTrue(moved.accepted() && moved.revision() == 1, moved.toString());
            CompletableFuture<MoveResult> next = client.moveAsync(Move.of(2, 3, 0x1_0004));
            CompletableFuture<MoveResult> wrong = client.moveAsync(Move.of(1, 5, 1).withVersion(-2));
            // Behind them on the same stream, so that it sees them.
            NodeState state = client.read(2);
            assertEquals(List.of(true, 3, 0x1_0004, 4, 1L), List.of(state.active(), state.target(), state.edgeMask(),
                    state.weight(), state.version()));
            assertArrayEquals(new byte[] {8, 9}, client.read(1).payload());
            assertTrue(get(next).accepted());
            assertEquals(new MoveResult(Status.CONFLICT, 0, 1), get(wrong));
            Route route = client.route(1, 3);
            assertEquals(7, route.distance());
            assertArrayEquals(new int[] {1, 2, 3}, route.nodes());
            assertFalse(client.route(3, 1).found());
            assertTrue(client.release(2).accepted());
            assertEquals(Status.NO_SLOT, client.release(2).status());
            assertFalse(client.read(2).active());

            RequestRefusedException refused = assertThrows(RequestRefusedException.class, () -> client.read(1_000));
            assertEquals(List.of(Status.OUT_OF_BOUNDS, 1_000), List.of(refused.status(), refused.node()));
            assertEquals(Status.OUT_OF_BOUNDS, failureOf(client.routeAsync(0, -1)).status());
            assertThrows(IllegalArgumentException.class, () -> Move.of(1, 2, 3).withPayload(new byte[233]));
            SlotReader slot = engine.slotReader();
            assertTrue(slot.read(1));
            assertEquals(2, slot.target());
        }
    }

    @Test
    void thousandsUnderWayAreAnsweredInOrderAndTheirNumberIsBounded() {
        try (Engine engine = Engines.open();
                LodestoneClient client = LodestoneClient.open(to(engine).inFlightMax(64).build())) {
            List<CompletableFuture<MoveResult>> all = new ArrayList<>();
            int full = 0;
            // More of them, should the answers come faster than this thread is let ask.
            while (all.size() < 5_000 || full == 0) {
                CompletableFuture<MoveResult> one = client.moveAsync(Move.of(1, 2 + all.size() % 9, 0x1_0001)
                        .withVersion(all.size()));
                if (one.isCompletedExceptionally() && one.exceptionNow() instanceof InFlightFullException) {
                    full++;
                    Thread.onSpinWait();
                } else {
                    all.add(one);
                }
            }
            long revision = 0;
            for (CompletableFuture<MoveResult> one : all) {
                MoveResult result = get(one);
                assertTrue(result.accepted() && result.revision() >= revision, result.toString());
                revision = result.revision();
            }
            assertEquals(all.size(), client.read(1).version());
        }
    }

    @Test
    void threadsShareAClientAndACloseAmongThemIsAnExceptionAndNoCrash() throws InterruptedException {
        try (Engine engine = Engines.open()) {
            LodestoneClient client = LodestoneClient.open(to(engine).inFlightMax(256).build());
            AtomicReference<Throwable> wrong = new AtomicReference<>();
            List<Thread> threads = new ArrayList<>();
            for (int node = 1; node <= 8; node++) {
                int mine = node;
                threads.add((node % 2 == 0 ? Thread.ofPlatform() : Thread.ofVirtual()).start(() -> {
                    try {
                        while (true) {
                            assertTrue(client.move(Move.of(mine, 100, 1)).accepted());
                            client.readAsync(mine);
                        }
                    } catch (ClientClosedException expected) {
                        // As it is to be.
                    } catch (Throwable other) {
                        wrong.compareAndSet(null, other);
                    }
                }));
            }
            Until.holds("they are at work", () -> engine.revision() >= 50);
            client.close();
            for (Thread thread : threads) {
                thread.join(PATIENCE);
                assertFalse(thread.isAlive());
            }
            assertEquals(null, wrong.get());
            client.close();
            assertThrows(ClientClosedException.class, () -> client.move(Move.of(1, 2, 3)));
            assertInstanceOf(ClientClosedException.class, failureOf(client.readAsync(1)));
            assertThrows(ClientClosedException.class, client::status);
            assertThrows(ClientClosedException.class, () -> client.token(new byte[64]));
        }
    }

    @Test
    void whoWaitsOnTheThreadOfTheFuturesIsStopped() {
        try (Engine engine = Engines.open(); LodestoneClient client = LodestoneClient.open(to(engine).build())) {
            // A route of its own keeps the future open long enough to be depended on; else this thread runs what depends.
            AtomicReference<Throwable> thrown = new AtomicReference<>();
            CompletableFuture<Boolean> onFetcher = new CompletableFuture<>();
            while (!onFetcher.isDone()) {
                get(client.readAsync(1).whenComplete((_, _) -> {
                    if (Thread.currentThread().getName().equals("lodestone-client-answers")) {
                        try {
                            client.read(1);
                        } catch (IllegalStateException refused) {
                            thrown.set(refused);
                        }
                        onFetcher.complete(true);
                    }
                }));
            }
            assertTrue(thrown.get().getMessage().contains("async"), String.valueOf(thrown.get()));
            get(client.readAsync(1).thenRunAsync(client::close));
            assertThrows(ClientClosedException.class, () -> client.read(1));
        }
    }

    @Test
    void aCloseInACallbackLosesNoAnswerAndAnyWaitIsOne() {
        try (Engine engine = Engines.open()) {
            boolean closedOnFetcher = false;
            while (!closedOnFetcher) {
                LodestoneClient client = LodestoneClient.open(to(engine).build());
                AtomicReference<Boolean> onFetcher = new AtomicReference<>();
                CompletableFuture<Void> closed = client.readAsync(1).thenAccept(_ -> {
                    onFetcher.set(Thread.currentThread().getName().equals("lodestone-client-answers"));
                    List<CompletableFuture<NodeState>> behind = new ArrayList<>();
                    for (int count = 0; count < 100; count++) {
                        behind.add(client.readAsync(2));
                    }
                    client.close(Duration.ofSeconds(Long.MAX_VALUE));
                    late.addAll(behind);
                });
                get(closed);
                late.forEach(ClientTest::get);
                assertEquals(100, late.size());
                late.clear();
                closedOnFetcher = onFetcher.get();
                assertThrows(ClientClosedException.class, () -> client.read(1));
                client.close(Duration.ofSeconds(Long.MIN_VALUE));
            }
        }
    }

    @Test
    void aCallbackThatNeverReturnsHoldsUpNoClose() throws InterruptedException {
        try (Engine engine = Engines.open()) {
            CountDownLatch end = new CountDownLatch(1);
            LodestoneClient client = LodestoneClient.open(to(engine).build());
            CountDownLatch held = new CountDownLatch(1);
            while (held.getCount() > 0) {
                client.readAsync(1).thenRun(() -> {
                    if (Thread.currentThread().getName().equals("lodestone-client-answers")) {
                        held.countDown();
                        awaitQuietly(end);
                    }
                });
                held.await(10, TimeUnit.MILLISECONDS);
            }
            CompletableFuture<NodeState> behind = client.readAsync(2);
            client.close(Duration.ZERO);
            end.countDown();
            assertInstanceOf(ClientClosedException.class, failureOf(behind));
        }
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void whatCannotBeReachedOrTrustedIsSaid() throws IOException {
        // A socket that is bound and never answers: no port of another program can be hit by chance.
        try (Engine engine = Engines.open(); DatagramSocket mute = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
            ClientException stranger = assertThrows(ClientException.class,
                    () -> LodestoneClient.open(to(engine).trustFingerprint("00".repeat(32)).build()));
            assertEquals(Status.HANDSHAKE, stranger.status());
            ClientException nobody = assertThrows(ClientException.class, () -> LodestoneClient.open(
                    ClientConfig.to("127.0.0.1:" + mute.getLocalPort()).trustPem(engine.certificatePem())
                            .connectTimeout(Duration.ofMillis(300)).build()));
            assertEquals(Status.TIMEOUT, nobody.status());
            ClientException address = assertThrows(ClientException.class,
                    () -> LodestoneClient.open(ClientConfig.to("nowhere").trustPem(engine.certificatePem()).build()));
            assertEquals(Status.CONFIG, address.status());
            ClientException pem = assertThrows(ClientException.class,
                    () -> LodestoneClient.open(to(engine).trustPem("no certificate").build()));
            assertEquals(Status.CERTIFICATE, pem.status());
        }
        assertThrows(IllegalStateException.class, () -> ClientConfig.to("127.0.0.1:9").build());
        assertThrows(IllegalArgumentException.class, () -> ClientConfig.to("a\nb"));
        assertThrows(IllegalArgumentException.class, () -> ClientConfig.to("a:1").inFlightMax(0));
    }

    @Test
    void aServerThatLeavesEndsTheClientOnceItsTimeIsOver() {
        Engine engine = Engines.open();
        try (LodestoneClient client = LodestoneClient.open(to(engine).reconnectTimeout(Duration.ZERO).build())) {
            engine.close();
            ClientException lost = assertThrows(ClientException.class, () -> {
                while (true) {
                    client.read(1);
                }
            });
            assertInstanceOf(ConnectionLostException.class, lost);
            assertEquals(Status.SHUTTING_DOWN, lost.status());
            assertInstanceOf(ConnectionLostException.class, failureOf(client.moveAsync(Move.of(1, 2, 3))));
            assertEquals(ClientState.ENDED, client.status().state());
        } finally {
            engine.close();
        }
    }

    /** A stand-alone engine stands still, longer than the client believes in it, and goes on; nothing is applied twice. */
    @Test
    void anEngineThatStandsStillMakesTheClientComeBackAndAppliesNothingTwice() {
        int nodes = 10;
        try (Daemon daemon = Daemon.start(folder, "");
                LodestoneClient client = openSoon(ClientConfig.to("127.0.0.1:" + daemon.port())
                        .trustFile(daemon.certificate()).idleTimeout(Duration.ofSeconds(1)).keepAlive(Duration.ofMillis(100))
                        .reconnectTimeout(PATIENCE).requestTimeout(PATIENCE).soleWriter(true).inFlightMax(400).build())) {
            for (int node = 0; node < nodes; node++) {
                assertTrue(client.move(Move.of(node, 500, 1)).accepted());
            }
            List<CompletableFuture<MoveResult>> all = new ArrayList<>();
            for (int round = 1; round <= 60; round++) {
                if (round % 20 == 10) {
                    long before = client.status().reconnects();
                    Signals.send(daemon.pid(), "STOP");
                    all.addAll(moves(client, nodes, round));
                    Until.holds("the client notices",
                            () -> client.status().state() != ClientState.CONNECTED || client.status().reconnects() > before);
                    Signals.send(daemon.pid(), "CONT");
                } else {
                    all.addAll(moves(client, nodes, round));
                }
                if (round % 10 == 0) {
                    for (CompletableFuture<MoveResult> one : all) {
                        assertTrue(get(one).accepted(), () -> get(one).toString());
                    }
                    all.clear();
                }
            }
            assertTrue(client.status().reconnects() >= 3, client.status().toString());
            for (int node = 0; node < nodes; node++) {
                NodeState state = client.read(node);
                assertEquals(List.of(61L, 560), List.of(state.version(), state.target()), "node " + node);
            }
        }
    }

    /** The first connection is not tried again by itself, and on a busy machine it may take longer than such a client waits. */
    private static LodestoneClient openSoon(ClientConfig config) {
        AtomicReference<LodestoneClient> opened = new AtomicReference<>();
        Until.holds("a connection", () -> {
            try {
                opened.set(LodestoneClient.open(config));
            } catch (ClientException late) {
                return false;
            }
            return true;
        });
        return opened.get();
    }

    private static List<CompletableFuture<MoveResult>> moves(LodestoneClient client, int nodes, int round) {
        List<CompletableFuture<MoveResult>> sent = new ArrayList<>();
        for (int node = 0; node < nodes; node++) {
            sent.add(client.moveAsync(Move.of(node, 500 + round, 0x1_0001).withVersion(round)));
        }
        return sent;
    }
}
