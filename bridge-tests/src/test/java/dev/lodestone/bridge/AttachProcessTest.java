package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.AttachMode;
import dev.lodestone.AttachedEngine;
import dev.lodestone.Engine;
import dev.lodestone.EngineClosedException;
import dev.lodestone.EngineException;
import dev.lodestone.EngineGoneException;
import dev.lodestone.EngineState;
import dev.lodestone.EventReader;
import dev.lodestone.MoveBatch;
import dev.lodestone.SlotReader;
import dev.lodestone.Status;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Attaching across processes, with the real program: kills, restarts, stops. */
class AttachProcessTest {
    private static final int KILL_ROUNDS = Integer.getInteger("lodestone.kill.rounds", 5);
    private static final Duration LONG = Until.LONG;
    private static final long STOPPED_SECONDS = 6;
    private static final int RING_EVENTS = 16_384;

    @TempDir
    private Path folder;

    private Path regions() {
        return folder.resolve("regions");
    }

    @Test
    @Timeout(600)
    void twoJvmsReadOneEngineOfThisProcess() {
        try (Engine engine = Engine.open(Engines.small().set("runtime.shared_region", "file")
                .set("runtime.shared_region_directory", "\"" + folder + "\"").build());
                Reader one = Reader.start(folder);
                Reader two = Reader.start(engine.regionPath().orElseThrow())) {
            assertEquals("attached " + engine.instance() + " 0", one.greeting());
            assertEquals(one.greeting(), two.greeting());
            MoveBatch batch = engine.moveBatch(8);
            for (int move = 0; move < 20_000; move++) {
                batch.clear();
                batch.add(move % 8, 9, 0x1_0001, 0);
                for (int offset = 0; offset < SlotReader.PAYLOAD_BYTES_MAX; offset += Long.BYTES) {
                    batch.putLong(offset, move);
                }
                batch.submit();
            }
            AttachTest.rollBack(engine, 100);
            for (Reader reader : List.of(one, two)) {
                String line = reader.stop();
                assertTrue(line.startsWith("stopped state=RUNNING "), line);
                assertTrue(line.contains(" torn=0 counted=true reads=true "), line);
            }
        }
    }

    @Test
    @Timeout(600)
    void aJvmThatDeniesNativeAccessSaysSo() throws Exception {
        try (Engine engine = Engine.open(Engines.small().set("runtime.shared_region", "file")
                .set("runtime.shared_region_directory", "\"" + folder + "\"").build())) {
            List<String> command = Reader.command(engine.regionPath().orElseThrow());
            Child.End end = Child.run(command.subList(1, command.size()));
            assertTrue(end.out().startsWith("refused LIBRARY this JVM denies native access to Lodestone"), end.out() + end.err());
            assertTrue(end.out().contains("start java with --enable-native-access=ALL-UNNAMED"), end.out());
        }
    }

    @Test
    @Timeout(600)
    void theStandAloneEngineIsReadAndSaysGoodbye() throws Exception {
        try (Daemon daemon = Daemon.start(folder, "");
                Reader reader = Reader.start(regions());
                AttachedEngine attached = Engine.attach(daemon.region(), AttachMode.READ_ONLY);
                Probe probe = Probe.open(daemon, folder)) {
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(daemon.region())));
            assertEquals(daemon.pid(), attached.pid());
            assertEquals(Status.OK, probe.decide("move 1 2 0x10007"));
            SlotReader slot = attached.slotReader();
            assertTrue(slot.read(1));
            assertEquals(2, slot.target());
            assertEquals(1, attached.commit().movesAccepted());
            assertEquals(0, daemon.end(), daemon.problems());
            assertFalse(daemon.problems().lines().anyMatch(line -> !line.matches("20\\S+Z (INFO|DEBUG) .*")), daemon.problems());
            assertTrue(attached.awaitEnd(LONG));
            assertEquals(EngineState.CLOSED, attached.state());
            assertThrows(EngineClosedException.class, () -> slot.read(1));
            String line = reader.end();
            assertTrue(line.contains("state=CLOSED"), line);
            assertEquals(Status.SHUTTING_DOWN, probe.await("close").status());
            assertFalse(Files.exists(daemon.region()));
        }
    }

    @Test
    @Timeout(600)
    void aFailedEngineStaysReadableUntilItsProcessEnds() throws Exception {
        try (Daemon daemon = Daemon.start(folder, "panic_at_revision: 2");
                AttachedEngine attached = Engine.attach(regions());
                Probe probe = Probe.open(daemon, folder)) {
            assertEquals(Status.OK, probe.decide("move 1 2 0x10007"));
            probe.frames(0, List.of("move 2 3 0x10007"));
            Until.holds("the failure", () -> attached.state() == EngineState.POISONED);
            assertFalse(attached.poisonText().isEmpty());
            assertTrue(attached.isAlive());
            SlotReader slot = attached.slotReader();
            assertTrue(slot.read(1));
            assertEquals(1, attached.revision());
            assertEquals(1, daemon.end());
            assertTrue(daemon.problems().contains(attached.poisonText()) || daemon.problems().contains("had failed"),
                    daemon.problems());
        }
    }

    /** Kills the engine in mid-move, reads what it left, starts the next one, and tells the two apart. */
    @Test
    @Timeout(7_200)
    void aKilledEngineIsReportedAndItsSuccessorIsAnotherOne() throws Exception {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        Kills kills = new Kills("engine under clients and readers");
        AttachedEngine former = null;
        long kept = 0;
        for (int round = 0; round < KILL_ROUNDS && kills.areHarmless(); round++) {
            String where = "seed " + seed + ", round " + round;
            try (Daemon daemon = Daemon.start(folder, "");
                    Reader reader = round % 50 == 0 ? Reader.start(regions()) : null;
                    Probe probe = Probe.open(daemon, folder)) {
                AttachedEngine attached = Engine.attach(regions());
                if (former != null) {
                    successorIsAnother(former, attached, kept, where);
                }
                assertEquals(Status.OK, probe.decide("move 1 2 0x10007"), where);
                EventReader events = attached.events(0);
                events.poll((type, session, position, body) -> { }, 10);
                kept = events.position();
                probe.frames(0, Collections.nCopies(2_000, "move 3 4 0x10001 payload " + "5a".repeat(232)));
                LockSupport.parkNanos(random.nextLong(TimeUnit.MILLISECONDS.toNanos(3)));
                daemon.kill();
                kills.killed();
                if (!attached.awaitEnd(LONG) || attached.state() != EngineState.GONE) {
                    kills.stalled(where);
                }
                compareLeft(attached, kills, where);
                assertThrows(EngineGoneException.class, () -> Engine.attach(daemon.region()).close(), where);
                if (reader != null) {
                    String line = reader.end();
                    assertTrue(line.startsWith("ended state=GONE "), where + ": " + line);
                    kills.torn(Reader.number(line, "torn"), where + ": " + line);
                    kills.lost(line.contains(" counted=true ") ? 0 : 1, where + ": " + line);
                }
                former = attached;
            }
        }
        former.close();
        Kills.judge(kills);
    }

    private static void successorIsAnother(AttachedEngine former, AttachedEngine next, long kept, String where) {
        assertNotEquals(former.instance(), next.instance(), where);
        assertThrows(EngineGoneException.class, () -> next.events(former.instance(), kept), where);
        assertEquals(EngineState.GONE, former.state(), where);
        assertTrue(next.isAlive(), where);
        former.close();
        assertEquals(EngineState.CLOSED, former.state(), where);
    }

    /** What a killed engine had acknowledged is there, and whole, or it is said that it died in mid-change. */
    private static void compareLeft(AttachedEngine attached, Kills kills, String where) {
        SlotReader slot = attached.slotReader();
        kills.lost(slot.read(1) && slot.target() == 2 ? 0 : 1, where + ": node 1");
        try {
            long torn = 0;
            if (slot.read(3)) {
                for (int offset = 0; offset < SlotReader.PAYLOAD_BYTES_MAX; offset++) {
                    torn += slot.payloadByte(offset) == 0x5a ? 0 : 1;
                }
            }
            kills.torn(torn > 0 ? 1 : 0, where + ": node 3");
            long accepted = attached.commit().movesAccepted();
            kills.came(accepted);
            kills.lost(accepted >= 1 ? 0 : 1, where + ": accepted " + accepted);
        } catch (EngineException died) {
            assertEquals(Status.GONE, died.status(), where);
        }
    }

    @Test
    @Timeout(600)
    void aReaderThatWasStoppedLearnsWhatItMissedAndTheEngineGoesOn() {
        try (Engine engine = Engine.open(Engines.small().set("runtime.shared_region", "file")
                .set("runtime.shared_region_directory", "\"" + folder + "\"").build());
                Reader reader = Reader.start(folder)) {
            reader.signal("STOP");
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(STOPPED_SECONDS);
            long published = 0;
            // Two laps and more of the ring, however fast this machine is, and at least for the time.
            while (System.nanoTime() < end || published < 3 * RING_EVENTS) {
                AttachTest.rollBack(engine, 1_000);
                published += 1_000;
            }
            reader.signal("CONT");
            String line = reader.stop();
            assertTrue(line.startsWith("stopped state=RUNNING ") && line.contains(" counted=true "), line);
            long missed = Reader.number(line, "missed");
            // It saw what it had read before it was stopped, and what the ring still held after.
            assertTrue(missed >= published - 2L * RING_EVENTS, line + " of " + published);
            try (Reader next = Reader.start(folder, Long.toString(reader.told(1)), "0")) {
                assertEquals("attached " + engine.instance() + " 0", next.greeting());
                String later = next.stop();
                assertTrue(later.contains(" counted=true "), later);
            }
        }
    }

    @Test
    @Timeout(600)
    void aStoppedEngineIsAliveAndSilent() throws Exception {
        try (Daemon daemon = Daemon.start(folder, ""); AttachedEngine attached = Engine.attach(regions())) {
            Signals.send(daemon.pid(), "STOP");
            Until.holds("time passes", () -> {
                assertTrue(attached.isAlive());
                return attached.heartbeatAge().toMillis() >= 2_500;
            });
            assertTrue(attached.isAlive());
            try (AttachedEngine late = Engine.attach(regions())) {
                assertTrue(late.isAlive());
            }
            Signals.send(daemon.pid(), "CONT");
            assertEquals(0, daemon.end());
            assertTrue(attached.awaitEnd(LONG));
            assertEquals(EngineState.CLOSED, attached.state());
        }
    }
}
