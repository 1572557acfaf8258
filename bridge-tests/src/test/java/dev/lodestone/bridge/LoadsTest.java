package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.BulkLoad;
import dev.lodestone.Counter;
import dev.lodestone.Engine;
import dev.lodestone.EngineException;
import dev.lodestone.LoadProgress;
import dev.lodestone.LoadReport;
import dev.lodestone.Route;
import dev.lodestone.StateHash;
import dev.lodestone.Status;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Bulk loads from arrays, memory, arcs one by one, and files of both kinds; their progress, and what is refused. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class LoadsTest {
    private static final int NODES = 50_000;
    private static final Path ANDORRA = Path.of(System.getProperty("lodestone.root"), "data", "andorra.lsg");

    @TempDir
    private Path folder;

    private static Engine open(int edgesMax, String pathfinder) {
        return Engine.open(Engines.small().nodesMax(NODES).set("graph.edges_max", edgesMax)
                .set("graph.pathfinder", pathfinder).build());
    }

    /** Different arcs, as triples. */
    private static int[] arcs(int count) {
        int[] numbers = new int[3 * count];
        for (int index = 0; index < count; index++) {
            int source = index % NODES;
            numbers[3 * index] = source;
            numbers[3 * index + 1] = (source + 1 + index / NODES) % NODES;
            numbers[3 * index + 2] = index + 1;
        }
        return numbers;
    }

    private static byte[] bytes(int[] numbers) {
        ByteBuffer buffer = ByteBuffer.allocate(numbers.length * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        buffer.asIntBuffer().put(numbers);
        return buffer.array();
    }

    /** Notes what it is told and checks that it makes sense. */
    private static final class Notes implements LoadProgress {
        private final List<Long> done = new ArrayList<>();
        private final long total;
        private final int endAfter;
        private Duration elapsed = Duration.ZERO;

        Notes(long total, int endAfter) {
            this.total = total;
            this.endAfter = endAfter;
        }

        @Override
        public boolean onProgress(long doneNow, long totalNow, Duration elapsedNow) {
            assertEquals(total, totalNow);
            assertTrue(done.isEmpty() || doneNow >= done.getLast(), done + " and then " + doneNow);
            assertTrue(elapsedNow.compareTo(elapsed) >= 0, elapsed + " and then " + elapsedNow);
            elapsed = elapsedNow;
            done.add(doneNow);
            return done.size() < endAfter;
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"thread", "inline"})
    void everyWayGivesTheSameState(String pathfinder) throws IOException {
        int count = 100_000;
        int[] arcs = arcs(count);
        Path file = Files.write(folder.resolve("graph.arcs"), bytes(arcs));
        StateHash expected;
        Route route;
        try (Engine engine = open(count, pathfinder)) {
            LoadReport report = engine.graph().put(arcs);
            assertEquals(List.of((long) count, (long) count, 0L, true),
                    List.of(report.arcs(), report.edges(), report.nodes(), report.complete()));
            assertEquals(engine.revision(), report.revision());
            assertEquals(count, engine.metrics().counter(Counter.LOAD_DONE));
            assertEquals(count, engine.metrics().counter(Counter.LOAD_TOTAL));
            expected = engine.stateHash();
            route = engine.graph().route(0, 900);
            assertTrue(route.found());
            assertEquals(expected, engine.verifyHash());
        }
        try (Engine engine = open(count, pathfinder)) {
            Notes notes = new Notes(count, Integer.MAX_VALUE);
            LoadReport report = engine.graph().load(file, notes);
            assertEquals(List.of((long) count, true), List.of(report.edges(), report.complete()));
            assertEquals(count, notes.done.getLast());
            assertEquals(expected, engine.stateHash());
            assertEquals(route, engine.graph().route(0, 900));
        }
        try (Engine engine = open(count, pathfinder)) {
            Notes notes = new Notes(LoadProgress.TOTAL_UNKNOWN, Integer.MAX_VALUE);
            try (BulkLoad load = engine.graph().bulkLoad(LoadProgress.TOTAL_UNKNOWN, notes)) {
                for (int index = 0; index < arcs.length; index += 3) {
                    assertTrue(load.add(arcs[index], arcs[index + 1], arcs[index + 2]));
                }
                assertEquals(count, load.finish().edges());
                assertThrows(IllegalStateException.class, () -> load.add(1, 2, 3));
                assertThrows(IllegalStateException.class, load::finish);
            }
            assertEquals(count, notes.done.getLast());
            assertEquals(expected, engine.stateHash());
        }
        try (Engine engine = open(count, pathfinder); Arena lifetime = Arena.ofConfined()) {
            MemorySegment heap = MemorySegment.ofArray(bytes(arcs));
            long half = heap.byteSize() / 2 / BulkLoad.ARC_BYTES * BulkLoad.ARC_BYTES;
            engine.graph().put(heap.asSlice(0, half), new Notes(half / BulkLoad.ARC_BYTES, Integer.MAX_VALUE));
            MemorySegment nativeHalf = lifetime.allocate(heap.byteSize() - half);
            nativeHalf.copyFrom(heap.asSlice(half));
            LoadReport report = engine.graph().put(nativeHalf, (done, total, elapsed) -> true);
            assertEquals(count, report.edges());
            assertEquals(expected, engine.stateHash());
        }
    }

    @Test
    void aRoadGraphIsLoadedWithItsNodesAndUnit() {
        try (Engine engine = Engine.open(Engines.small().nodesMax(100_000).set("graph.edges_max", 200_000).build())) {
            Notes notes = new Notes(engine.graph().load(ANDORRA).arcs(), Integer.MAX_VALUE);
            LoadReport report = engine.graph().load(ANDORRA, notes);
            assertTrue(report.nodes() > 1_000 && report.unitMm() > 0 && report.complete(), report.toString());
            assertEquals(report.arcs(), report.edges());
            assertEquals(report.arcs(), notes.done.getLast());
        }
    }

    @Test
    void theCallbackEndsALoadAndWhatIsSetStays() throws IOException {
        int count = 3_000_000;
        Path file = Files.write(folder.resolve("long.arcs"), bytes(arcs(count)));
        try (Engine engine = open(count, "thread")) {
            LoadReport report = engine.graph().load(file, new Notes(count, 1));
            assertFalse(report.complete());
            assertTrue(report.arcs() > 0 && report.arcs() < count, report.toString());
            assertEquals(report.arcs(), report.edges());
            assertEquals(report.arcs(), engine.commit().edges());
            assertEquals(engine.verifyHash(), engine.stateHash());
            // Once more, and to the end.
            assertEquals(count, engine.graph().load(file).edges());
        }
    }

    @Test
    void anEndedLoadTakesNothingMore() {
        try (Engine engine = open(1_000_000, "thread")) {
            int[] part = arcs(8_192);
            Notes notes = new Notes(LoadProgress.TOTAL_UNKNOWN, 1);
            try (BulkLoad load = engine.graph().bulkLoad(LoadProgress.TOTAL_UNKNOWN, notes)) {
                boolean goOn = true;
                while (goOn) {
                    for (int index = 0; index < part.length; index += 3) {
                        goOn = load.add(part[index], part[index + 1], part[index + 2]);
                    }
                }
                assertFalse(load.add(7, 9, 5));
                assertFalse(load.add(MemorySegment.ofArray(bytes(part))));
                LoadReport report = load.finish();
                assertFalse(report.complete());
                assertEquals(8_192, report.edges());
            }
            assertEquals(1, notes.done.size());
        }
    }

    @Test
    void anExceptionOfTheCallbackReachesTheCaller() throws IOException {
        Path file = Files.write(folder.resolve("short.arcs"), bytes(arcs(10)));
        try (Engine engine = open(1_000, "thread")) {
            IllegalStateException own = new IllegalStateException("own");
            assertEquals(own, assertThrows(IllegalStateException.class, () -> engine.graph().load(file, (done, total, at) -> {
                throw own;
            })));
            assertEquals(10, engine.graph().load(file).edges());
        }
    }

    private EngineException refused(Engine engine, String name, byte[] content) throws IOException {
        Path file = Files.write(folder.resolve(name), content);
        EngineException refusal = assertThrows(EngineException.class, () -> engine.graph().load(file));
        assertTrue(refusal.getMessage().contains("What to do:"), refusal.getMessage());
        return refusal;
    }

    @Test
    void badFilesAreRefusedWithWhatWouldDo() throws IOException {
        try (Engine engine = open(1_000, "thread")) {
            byte[] good = bytes(arcs(100));
            EngineException cut = refused(engine, "cut.arcs", Arrays.copyOf(good, good.length - 1));
            assertEquals(Status.MAP_FILE, cut.status());
            assertTrue(cut.getMessage().contains("1199 bytes"), cut.getMessage());
            EngineException many = refused(engine, "many.arcs", bytes(arcs(1_001)));
            assertEquals(Status.GRAPH_FULL, many.status());
            assertTrue(many.getMessage().contains("graph.edges_max to 1001 or more"), many.getMessage());
            assertEquals(Status.MAP_FILE, refused(engine, "arcs.lsg", good).status());
            byte[] roads = Files.readAllBytes(ANDORRA);
            roads[roads.length / 2] ^= 1;
            assertEquals(Status.MAP_FILE, refused(engine, "damaged.lsg", roads).status());
            assertEquals(0, engine.revision());

            int[] wrong = arcs(100);
            wrong[3 * 77 + 1] = NODES + 5;
            EngineException outside = refused(engine, "outside.arcs", bytes(wrong));
            assertEquals(Status.MAP_FILE, outside.status());
            for (String part : List.of("arc 77 ", "node 50005", "the 77 arcs before it are set", "nodes_max to 50006 or more")) {
                assertTrue(outside.getMessage().contains(part), outside.getMessage());
            }
            assertEquals(77, engine.commit().edges());
            EngineException absent = assertThrows(EngineException.class, () -> engine.graph().load(folder.resolve("no.arcs")));
            assertEquals(Status.IO, absent.status());
        }
    }

    @Test
    void noAdviceIsGivenThatCannotBeFollowed() {
        try (Engine engine = open(1_000, "thread")) {
            EngineException full = assertThrows(EngineException.class,
                    () -> engine.graph().bulkLoad(Long.MAX_VALUE, (done, total, elapsed) -> true));
            assertEquals(Status.GRAPH_FULL, full.status());
            assertTrue(full.getMessage().contains("What to do: leave out what is beyond the most that graph.edges_max may be, "
                    + "200000000 (now 1000)"), full.getMessage());
            EngineException outside = assertThrows(EngineException.class, () -> engine.graph().put(1, -1, 1));
            assertTrue(outside.getMessage().contains("node 4294967295") && outside.getMessage().contains("leave out"),
                    outside.getMessage());
        }
    }

    @Test
    void thePathOfNothingIsNoFile() {
        try (Engine engine = open(1_000, "thread")) {
            EngineException none = assertThrows(EngineException.class, () -> engine.graph().load(Path.of("")));
            assertEquals(Status.IO, none.status());
            assertTrue(none.getMessage().contains("not a plain file"), none.getMessage());
        }
    }

    @Test
    void aLoadKeepsNoMemory() throws IOException {
        try (Engine engine = open(1_000, "thread")) {
            Runnable loads = () -> {
                for (int index = 0; index < 2_000; index++) {
                    engine.graph().put(index % 999, 999, index + 1);
                    assertThrows(EngineException.class, () -> engine.graph().bulkLoad(1_001, (done, total, elapsed) -> true));
                }
            };
            loads.run();
            long beforeKib = residentKib();
            loads.run();
            long grownKib = residentKib() - beforeKib;
            // Their buffers alone are 96 KiB each, 187 MiB in all.
            assertTrue(grownKib < 100 << 10, "2,000 loads left " + grownKib + " KiB");
        }
    }

    private static long residentKib() throws IOException {
        String line = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(one -> one.startsWith("VmRSS:")).findFirst().orElseThrow();
        return Long.parseLong(line.replaceAll("\\D", ""));
    }

    @Test
    void aLoadBelongsToTheThreadThatBeganIt() throws InterruptedException {
        try (Engine engine = open(1_000, "thread")) {
            BulkLoad load = engine.graph().bulkLoad();
            load.add(1, 2, 3);
            AtomicReference<Throwable> seen = new AtomicReference<>();
            Thread other = Thread.ofPlatform().uncaughtExceptionHandler((thread, bad) -> seen.set(bad))
                    .start(() -> load.add(2, 3, 4));
            other.join();
            assertTrue(seen.get() instanceof WrongThreadException, String.valueOf(seen.get()));
            assertEquals(1, load.finish().edges());
            load.close();
            load.close();
        }
    }

    @Test
    void badArcsOfAStreamAreNamedAndEndTheLoad() {
        try (Engine engine = open(20_000, "thread"); BulkLoad load = engine.graph().bulkLoad()) {
            int[] good = arcs(10_000);
            for (int index = 0; index < good.length; index += 3) {
                load.add(good[index], good[index + 1], good[index + 2]);
            }
            load.add(4, 4, 1);
            EngineException loop = assertThrows(EngineException.class, load::finish);
            assertEquals(Status.INVALID_ARGUMENT, loop.status());
            assertTrue(loop.getMessage().contains("arc 10000 ") && loop.getMessage().contains("node 4 to itself"),
                    loop.getMessage());
            assertEquals(10_000, engine.commit().edges());
            assertThrows(IllegalArgumentException.class, () -> load.add(MemorySegment.ofArray(new byte[13])));
        }
    }

    @Test
    void aStreamThatFillsTheGraphIsToldWhatIsKnown() {
        try (Engine engine = open(20_000, "thread")) {
            int[] many = arcs(60_000);
            EngineException full = assertThrows(EngineException.class, () -> {
                try (BulkLoad load = engine.graph().bulkLoad()) {
                    load.add(MemorySegment.ofArray(bytes(many)));
                    load.finish();
                }
            });
            assertEquals(Status.GRAPH_FULL, full.status());
            String known = "with 19456 arcs set and more to come. What to do: set graph.edges_max to more";
            assertTrue(full.getMessage().contains(known), full.getMessage());
            assertEquals(19_456, engine.commit().edges());
            assertThrows(EngineException.class, () -> engine.graph().bulkLoad(20_001, (done, total, elapsed) -> true));
            assertThrows(IllegalArgumentException.class, () -> engine.graph().bulkLoad(-2, (done, total, elapsed) -> true));
        }
    }
}
