package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.lodestone.AttachException;
import dev.lodestone.AttachException.Reason;
import dev.lodestone.AttachMode;
import dev.lodestone.AttachedEngine;
import dev.lodestone.Commands;
import dev.lodestone.Counter;
import dev.lodestone.Engine;
import dev.lodestone.EngineClosedException;
import dev.lodestone.EngineException;
import dev.lodestone.EngineGoneException;
import dev.lodestone.EngineState;
import dev.lodestone.EngineView;
import dev.lodestone.EventReader;
import dev.lodestone.Histogram;
import dev.lodestone.SlotReader;
import dev.lodestone.Status;
import dev.lodestone.WatchedDistances;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Attaching: an engine seen through the file of its region, by code that does not know where it lives. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class AttachTest {
    private static final Duration LONG = Until.LONG;
    private static final int ALL = 100_000;
    private static final int FAULTS_MAX = 10;

    @TempDir
    private Path folder;

    private Engine open() {
        return Engine.open(Engines.small().set("runtime.shared_region", "file")
                .set("runtime.shared_region_directory", "\"" + folder + "\"").build());
    }

    private static Path regionOf(EngineView engine) {
        return engine.regionPath().orElseThrow();
    }

    private static Reason refused(Path path) {
        AttachException refusal = assertThrows(AttachException.class, () -> Engine.attach(path).close());
        assertTrue(refusal.getMessage().startsWith(path + " "), refusal.getMessage());
        assertTrue(refusal.getMessage().contains("What to do: "), refusal.getMessage());
        assertEquals(Status.ATTACH, refusal.status());
        assertEquals(path, refusal.path());
        return refusal.reason();
    }

    @Test
    void bothSeeTheSame() throws InterruptedException {
        try (Engine engine = open();
                AttachedEngine one = Engine.attach(regionOf(engine));
                AttachedEngine two = Engine.attach(folder, AttachMode.READ_ONLY)) {
            EventReader events = two.events();
            for (int node = 0; node < 100; node++) {
                assertEquals(Status.OK, Engines.move(engine, node, node + 1, 0x1_0002));
            }
            long before = engine.revision();
            Engines.move(engine, 7, 500, 0x1_0009);
            engine.rollback(before);
            try (WatchedDistances watched = engine.graph().watch(3)) {
                assertTrue(watched.awaitCommit(engine.commit(), LONG));
                for (EngineView view : List.of(engine, one, two)) {
                    assertEquals(engine.commit(), view.commit());
                    assertEquals(engine.instance(), view.instance());
                    assertEquals(before, view.revision());
                    assertEquals(1, view.branch());
                    assertEquals(EngineState.RUNNING, view.state());
                    assertEquals("", view.poisonText());
                    assertEquals(regionOf(engine), regionOf(view));
                    assertEquals(engine.metrics().counter(Counter.EVENTS_PUBLISHED),
                            view.metrics().counter(Counter.EVENTS_PUBLISHED));
                    assertTrue(view.metrics().histogram(Histogram.ENGINE).count() > 0);
                    SlotReader slot = view.slotReader();
                    assertTrue(slot.read(7));
                    assertEquals(8, slot.target());
                    assertFalse(slot.read(101));
                    assertThrows(IndexOutOfBoundsException.class, () -> slot.read(1_000));
                }
                assertEquals(watched.distance(50), one.watchedDistances(3).orElseThrow().distance(50));
                assertEquals(2 * 47, two.watchedDistances(3).orElseThrow().distance(50));
                two.watchedDistances(3).orElseThrow().close();
                assertEquals(2, watched.distance(4));
                assertTrue(one.watchedDistances(4).isEmpty());
            }
            assertTrue(one.watchedDistances(3).isEmpty());
            assertEquals(ProcessHandle.current().pid(), one.pid());
            assertFalse(one.openedAt().isAfter(engine.commit().time()), one.openedAt().toString());
            assertTrue(one.isAlive());
            assertTrue(one.heartbeatAge().compareTo(LONG) < 0, one.toString());
            List<Integer> types = new ArrayList<>();
            events.poll((type, session, position, body) -> types.add(type), ALL);
            assertEquals(List.of(0x82), types);
        }
    }

    @Test
    void aReaderGoesOnWhereAnEarlierOneWas() {
        try (Engine engine = open(); AttachedEngine attached = Engine.attach(folder)) {
            EventReader first = attached.events(0);
            rollBack(engine, 10);
            assertEquals(10, first.poll((type, session, position, body) -> { }, ALL));
            long kept = first.position();
            rollBack(engine, 7);
            for (EngineView view : List.of(engine, attached)) {
                EventReader next = view.events(attached.instance(), kept);
                assertEquals(7, next.poll((type, session, position, body) -> { }, ALL));
                assertEquals(0, next.missed());
                assertThrows(EngineGoneException.class, () -> view.events(attached.instance() + 1, kept));
                assertThrows(IllegalArgumentException.class, () -> view.events(-1));
                assertThrows(IllegalArgumentException.class, () -> view.events(next.position() + 1));
            }
            rollBack(engine, 20_000);
            EventReader late = attached.events(kept);
            long seen = 0;
            for (int polled = 1; polled > 0; seen += polled) {
                polled = late.poll((type, session, position, body) -> { }, ALL);
            }
            assertTrue(late.missed() > 0);
            assertEquals(late.position() - kept, seen + late.missed());
        }
    }

    /** As many events as rollbacks. */
    static void rollBack(Engine engine, int times) {
        long revision = engine.revision();
        for (int time = 0; time < times; time++) {
            engine.rollback(revision);
        }
    }

    @Test
    void whatIsClosedIsClosedForItsReadersAlone() {
        Engine engine = open();
        AttachedEngine kept = Engine.attach(folder);
        SlotReader slot = kept.slotReader();
        EventReader events = kept.events();
        AttachedEngine closed = Engine.attach(folder);
        SlotReader closedSlot = closed.slotReader();
        closed.close();
        closed.close();
        assertEquals(EngineState.CLOSED, closed.state());
        assertFalse(closed.isAlive());
        assertThrows(EngineClosedException.class, () -> closedSlot.read(1));
        assertThrows(EngineClosedException.class, closed::commit);
        assertThrows(EngineClosedException.class, closed::events);
        Engines.move(engine, 1, 2, 0x1_0001);
        assertTrue(slot.read(1));
        Path file = regionOf(engine);
        engine.close();
        assertEquals(EngineState.CLOSED, kept.state());
        assertFalse(kept.isAlive());
        assertThrows(EngineClosedException.class, () -> slot.read(1));
        assertThrows(EngineClosedException.class, () -> events.poll((type, session, position, body) -> { }, 1));
        assertThrows(EngineClosedException.class, kept::revision);
        assertThrows(EngineClosedException.class, () -> kept.metrics().counter(Counter.EVENTS_PUBLISHED));
        assertThrows(EngineClosedException.class, kept::heartbeatAge);
        kept.close();
        assertEquals(Reason.ABSENT, refused(file));
        assertEquals(Reason.ABSENT, refused(folder));
    }

    /** A process may have 65,530 mappings; a region is larger than a large page, to which the system aligns. */
    @Test
    void attachmentsThatWereClosedAreFewMappingsToTheSystem() throws IOException {
        try (Engine engine = open()) {
            assertTrue(Files.size(regionOf(engine)) > 2 << 20);
            long before = mappings();
            for (int time = 0; time < 500; time++) {
                try (AttachedEngine attached = Engine.attach(folder)) {
                    assertEquals(engine.instance(), attached.instance());
                }
            }
            long after = mappings();
            assertTrue(after < before + 100, before + " mappings before, " + after + " after");
        }
    }

    private static long mappings() throws IOException {
        try (Stream<String> all = Files.lines(Path.of("/proc/self/maps"))) {
            return all.count();
        }
    }

    @Test
    void ofSeveralTheLivingOneIsTakenAndTwoLivingAreToldApart() throws IOException {
        try (Engine engine = open()) {
            Files.copy(regionOf(engine), folder.resolve("lodestone-1-0.region"));
            Files.writeString(folder.resolve("lodestone-2-0.region"), "no region");
            try (AttachedEngine attached = Engine.attach(folder)) {
                assertEquals(regionOf(engine), regionOf(attached));
            }
            try (Engine other = open()) {
                assertNotEquals(engine.instance(), other.instance());
                assertEquals(Reason.SEVERAL, refused(folder));
                try (AttachedEngine attached = Engine.attach(regionOf(other))) {
                    assertEquals(other.instance(), attached.instance());
                }
            }
        }
    }

    private static void word(Path file, long offset, long value) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(0, value), offset);
        }
    }

    /** A copy of a living engine's region with one word changed. */
    private Path changed(Engine engine, long offset, long value) throws IOException {
        Path copy = folder.resolve("changed");
        Files.deleteIfExists(copy);
        Files.copy(regionOf(engine), copy);
        word(copy, offset, value);
        return copy;
    }

    @Test
    void whatIsNoRegionIsRefusedInPlainWords() throws Exception {
        assertEquals(Reason.ABSENT, refused(folder.resolve("absent")));
        assertEquals(Reason.FOREIGN, refused(Files.writeString(folder.resolve("text"), "text")));
        assertEquals(Reason.STARTING, refused(Files.write(folder.resolve("nothing"), new byte[0])));
        assertEquals(Reason.STARTING, refused(Files.write(folder.resolve("zeros"), new byte[100_000])));
        assertEquals(Reason.FOREIGN, refused(Path.of("/dev/null")));
        try (Engine engine = open()) {
            assertEquals(Reason.VERSION, refused(changed(engine, 8, 4_096L << 32 | 9)));
            assertEquals(Reason.FOREIGN, refused(changed(engine, 0, 5)));
            assertEquals(Reason.DAMAGED, refused(changed(engine, 48, Files.size(regionOf(engine)) + 4_096)));
            assertEquals(Reason.DAMAGED, refused(changed(engine, 56, 5)));
            assertEquals(Reason.DAMAGED, refused(changed(engine, 64 + 2 * 32 + 16, Long.MAX_VALUE)));
            assertEquals(Reason.DAMAGED, refused(changed(engine, 64 + 3 * 32 + 8, 4_097)));
            assertEquals(Reason.DAMAGED, refused(changed(engine, 64 + 4 * 32 + 16, 3)));
            Path closed = changed(engine, 24, 0);
            String told = assertThrows(EngineGoneException.class, () -> Engine.attach(closed)).getMessage();
            assertTrue(told.contains("is closed"), told);
            // A copy of a living engine's memory in every word, with nobody who holds its lock.
            Path dead = changed(engine, 16, 0);
            told = assertThrows(EngineGoneException.class, () -> Engine.attach(dead)).getMessage();
            assertTrue(told.contains(" " + ProcessHandle.current().pid() + " ended without closing it"), told);
            try (Locked lock = Locked.of(dead); AttachedEngine attached = Engine.attach(dead)) {
                assertTrue(attached.isAlive());
                lock.release();
                assertFalse(attached.isAlive());
                assertEquals(EngineState.GONE, attached.state());
                assertEquals(engine.commit(), attached.commit());
            }
        }
    }

    /** No engine makes such lanes. A record must not pass their end, whatever the head says of the room. */
    @Test
    void aLaneOfTwoCellsHasNoRoomForALongRecord() throws Exception {
        final int sections = 64;
        final int lanes = 8;
        final int controlBytes = 512;
        try (Engine engine = Engine.open(Engines.small().set("runtime.shared_region", "file").set("bridge.lanes", "1")
                .set("runtime.shared_region_directory", "\"" + folder + "\"").build())) {
            ByteBuffer header = ByteBuffer.wrap(Files.readAllBytes(regionOf(engine))).order(ByteOrder.LITTLE_ENDIAN);
            int entry = sections;
            while (header.getInt(entry) != lanes) {
                entry += 32;
            }
            long lane = header.getLong(entry + 8);
            Path copy = changed(engine, entry, (controlBytes + 128L) << 32 | lanes);
            word(copy, lane + 256, header.getLong((int) lane + 128) + (1L << 40));
            try (Locked _ = Locked.of(copy); AttachedEngine attached = Engine.attach(copy);
                    Commands commands = attached.commands()) {
                assertTrue(commands.hasLane());
                assertEquals(Commands.FULL, commands.tryMove(1, 2, 3, 0, new byte[232], 0, 232));
            }
        }
    }

    @Test
    void aFileCutShortIsAnExceptionAndNoCrash() throws Exception {
        try (Engine engine = open()) {
            for (int warm : new int[] {1, 200_000}) {
                Path copy = changed(engine, 16, 0);
                try (Locked _ = Locked.of(copy); AttachedEngine attached = Engine.attach(copy)) {
                    assertTrue(attached.isAlive());
                    SlotReader slot = attached.slotReader();
                    EventReader events = attached.events();
                    for (int read = 0; read < warm; read++) {
                        slot.read(read % 1_000);
                    }
                    try (FileChannel channel = FileChannel.open(copy, StandardOpenOption.WRITE)) {
                        channel.truncate(0);
                    }
                    EngineException told = assertThrows(EngineException.class, () -> slot.read(999));
                    assertEquals(Status.GONE, told.status(), told.getMessage());
                    assertTrue(told.getMessage().contains("cut short"), told.getMessage());
                    assertEquals(EngineState.GONE, attached.state());
                    assertFalse(attached.isAlive());
                    assertThrows(EngineGoneException.class, () -> events.poll((type, session, position, body) -> { }, 1));
                    assertThrows(EngineGoneException.class, attached::commit);
                }
            }
        }
    }

    /** Header and table of producers stay, so that only what is written behind the claim finds no memory. */
    @Test
    void lanesCutOffUnderAProducerAreAnExceptionAtEveryWrite() throws Exception {
        final byte[] payload = new byte[100];
        final List<Consumer<Commands>> writes = List.of(
                commands -> commands.tryMove(1, 2, 3, 0),
                commands -> commands.tryMove(1, 2, 3, 0, payload, 0, payload.length),
                commands -> commands.tryMove(1, 2, 3, 0, MemorySegment.ofArray(payload), 0, payload.length),
                commands -> commands.tryRelease(1),
                commands -> commands.interests().trySubscribe(1, 2),
                commands -> commands.interests().trySubscribe(1, new int[] {2, 3}, 0, 2),
                commands -> commands.interests().tryUnsubscribeAll(1),
                commands -> commands.interests().tryGrant(1, 2, 3),
                commands -> commands.batch().release(1),
                commands -> commands.batch().move(1, 2, 3, 0),
                commands -> commands.batch().putLong(0, 1),
                commands -> commands.batch().putBytes(0, MemorySegment.ofArray(payload), 0, 8),
                commands -> commands.batch().commit());
        try (Engine engine = open()) {
            for (int write = 0; write < writes.size(); write++) {
                Path copy = changed(engine, 16, 0);
                try (Locked _ = Locked.of(copy); AttachedEngine attached = Engine.attach(copy);
                        Commands commands = attached.commands()) {
                    assertTrue(commands.hasLane());
                    boolean batched = write > 7;
                    if (batched) {
                        assertTrue(commands.batch().tryClaim(4, 8));
                        commands.batch().move(1, 2, 3, 0);
                    }
                    cutAtLanes(copy);
                    assertEquals(engine.commit(), attached.commit());
                    goneAt(writes.get(write), commands, "write " + write);
                    assertEquals(EngineState.GONE, attached.state());
                }
            }
        }
    }

    /**
     * A JVM may notice the fault a moment late, outside of the call: anywhere in here. The next call meets it; behind a batch
     * that was committed meanwhile, the next command.
     */
    private static void goneAt(Consumer<Commands> write, Commands commands, String what) {
        Consumer<Commands> next = write;
        boolean late = false;
        for (int faults = 0; faults < FAULTS_MAX; faults++) {
            try {
                for (int tries = 0; tries < 3; tries++) {
                    next.accept(commands);
                }
                break;
            } catch (EngineGoneException told) {
                assertTrue(told.getMessage().contains("cut short"), told.getMessage());
                return;
            } catch (InternalError fault) {
                late = true;
            } catch (IllegalStateException committed) {
                assertTrue(late, what + " was committed and found nothing amiss");
                next = one -> {
                    one.batch().close();
                    one.tryMove(1, 2, 3, 0);
                };
            }
        }
        fail(what + " finds nothing amiss");
    }

    private static void cutAtLanes(Path file) throws IOException {
        final int lanes = 8;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer header = ByteBuffer.allocate(4_096).order(ByteOrder.LITTLE_ENDIAN);
            channel.read(header, 0);
            int entry = 64;
            while (header.getInt(entry) != lanes) {
                entry += 32;
            }
            channel.truncate(header.getLong(entry + 8));
        }
    }
}
