package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Engine;
import dev.lodestone.SlotReader;
import dev.lodestone.Status;
import dev.lodestone.bridge.NettySession.Frame;
import io.netty.handler.codec.quic.Quic;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A client on Netty's QUIC, which is quiche underneath, against the engine: every frame of the protocol. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class NettyClientTest {
    private static final byte[] NOTHING = {};
    private static final int SLOT_BYTES = 256;
    private static final int NODES_MAX = 1_000;

    @TempDir
    private Path folder;

    private Engine engine;

    @BeforeEach
    void open() throws Exception {
        Assumptions.assumeTrue(Quic.isAvailable(), () -> "Netty has no native QUIC here: " + Quic.unavailabilityCause());
        engine = Engines.open();
        Files.writeString(folder.resolve("cert.pem"), engine.certificatePem());
    }

    @AfterEach
    void close() {
        if (engine != null) {
            engine.close();
        }
    }

    private NettySession connect() throws Exception {
        File certificate = folder.resolve("cert.pem").toFile();
        return new NettySession(engine.quicAddress(), certificate);
    }

    private NettySession greeted() throws Exception {
        NettySession session = connect();
        Frame welcome = session.greet(1);
        assertEquals(NettySession.WELCOME, welcome.type());
        assertEquals(Status.OK.number(), welcome.body().getShort(2));
        assertNotEquals(0, welcome.session());
        assertTrue(welcome.body().getInt(4) >= 128);
        assertEquals(NODES_MAX, welcome.body().getInt(16));
        return session;
    }

    @Test
    void movesLandInSlotsThatJavaReads() throws Exception {
        try (NettySession session = greeted()) {
            byte[] payload = new byte[232];
            Arrays.fill(payload, (byte) 0xa5);
            long counter = session.sendMove(NettySession.ACK_EACH, NettySession.packet(7, 8, 0x1_0203, 0, payload), false);
            Frame ack = session.answer(NettySession.ACK);
            assertEquals(counter, ack.counter());
            assertEquals(engine.revision(), ack.body().getLong(0));
            SlotReader slot = engine.slotReader();
            assertTrue(slot.read(7));
            assertEquals(8, slot.target());
            assertEquals(0x01, slot.weight());
            assertEquals(1, slot.version());

            session.send(NettySession.READ, 0, NettySession.pair(7, 0));
            Frame state = session.answer(NettySession.STATE);
            assertEquals(8 + SLOT_BYTES, state.body().capacity());
            byte[] shown = new byte[payload.length];
            state.body().get(8 + 24, shown);
            assertArrayEquals(payload, shown);
        }
    }

    @Test
    void refusedFramesAreNamedAndDecided() throws Exception {
        try (NettySession session = greeted()) {
            long spoilt = session.sendMove(0, NettySession.packet(1, 2, 1, 0, NOTHING), true);
            assertRejected(session.answer(NettySession.REJECT), spoilt, Status.BAD_DIGEST, 1);
            long outside = session.sendMove(0, NettySession.packet(1, NODES_MAX, 1, 0, NOTHING), false);
            assertRejected(session.answer(NettySession.REJECT), outside, Status.OUT_OF_BOUNDS, 1);
            long conflict = session.sendMove(0, NettySession.packet(1, 2, 1, 9, NOTHING), false);
            assertRejected(session.answer(NettySession.REJECT), conflict, Status.CONFLICT, 1);
            long none = session.send(NettySession.RELEASE, 0, NettySession.pair(1, 0));
            assertRejected(session.answer(NettySession.REJECT), none, Status.NO_SLOT, 1);
            assertEquals(0, engine.revision());
            session.sendMove(0, NettySession.packet(1, 2, 1, 0, NOTHING), false);
            session.send(NettySession.RELEASE, NettySession.ACK_EACH, NettySession.pair(1, 0));
            Frame ack = session.answer(NettySession.ACK);
            while (ack.counter() < 6) {
                ack = session.answer(NettySession.ACK);
            }
            assertEquals(engine.revision(), ack.body().getLong(0));
        }
    }

    @Test
    void routesAndRollbacksAreTold() throws Exception {
        try (NettySession session = greeted()) {
            session.sendMove(0, NettySession.packet(1, 2, 3, 0, NOTHING), false);
            long before = session.answer(NettySession.ACK).body().getLong(0);
            session.sendMove(0, NettySession.packet(2, 3, 4, 0, NOTHING), false);
            session.send(NettySession.ROUTE, 0, NettySession.pair(1, 3));
            Frame path = session.answer(NettySession.PATH);
            assertEquals(7, path.body().getLong(8));
            assertEquals(3, path.body().getInt(16));
            assertEquals(2, path.body().getInt(24 + 4));
            session.send(NettySession.READ, 0, NettySession.pair(1, 0));
            session.answer(NettySession.STATE);

            engine.rollback(before);
            Frame notice = session.answer(NettySession.REJECT);
            assertRejected(notice, -1L, Status.ROLLED_BACK, 0);
            assertEquals(before, session.answer(NettySession.ACK).body().getLong(0));
            session.send(NettySession.ROUTE, 0, NettySession.pair(1, 3));
            assertEquals(-1L, session.answer(NettySession.PATH).body().getLong(8));
        }
    }

    @Test
    void datagramsAreAnswered() throws Exception {
        try (NettySession session = greeted()) {
            byte[] packet = NettySession.packet(4, 5, 1, 0, new byte[] {1, 2, 3});
            byte[] body = session.moveBody(NettySession.ACK_EACH, 50, packet, false);
            session.sendDatagram(NettySession.MOVE, NettySession.ACK_EACH, 50, body);
            Frame ack = session.datagram();
            assertEquals(NettySession.ACK, ack.type());
            assertEquals(50, ack.counter());
            session.sendDatagram(NettySession.MOVE, NettySession.ACK_EACH, 50, body);
            assertRejected(session.datagram(), 50, Status.REPLAYED, 4);
            session.sendDatagram(NettySession.READ, 0, 51, NettySession.pair(4, 0));
            assertEquals(NettySession.STATE, session.datagram().type());
        }
    }

    @Test
    void connectionsEndWithTheStatusAsCode() throws Exception {
        try (NettySession session = connect()) {
            session.hello(9);
            assertEquals(Status.VERSION_UNSUPPORTED.number(), session.ended());
        }
        try (NettySession session = greeted()) {
            session.send(0x55, 0, new byte[8]);
            assertEquals(Status.MALFORMED.number(), session.ended());
        }
        try (NettySession session = greeted()) {
            session.send(NettySession.CLOSE, 0, new byte[] {0, 0, 0, 0});
            assertEquals(Status.OK.number(), session.ended());
        }
        try (NettySession session = greeted()) {
            engine.close();
            assertEquals(Status.SHUTTING_DOWN.number(), session.ended());
        }
    }

    private static void assertRejected(Frame found, long counter, Status status, int node) {
        assertEquals(NettySession.REJECT, found.type());
        assertEquals(counter, found.counter());
        assertEquals(status.number(), found.body().getShort(0));
        assertEquals(node, found.body().getInt(4));
    }
}
