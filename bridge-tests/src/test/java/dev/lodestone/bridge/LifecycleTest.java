package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.CertificateFiles;
import dev.lodestone.ConfigException;
import dev.lodestone.Counter;
import dev.lodestone.Engine;
import dev.lodestone.EngineClosedException;
import dev.lodestone.EngineException;
import dev.lodestone.EngineState;
import dev.lodestone.EventReader;
import dev.lodestone.Histogram;
import dev.lodestone.MoveBatch;
import dev.lodestone.RollbackException;
import dev.lodestone.RouteException;
import dev.lodestone.SlotBusyException;
import dev.lodestone.SlotReader;
import dev.lodestone.Status;
import dev.lodestone.TransportException;
import dev.lodestone.internal.NativeEngine;
import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 600, unit = TimeUnit.SECONDS)
class LifecycleTest {
    @TempDir
    private Path folder;

    @Test
    void anOpenEngineTellsWhatItIs() {
        try (Engine engine = Engine.open(Engines.small().set("runtime.shared_region", "file").build())) {
            assertEquals(EngineState.RUNNING, engine.state());
            assertNotEquals(0, engine.quicAddress().getPort());
            assertTrue(engine.quicAddress().getAddress().isLoopbackAddress());
            assertTrue(engine.certificatePem().startsWith("-----BEGIN CERTIFICATE-----"));
            assertTrue(engine.certificateFingerprint().matches("[0-9a-f]{64}"));
            assertTrue(Files.exists(engine.regionPath().orElseThrow()));
            assertEquals(0, engine.revision());
            assertEquals(0, engine.branch());
            assertEquals(engine.verifyHash(), engine.stateHash());
            assertEquals("", engine.poisonText());
            assertEquals(List.of(), engine.sessions().list());
        }
    }

    @Test
    void aMoveIsReadBack() {
        try (Engine engine = Engines.open()) {
            MoveBatch batch = engine.moveBatch(3);
            batch.add(7, 9, 0x0001_0005, 0);
            batch.putLong(0, 0x1122_3344_5566_7788L).putInt(8, 77).putByte(12, (byte) -1).putBytes(13, new byte[] {1, 2});
            batch.add(7, 7, 1, 0);
            batch.addRelease(8);
            assertEquals(1, batch.submit());
            assertEquals(List.of(Status.OK, Status.OUT_OF_BOUNDS, Status.NO_SLOT),
                    List.of(batch.status(0), batch.status(1), batch.status(2)));
            assertEquals(1, batch.accepted());
            assertEquals(2, batch.rejected());
            assertEquals(1, batch.revision(0));
            SlotReader slot = engine.slotReader();
            assertTrue(slot.read(7));
            assertEquals(List.of(7, 9, 0x0001_0005, 5, 1, 15),
                    List.of(slot.source(), slot.target(), slot.edgeMask(), slot.weight(), slot.state(), slot.payloadLength()));
            assertEquals(1, slot.version());
            assertEquals(1, slot.version(7));
            assertEquals(0x1122_3344_5566_7788L, slot.payloadLong(0));
            assertEquals(77, slot.payloadInt(8));
            assertEquals(-1, slot.payloadByte(12));
            assertEquals(2, slot.payloadByte(14));
            assertEquals(0, slot.payloadByte(15));
            assertEquals(232, slot.payload().byteSize());
            assertTrue(slot.payload().isReadOnly());
            assertFalse(slot.read(8));
            assertEquals(0, slot.version());
            assertThrows(IndexOutOfBoundsException.class, () -> slot.read(1_000));
            assertThrows(IndexOutOfBoundsException.class, () -> slot.read(-1));
            assertThrows(IndexOutOfBoundsException.class, () -> slot.payloadLong(225));
            assertEquals(1, engine.metrics().counter(Counter.MOVES_ACCEPTED));
            assertEquals(2, engine.metrics().counter(Counter.MOVES_REJECTED));
            assertTrue(engine.metrics().histogram(Histogram.ENGINE).count() >= 1);
            assertTrue(engine.metrics().rssBytes() > 1 << 20);
        }
    }

    @Test
    void batchesRefuseMisuse() {
        try (Engine engine = Engines.open()) {
            assertThrows(IllegalArgumentException.class, () -> engine.moveBatch(0));
            assertThrows(IllegalArgumentException.class, () -> engine.moveBatch(129));
            MoveBatch batch = engine.moveBatch(1);
            assertEquals(0, batch.submit());
            assertThrows(IllegalStateException.class, () -> batch.putInt(0, 1));
            batch.add(1, 2, 3, 0);
            assertThrows(IllegalStateException.class, () -> batch.add(1, 2, 3, 0));
            assertThrows(IllegalStateException.class, () -> batch.status(0));
            assertThrows(IndexOutOfBoundsException.class, () -> batch.putInt(229, 1));
            assertThrows(IndexOutOfBoundsException.class, () -> batch.status(1));
            batch.submit();
            assertThrows(IllegalStateException.class, () -> batch.addRelease(1));
            assertThrows(IllegalStateException.class, () -> batch.putInt(0, 1));
            batch.clear();
            batch.addRelease(1);
            assertThrows(IllegalStateException.class, () -> batch.putInt(0, 1));
            batch.submit();
            assertEquals(Status.OK, batch.status(0));
        }
    }

    @Test
    void refusalsAreExceptionsWithTheirStatus() throws IOException {
        Path garbage = Files.writeString(folder.resolve("garbage.lsg"), "no graph");
        try (Engine engine = Engines.open()) {
            assertEquals(Status.OUT_OF_WINDOW,
                    assertThrows(RollbackException.class, () -> engine.rollback(99)).status());
            assertThrows(RollbackException.class, () -> engine.stateHash(99));
            assertThrows(RollbackException.class, () -> engine.stateHash(-1));
            assertThrows(IllegalArgumentException.class, () -> engine.revisionBefore(Duration.ofMillis(-1)));
            assertEquals(Status.OUT_OF_BOUNDS,
                    assertThrows(RouteException.class, () -> engine.graph().route(0, 1_000)).status());
            assertFalse(engine.graph().route(0, 1).found());
            assertEquals(Status.MAP_FILE,
                    assertThrows(EngineException.class, () -> engine.graph().load(garbage)).status());
            EngineException absent =
                    assertThrows(EngineException.class, () -> engine.graph().load(folder.resolve("absent.lsg")));
            assertTrue(absent.getMessage().contains("absent.lsg"), absent.getMessage());
            assertThrows(IllegalArgumentException.class, () -> engine.graph().put(1, 2));
            assertThrows(EngineException.class, () -> engine.graph().put(1, 2_000, 3));
            assertFalse(engine.sessions().close(12345));
            assertEquals(EngineState.RUNNING, engine.state());
        }
    }

    @Test
    void theDataPlaneChecksTheConfigurationToo() {
        List<String> lines =
                List.of("arena.capacity=0", "nonsense", "arena.size=5", "transport.listen=nowhere", "graph.nodes_max=x");
        for (String line : lines) {
            ConfigException refusal = assertThrows(ConfigException.class, () -> NativeEngine.open(line + "\n", true), line);
            assertEquals(Status.CONFIG, refusal.status());
            assertTrue(refusal.getMessage().contains(line.split("=", 2)[0]), refusal.getMessage());
        }
    }

    @Test
    void anAddressInUseIsATransportException() throws IOException {
        try (DatagramSocket taken = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
            TransportException refusal = assertThrows(TransportException.class,
                    () -> Engine.open(Engines.small().listen("127.0.0.1:" + taken.getLocalPort()).build()));
            assertEquals(Status.BIND, refusal.status());
            assertTrue(refusal.getMessage().contains(Integer.toString(taken.getLocalPort())), refusal.getMessage());
        }
        Engines.open().close();
    }

    @Test
    void badCertificateFilesAreTransportExceptions() throws IOException {
        Path garbage = Files.writeString(folder.resolve("garbage.pem"), "no certificate");
        TransportException refusal = assertThrows(TransportException.class,
                () -> Engine.open(Engines.small().certificate(new CertificateFiles(garbage, garbage)).build()));
        assertEquals(Status.CERTIFICATE, refusal.status());
        assertTrue(refusal.getMessage().contains("garbage.pem"), refusal.getMessage());
        Path certificate;
        try (Engine engine = Engines.open()) {
            certificate = Files.writeString(folder.resolve("certificate.pem"), engine.certificatePem());
        }
        TransportException noKey = assertThrows(TransportException.class,
                () -> Engine.open(Engines.small().certificate(new CertificateFiles(certificate, garbage)).build()));
        assertEquals(Status.CERTIFICATE, noKey.status());
    }

    @Test
    void severalEnginesLiveSideBySide() {
        try (Engine one = Engines.open(); Engine other = Engines.open()) {
            Engines.move(one, 1, 2, 3);
            assertEquals(1, one.revision());
            assertEquals(0, other.revision());
            assertFalse(other.slotReader().read(1));
        }
    }

    @Test
    void everyCallAfterTheCloseIsRefused() {
        Engine engine = Engines.open();
        SlotReader slot = engine.slotReader();
        EventReader events = engine.events();
        MoveBatch batch = engine.moveBatch(2);
        batch.add(1, 2, 3, 0);
        batch.submit();
        assertTrue(slot.read(1));
        engine.close();
        engine.close();
        assertEquals(EngineState.CLOSED, engine.state());
        assertTrue(engine.certificatePem().contains("CERTIFICATE"));
        assertEquals(2, slot.target());
        List<Executable> calls = List.of(
                engine::revision, engine::branch, engine::commit, engine::stateHash, () -> engine.stateHash(0),
                engine::verifyHash, () -> engine.rollback(0), () -> engine.rollback(Duration.ZERO),
                () -> engine.revisionBefore(Duration.ZERO), engine::slotReader, engine::events, () -> engine.moveBatch(1),
                () -> engine.graph().load(Path.of("x")), () -> engine.graph().put(1, 2, 3), () -> engine.graph().route(1, 2),
                () -> engine.sessions().list(), () -> engine.sessions().close(1), () -> engine.sessions().revoke(1),
                () -> engine.metrics().counter(Counter.BATCHES), () -> engine.metrics().histogram(Histogram.QUEUE),
                () -> slot.read(1), () -> slot.version(1), () -> events.poll((type, session, position, body) -> {}, 1),
                batch::submit);
        for (int index = 0; index < calls.size(); index++) {
            assertEquals(Status.CLOSED,
                    assertThrows(EngineClosedException.class, calls.get(index), "call " + index).status());
        }
    }

    @Test
    void aCloseWithReadersAndWritersAtWorkEndsThemAll() throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool();
        try {
            for (int round = 0; round < 5; round++) {
                Engine engine = Engines.open();
                CountDownLatch working = new CountDownLatch(6);
                List<Future<Long>> all = new ArrayList<>();
                for (int reader = 0; reader < 3; reader++) {
                    SlotReader slot = engine.slotReader();
                    all.add(threads.submit(untilClosed(working, step -> slot.read((int) (step % 100)))));
                }
                EventReader events = engine.events();
                all.add(threads.submit(untilClosed(working, step -> events.poll((type, session, position, body) -> {}, 10))));
                all.add(threads.submit(untilClosed(working, step -> engine.commit())));
                MoveBatch batch = engine.moveBatch(128);
                all.add(threads.submit(untilClosed(working, step -> {
                    batch.clear();
                    for (int index = 0; index < 100; index++) {
                        batch.add(index, index + 1, (int) step, 0);
                    }
                    batch.submit();
                })));
                assertTrue(working.await(Until.LONG.toSeconds(), TimeUnit.SECONDS));
                engine.close();
                for (Future<Long> one : all) {
                    assertTrue(one.get(Until.LONG.toSeconds(), TimeUnit.SECONDS) >= 100);
                }
            }
        } finally {
            threads.shutdownNow();
        }
    }

    /** A step of a loop that only a closed engine ends. */
    private interface Step {
        void run(long step);
    }

    private static Callable<Long> untilClosed(CountDownLatch working, Step body) {
        return () -> {
            long step = 0;
            try {
                while (true) {
                    try {
                        body.run(step++);
                    } catch (SlotBusyException engineStandsStill) {
                        // In the middle of a move, on a busy machine; a close ends that as well.
                        step--;
                    }
                    if (step == 100) {
                        working.countDown();
                    }
                }
            } catch (EngineClosedException closed) {
                return step;
            } catch (EngineException ending) {
                assertEquals(Status.SHUTTING_DOWN, ending.status());
                return step;
            }
        };
    }

    @Test
    void manyThreadsMayCallAtOnce() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try (Engine engine = Engines.open()) {
            List<Future<Integer>> all = new ArrayList<>();
            for (int thread = 0; thread < 8; thread++) {
                int first = thread * 20;
                all.add(threads.submit(() -> {
                    int accepted = 0;
                    MoveBatch batch = engine.moveBatch(20);
                    for (int round = 1; round <= 50; round++) {
                        batch.clear();
                        for (int node = first; node < first + 20; node++) {
                            batch.add(node, node + 500, round, round - 1);
                        }
                        batch.submit();
                        accepted += batch.accepted();
                        engine.graph().route(first, first + 500);
                        engine.sessions().list();
                        engine.stateHash();
                    }
                    return accepted;
                }));
            }
            for (Future<Integer> one : all) {
                assertEquals(1_000, one.get());
            }
            assertEquals(engine.verifyHash(), engine.stateHash());
            assertEquals(8_000, engine.commit().movesAccepted());
            assertEquals(160, engine.commit().edges());
            SlotReader slot = engine.slotReader();
            for (int node = 0; node < 160; node++) {
                assertEquals(50, slot.version(node));
            }
        } finally {
            threads.shutdownNow();
        }
    }
}
