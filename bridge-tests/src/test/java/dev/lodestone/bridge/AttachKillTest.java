package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.AttachMode;
import dev.lodestone.AttachedEngine;
import dev.lodestone.Commands;
import dev.lodestone.Counter;
import dev.lodestone.Engine;
import dev.lodestone.EngineException;
import dev.lodestone.EngineState;
import dev.lodestone.SlotBusyException;
import dev.lodestone.SlotReader;
import dev.lodestone.Status;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * JVMs that produce commands over attach, read, or are stopped, and engines under them, are killed at any instruction: nothing
 * that was committed is lost while the engine lives, nothing is torn, the rest goes on.
 */
class AttachKillTest {
    private static final int KILL_ROUNDS = Integer.getInteger("lodestone.kill.rounds", 4);
    private static final Duration LONG = Until.LONG;
    private static final long STOPPED_SECONDS = 6;
    /** Moves of one batch: as many may be committed and not yet told of. */
    private static final int BATCH_MAX = 3;
    private static final int LANE_NODE = 10;
    private static final int RING_NODE = 20;
    private static final int HELD_NODE = 30;
    private static final int DONE_NODE = 40;

    @TempDir
    private Path folder;

    private Engine open() {
        return Engine.open(Engines.small().set("runtime.shared_region", "file").set("bridge.lanes", 1).set("bridge.ring_kib", 16)
                .set("bridge.lane_kib", 16).set("runtime.shared_region_directory", "\"" + folder + "\"").build());
    }

    private static void until(Engine engine, Counter counter, long value, String where) throws InterruptedException {
        long begun = System.nanoTime();
        while (engine.metrics().counter(counter) < value) {
            assertTrue(System.nanoTime() - begun < LONG.toNanos(), where + ": stands still before " + counter + " " + value);
            Thread.sleep(1);
        }
    }

    /** All that the dead producer committed is there, once and whole. */
    private static void nothingIsLost(Engine engine, Producing dead, String where) throws InterruptedException {
        SlotReader slot = engine.slotReader();
        long begun = System.nanoTime();
        while (slot.version(dead.node()) < dead.committed()) {
            assertTrue(System.nanoTime() - begun < LONG.toNanos(), where + ": committed " + dead.committed() + ", there "
                    + slot.version(dead.node()));
            Thread.sleep(1);
        }
        // Then what may have been committed without being told of: the ring is empty of it when the next one begins.
        try (Commands last = engine.commands()) {
            Until.holds(where + ": room", () -> last.tryMove(DONE_NODE, 41, 0x1_0001, 0) != Commands.FULL);
            assertTrue(last.awaitDecided(1, LONG), where);
        }
        slot.read(dead.node());
        long version = slot.version(dead.node());
        assertTrue(version <= dead.committed() + BATCH_MAX, where + ": version " + version + ", committed " + dead.committed());
        whole(slot, where);
        assertEquals(0, engine.metrics().counter(Counter.MOVES_REJECTED), where + ": one is missing or came twice");
        assertEquals(0, engine.metrics().counter(Counter.COMMANDS_GARBAGE), where);
    }

    private static void whole(SlotReader slot, String where) {
        if (slot.payloadLength() > 0) {
            for (int offset = 0; offset < AttachedProducer.PAYLOAD_BYTES; offset += Long.BYTES) {
                assertEquals(slot.version(), slot.payloadLong(offset), where + ": torn");
            }
        }
    }

    /** Whether the slot was read: where the engine is kept from the processor in the middle of a move, it is not. */
    private static boolean isRead(SlotReader slot, int node) {
        try {
            return slot.read(node);
        } catch (SlotBusyException engineStandsStill) {
            return false;
        }
    }

    @Test
    @Timeout(value = 7_200, unit = TimeUnit.SECONDS)
    void killedJvmsLoseTearAndStopNothing() throws Exception {
        long seed = Long.getLong("lodestone.seed", System.nanoTime());
        Random random = new Random(seed);
        long repaired = 0;
        try (Engine engine = open()) {
            Producing lane = Producing.start(folder, "lane", LANE_NODE, folder);
            Producing ring = Producing.start(folder, "ring", RING_NODE, folder);
            try {
                lane.says("ready");
                ring.says("ready");
                for (int round = 0; round < KILL_ROUNDS; round++) {
                    String where = "-Dlodestone.seed=" + seed + ", round " + round;
                    long died = engine.metrics().counter(Counter.PRODUCERS_DIED);
                    // Each is chosen in turn, so that few rounds show all.
                    switch (round % 4) {
                        case 0 -> ring = killed(engine, ring, "ring", random, where);
                        case 1 -> heldIsKilled(engine, where);
                        case 2 -> lane = killed(engine, lane, "lane", random, where);
                        default -> readerIsKilled(engine, random, where);
                    }
                    assertEquals(died + (round % 4 == 3 ? 0 : 1), engine.metrics().counter(Counter.PRODUCERS_DIED), where);
                    bothGoOn(lane, ring, where);
                }
                repaired = engine.metrics().counter(Counter.CLAIMS_REPAIRED);
            } finally {
                lane.close();
                ring.close();
            }
            until(engine, Counter.PRODUCERS_DIED, KILL_ROUNDS / 4 * 3 + Math.min(KILL_ROUNDS % 4, 3) + 2, "the last two");
            assertEquals(engine.verifyHash(), engine.stateHash());
        }
        System.out.println(KILL_ROUNDS + " kills, " + repaired + " claims repaired, seed " + seed);
    }

    private Producing killed(Engine engine, Producing victim, String role, Random random, String where) throws Exception {
        long died = engine.metrics().counter(Counter.PRODUCERS_DIED);
        LockSupport.parkNanos(random.nextLong(TimeUnit.MILLISECONDS.toNanos(2)));
        victim.kill();
        until(engine, Counter.PRODUCERS_DIED, died + 1, where);
        nothingIsLost(engine, victim, where);
        // The new one begins at the version that it finds.
        return Producing.start(folder, role, victim.node(), folder).says("ready");
    }

    private void heldIsKilled(Engine engine, String where) throws Exception {
        long repaired = engine.metrics().counter(Counter.CLAIMS_REPAIRED);
        long died = engine.metrics().counter(Counter.PRODUCERS_DIED);
        SlotReader slot = engine.slotReader();
        slot.read(HELD_NODE);
        long before = slot.version(HELD_NODE);
        try (Producing held = Producing.start(folder, "hold", HELD_NODE, folder)) {
            held.says("held").kill();
        }
        until(engine, Counter.CLAIMS_REPAIRED, repaired + 1, where);
        until(engine, Counter.PRODUCERS_DIED, died + 1, where);
        slot.read(HELD_NODE);
        assertEquals(before, slot.version(HELD_NODE), where + ": what was not committed is there");
    }

    private void readerIsKilled(Engine engine, Random random, String where) {
        try (Reader reader = Reader.start(folder)) {
            assertTrue(reader.greeting().startsWith("attached " + engine.instance()), where + ": " + reader.greeting());
            LockSupport.parkNanos(random.nextLong(TimeUnit.MILLISECONDS.toNanos(2)));
            reader.signal("KILL");
        }
    }

    private static void bothGoOn(Producing lane, Producing ring, String where) throws InterruptedException {
        for (Producing one : new Producing[] {lane, ring}) {
            acknowledgedBeyond(one, one.acknowledged(), where);
        }
    }

    private static long acknowledgedBeyond(Producing one, long version, String where) throws InterruptedException {
        long begun = System.nanoTime();
        long acknowledged = one.acknowledged();
        while (acknowledged <= version) {
            assertTrue(System.nanoTime() - begun < LONG.toNanos(), where + ": stands still at " + version);
            Thread.sleep(1);
            acknowledged = one.acknowledged();
        }
        return acknowledged;
    }

    @Test
    @Timeout(value = 7_200, unit = TimeUnit.SECONDS)
    void anEngineKilledUnderProducersIsReportedAndItsSuccessorFound() throws Exception {
        long seed = Long.getLong("lodestone.seed", System.nanoTime());
        Random random = new Random(seed);
        Path regions = folder.resolve("regions");
        Producing producer = null;
        try {
            for (int round = 0; round < KILL_ROUNDS; round++) {
                String where = "-Dlodestone.seed=" + seed + ", round " + round;
                try (Daemon daemon = Daemon.start(folder, "");
                        AttachedEngine attached = Engine.attach(regions, AttachMode.READ_ONLY)) {
                    if (producer == null) {
                        producer = Producing.start(regions, round % 2 == 0 ? "lane" : "ring", LANE_NODE, folder);
                    } else {
                        producer.goOn();
                    }
                    producer.says("ready " + attached.instance());
                    LockSupport.parkNanos(random.nextLong(TimeUnit.MILLISECONDS.toNanos(3)));
                    daemon.kill();
                    producer.says("gone");
                    assertEquals(EngineState.GONE, attached.state(), where);
                    whatWasAcknowledgedIsThere(attached, producer, where);
                }
            }
        } finally {
            if (producer != null) {
                producer.close();
            }
        }
    }

    /** In what the dead engine left, unless it died in the middle of changing that very slot. */
    private static void whatWasAcknowledgedIsThere(AttachedEngine attached, Producing producer, String where) {
        SlotReader slot = attached.slotReader();
        try {
            slot.read(producer.node());
            assertTrue(slot.version(producer.node()) >= producer.acknowledged(), where);
            whole(slot, where);
        } catch (EngineException died) {
            assertEquals(Status.GONE, died.status(), where);
        }
    }

    @Test
    @Timeout(600)
    void aJvmStoppedInAClaimIsWaitedForAndGoesOn() throws Exception {
        try (Engine engine = open(); Commands lane = engine.commands(); Commands ring = engine.commands();
                Producing held = Producing.start(folder, "hold", HELD_NODE, folder)) {
            assertTrue(lane.hasLane() && !ring.hasLane());
            held.says("held").signal("STOP");
            while (ring.tryMove(1, 2, 0x1_0001, 0) != Commands.FULL) {
                assertFalse(ring.decided() > 0);
            }
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(STOPPED_SECONDS);
            while (System.nanoTime() < end) {
                // Whoever does not stand behind the claim is not held up.
                assertTrue(lane.tryMove(3, 4, 0x1_0001, 0) > 0);
                assertTrue(lane.awaitDecided(lane.sent(), LONG));
                assertEquals(0, ring.decided());
            }
            assertEquals(0, engine.metrics().counter(Counter.CLAIMS_REPAIRED));
            assertEquals(0, engine.metrics().counter(Counter.PRODUCERS_DIED));
            held.signal("CONT");
            held.goOn();
            held.says("ready");
            assertTrue(ring.awaitDecided(ring.sent(), LONG));
            assertEquals(0, ring.rejected());
            // It goes on meanwhile, so what is known to be decided is read before the slot is.
            long acknowledged = acknowledgedBeyond(held, 1, "held");
            SlotReader slot = engine.slotReader();
            Until.holds("the engine leaves the slot alone for a moment", () -> isRead(slot, HELD_NODE));
            assertTrue(slot.version() >= acknowledged, "version " + slot.version() + ", acknowledged " + acknowledged);
            whole(slot, "held");
        }
    }
}
