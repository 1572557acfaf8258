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
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * JVMs that produce commands over attach, read, or are stopped, and engines under them, are killed at any instruction: nothing
 * that was committed is lost while the engine lives, nothing is torn, the rest goes on. {@link Kills} has what was found.
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

    private static boolean comes(BooleanSupplier what) throws InterruptedException {
        long begun = System.nanoTime();
        while (!what.getAsBoolean()) {
            if (System.nanoTime() - begun > LONG.toNanos()) {
                return false;
            }
            Thread.sleep(1);
        }
        return true;
    }

    /** Compares what is there with what the dead producer had committed. */
    private static void compare(Engine engine, Producing dead, Kills kills, String where) throws InterruptedException {
        SlotReader slot = engine.slotReader();
        long committed = dead.committed();
        if (!comes(() -> slot.version(dead.node()) >= committed)) {
            kills.stalled(where + ": committed " + committed);
        }
        // Then what may have been committed without being told of: the ring is empty of it when the next one begins.
        if (!decides(engine)) {
            kills.stalled(where + ": others");
        }
        slot.read(dead.node());
        long version = slot.version(dead.node());
        kills.came(version - dead.begun());
        kills.lost(committed - version, where + ": version " + version);
        kills.doubled(version - committed - BATCH_MAX, where + ": version " + version);
        kills.torn(whole(slot) ? 0 : 1, where);
    }

    /** Whether commands of one that lives are taken. */
    private static boolean decides(Engine engine) throws InterruptedException {
        try (Commands last = engine.commands()) {
            return comes(() -> last.tryMove(DONE_NODE, 41, 0x1_0001, 0) != Commands.FULL) && last.awaitDecided(1, LONG);
        }
    }

    private static boolean whole(SlotReader slot) {
        boolean whole = true;
        for (int offset = 0; offset < AttachedProducer.PAYLOAD_BYTES && slot.payloadLength() > 0; offset += Long.BYTES) {
            whole &= slot.version() == slot.payloadLong(offset);
        }
        return whole;
    }

    /** What the engine counts and no comparison of one node shows: a record that is missing refuses the next one. */
    private static final class Counted {
        private final Engine engine;
        private final long refused;
        private final long garbage;
        private final long repaired;

        Counted(Engine engine) {
            this.engine = engine;
            this.refused = engine.metrics().counter(Counter.MOVES_REJECTED);
            this.garbage = engine.metrics().counter(Counter.COMMANDS_GARBAGE);
            this.repaired = engine.metrics().counter(Counter.CLAIMS_REPAIRED);
        }

        long repaired() {
            return engine.metrics().counter(Counter.CLAIMS_REPAIRED) - repaired;
        }

        void into(Kills kills, String where) {
            kills.lost(engine.metrics().counter(Counter.MOVES_REJECTED) - refused, where + ": refused");
            kills.torn(engine.metrics().counter(Counter.COMMANDS_GARBAGE) - garbage, where + ": garbage");
            kills.repaired(repaired());
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
        Kills[] kills = {new Kills("JVM in the ring"), new Kills("JVM in a lane"), new Kills("JVM that reads")};
        Producing[] all = new Producing[2];
        try (Engine engine = open()) {
            try {
                all[0] = Producing.start(folder, "ring", RING_NODE, folder).says("ready");
                all[1] = Producing.start(folder, "lane", LANE_NODE, folder).says("ready");
                for (int round = 0; round < KILL_ROUNDS && areHarmless(kills); round++) {
                    String where = "-Dlodestone.seed=" + seed + ", round " + round;
                    // Each is chosen in turn, so that few rounds show all.
                    int victim = round % kills.length;
                    Counted before = new Counted(engine);
                    if (victim < all.length) {
                        all[victim] = killed(engine, all[victim], random, kills[victim], where);
                    } else {
                        readerIsKilled(engine, random, where);
                    }
                    kills[victim].killed();
                    before.into(kills[victim], where);
                    if (!acknowledgesMore(all[0]) || !acknowledgesMore(all[1])) {
                        kills[victim].stalled(where + ": those that live");
                    }
                }
            } finally {
                for (Producing one : all) {
                    if (one != null) {
                        one.close();
                    }
                }
                Kills.judge(kills);
            }
            // What the last two had committed may still be on its way, so the one hash can be that of an earlier revision.
            Until.holds("the hash of the whole state is the one kept", () -> engine.verifyHash().equals(engine.stateHash()));
        }
    }

    private static boolean areHarmless(Kills... kills) {
        return Arrays.stream(kills).allMatch(Kills::areHarmless);
    }

    private Producing killed(Engine engine, Producing victim, Random random, Kills kills, String where) throws Exception {
        long died = engine.metrics().counter(Counter.PRODUCERS_DIED);
        LockSupport.parkNanos(random.nextLong(TimeUnit.MILLISECONDS.toNanos(2)));
        victim.kill();
        if (!comes(() -> engine.metrics().counter(Counter.PRODUCERS_DIED) == died + 1)) {
            kills.stalled(where + ": not found dead");
        }
        compare(engine, victim, kills, where);
        // The new one begins at the version that it finds.
        String role = victim.node() == LANE_NODE ? "lane" : "ring";
        return Producing.start(folder, role, victim.node(), folder).says("ready");
    }

    private void readerIsKilled(Engine engine, Random random, String where) {
        try (Reader reader = Reader.start(folder)) {
            assertTrue(reader.greeting().startsWith("attached " + engine.instance()), where + ": " + reader.greeting());
            LockSupport.parkNanos(random.nextLong(TimeUnit.MILLISECONDS.toNanos(2)));
            reader.signal("KILL");
        }
    }

    private static boolean acknowledgesMore(Producing one) throws InterruptedException {
        long version = one.acknowledged();
        return comes(() -> one.acknowledged() > version);
    }

    /** At each of its steps, while another one has cells behind it and the engine sleeps or not. */
    @Test
    @Timeout(value = 7_200, unit = TimeUnit.SECONDS)
    void aJvmKilledAtAnyStepOfAClaimLosesTearsAndStopsNothing() throws Exception {
        Stopped.Place[] places = Stopped.Place.values();
        Kills[] kills = Arrays.stream(places).map(place -> new Kills("JVM stopped at " + place)).toArray(Kills[]::new);
        try (Engine engine = open(); Commands lane = engine.commands(); Commands other = engine.commands()) {
            assertTrue(lane.hasLane() && !other.hasLane());
            try {
                for (int round = 0; round < Math.max(places.length, KILL_ROUNDS / 4) && areHarmless(kills); round++) {
                    int place = round % places.length;
                    stoppedIsKilled(engine, other, places[place], kills[place], "round " + round + " " + places[place]);
                }
            } finally {
                Kills.judge(kills);
            }
            assertEquals(engine.verifyHash(), engine.stateHash());
        }
    }

    private void stoppedIsKilled(Engine engine, Commands other, Stopped.Place place, Kills kills, String where) throws Exception {
        Counted before = new Counted(engine);
        long died = engine.metrics().counter(Counter.PRODUCERS_DIED);
        SlotReader slot = engine.slotReader();
        slot.read(HELD_NODE);
        long expected = slot.version(HELD_NODE) + (place.isCommitted() ? Stopped.BATCH : 0);
        try (Stopped stopped = Stopped.start(folder, HELD_NODE, folder, place)) {
            // Nobody else sends before these came: also of an engine that sleeps and was not woken.
            if (!comes(() -> slot.version(HELD_NODE) >= expected)) {
                kills.stalled(where + ": committed, and nobody rang");
            }
            assertTrue(other.tryMove(DONE_NODE, 41, 0x1_0001, 0) > 0, where);
            assertEquals(0, before.repaired(), where + ": it lives");
            stopped.kill();
        }
        kills.killed();
        if (!comes(() -> engine.metrics().counter(Counter.PRODUCERS_DIED) == died + 1)
                || !other.awaitDecided(other.sent(), LONG)) {
            kills.stalled(where);
        }
        slot.read(HELD_NODE);
        long version = slot.version(HELD_NODE);
        kills.came(place.isCommitted() ? Stopped.BATCH : 0);
        kills.lost(expected - version, where + ": version " + version);
        kills.doubled(version - expected, where + ": version " + version);
        kills.torn(whole(slot) ? 0 : 1, where);
        assertEquals(place.holdsCells() ? 1 : 0, before.repaired(), where);
        before.into(kills, where);
    }

    @Test
    @Timeout(value = 7_200, unit = TimeUnit.SECONDS)
    void anEngineKilledUnderProducersIsReportedAndItsSuccessorFound() throws Exception {
        long seed = Long.getLong("lodestone.seed", System.nanoTime());
        Random random = new Random(seed);
        Path regions = folder.resolve("regions");
        Kills kills = new Kills("engine under a JVM that produces");
        Producing producer = null;
        try {
            for (int round = 0; round < KILL_ROUNDS && kills.areHarmless(); round++) {
                String where = "-Dlodestone.seed=" + seed + ", round " + round;
                try (Daemon daemon = Daemon.start(folder, "");
                        AttachedEngine attached = Engine.attach(regions, AttachMode.READ_ONLY)) {
                    if (producer == null) {
                        producer = Producing.start(regions, "lane", LANE_NODE, folder);
                    } else {
                        producer.goOn();
                    }
                    producer.says("ready " + attached.instance());
                    LockSupport.parkNanos(random.nextLong(TimeUnit.MILLISECONDS.toNanos(3)));
                    daemon.kill();
                    kills.killed();
                    String said = producer.line();
                    if (!said.equals("gone") || attached.state() != EngineState.GONE) {
                        kills.stalled(where + ": it says " + said);
                    }
                    compareLeft(attached, producer, kills, where);
                }
            }
        } finally {
            if (producer != null) {
                producer.close();
            }
            Kills.judge(kills);
        }
    }

    /** What was acknowledged is in what the dead engine left, unless it died in the middle of changing that very slot. */
    private static void compareLeft(AttachedEngine attached, Producing producer, Kills kills, String where) {
        SlotReader slot = attached.slotReader();
        try {
            slot.read(producer.node());
            long version = slot.version(producer.node());
            kills.came(version);
            kills.lost(producer.acknowledged() - version, where + ": version " + version);
            kills.torn(whole(slot) ? 0 : 1, where);
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
            assertTrue(comes(() -> held.acknowledged() > 1));
            long acknowledged = held.acknowledged();
            SlotReader slot = engine.slotReader();
            Until.holds("the engine leaves the slot alone for a moment", () -> isRead(slot, HELD_NODE));
            assertTrue(slot.version() >= acknowledged, "version " + slot.version() + ", acknowledged " + acknowledged);
            assertTrue(whole(slot));
        }
    }
}
