package dev.lodestone.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Counter;
import dev.lodestone.Engine;
import dev.lodestone.EngineConfig;
import dev.lodestone.EngineException;
import dev.lodestone.Histogram;
import dev.lodestone.MoveBatch;
import dev.lodestone.Status;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The program as its users run it: a process of its own, beside engines of this JVM and of lodestoned. */
@Timeout(value = 900, unit = TimeUnit.SECONDS)
class ToolTest {
    private static final int RING_EVENTS = 16_384;

    @TempDir
    private Path folder;

    private Engine open() {
        return Engine.open(Daemon.small(folder).build());
    }

    private static void move(Engine engine, int source, int target, byte[] payload) {
        MoveBatch batch = engine.moveBatch(1);
        batch.add(source, target, 0x1_0007, 0);
        batch.putBytes(0, payload);
        batch.submit();
        assertEquals(Status.OK, batch.status(0));
    }

    /** Publishes one event a round. */
    private static void rollBack(Engine engine, int rounds) {
        for (int round = 0; round < rounds; round++) {
            long before = engine.revision();
            move(engine, 900, 901, new byte[0]);
            engine.rollback(before);
        }
    }

    private String place() {
        return folder.toString();
    }

    private static BigDecimal number(long value) {
        return BigDecimal.valueOf(value);
    }

    private static void refused(int exit, String words, Tool.End end) {
        assertEquals(exit, end.exit(), end.toString());
        assertTrue(end.err().startsWith("lodestone: ") && end.err().contains(words), end.toString());
        assertEquals("", end.out());
    }

    @Test
    void statTellsWhatTheEngineTells() {
        try (Engine engine = open()) {
            for (int node = 0; node < 50; node++) {
                move(engine, node, node + 1, new byte[0]);
            }
            rollBack(engine, 1);
            Tool.End json = Tool.run("stat", "--once", "--json", "--engine", place());
            assertEquals(Exit.FINE, json.exit(), json.toString());
            assertEquals(1, json.lines().size());
            Map<?, ?> stat = JsonReader.object(json.out());
            assertEquals(number(ProcessHandle.current().pid()), stat.get("pid"));
            assertEquals("running", stat.get("state"));
            assertNull(stat.get("failure"));
            assertEquals(number(engine.revision()), stat.get("revision"));
            assertEquals(number(1), stat.get("branch"));
            assertEquals(number(engine.commit().edges()), stat.get("edges"));
            assertEquals(number(50), stat.get("slots"));
            assertEquals(number(engine.commit().oldestRevision()), stat.get("oldest_revision"));
            assertTrue(((BigDecimal) stat.get("resident_bytes")).longValueExact() > 1 << 20, json.out());
            Map<?, ?> counters = (Map<?, ?>) stat.get("counters");
            assertEquals(Counter.values().length, counters.size());
            assertEquals(number(51), counters.get("moves_accepted"));
            assertEquals(number(1), counters.get("rollbacks"));
            Map<?, ?> rates = (Map<?, ?>) stat.get("rates_per_second");
            assertTrue(((BigDecimal) rates.get("moves_accepted")).signum() > 0, json.out());
            assertFalse(rates.containsKey("edges_used"));
            Map<?, ?> latency = (Map<?, ?>) ((Map<?, ?>) stat.get("latencies")).get("rollback");
            assertEquals(number(1), latency.get("count"));
            assertEquals(number(engine.metrics().histogram(Histogram.ROLLBACK).maxNanos()), latency.get("max_ns"));

            Tool.End table = Tool.run("stat", "--once", "-e", engine.regionPath().orElseThrow().toString());
            assertEquals(Exit.FINE, table.exit(), table.toString());
            String head = "engine of process " + ProcessHandle.current().pid() + "  running  open for ";
            assertTrue(table.lines().getFirst().startsWith(head), table.out());
            assertTrue(table.out().contains("\nrevision " + engine.revision() + "  branch 1  "), table.out());
            assertTrue(table.lines().stream().anyMatch(line -> line.matches("moves_accepted +51 +[0-9,.]+")), table.out());
            assertTrue(table.lines().stream().anyMatch(line -> line.matches("rollback +1( +[0-9.]+ (ns|us|ms|s)){4}")),
                    table.out());
            assertFalse(table.out().contains("\033"), "no terminal, no control characters");
        }
    }

    @Test
    void statFollowsUntilTheEngineIsClosed() {
        Engine engine = open();
        try (Tool json = Tool.start("stat", "--json", "--interval", "100ms", "-e", place());
                Tool lines = Tool.start("stat", "--interval", "100ms", "-e", place())) {
            json.await(printed -> !printed.isEmpty());
            lines.await(printed -> !printed.isEmpty());
            for (int node = 0; node < 50; node++) {
                move(engine, node, node + 1, new byte[0]);
            }
            json.await(printed -> printed.stream().anyMatch(line -> line.contains("\"moves_accepted\":50,")));
            lines.await(printed -> printed.stream().anyMatch(line -> line.contains("  revision 50  ")));
            engine.close();
            Tool.End end = json.end();
            assertEquals(Exit.FINE, end.exit(), end.toString());
            assertTrue(end.err().contains("the engine of process " + ProcessHandle.current().pid() + " was closed"), end.err());
            double moved = 0;
            for (String line : end.lines()) {
                Map<?, ?> stat = JsonReader.object(line);
                if (stat.get("window").equals("interval")) {
                    double seconds = ((BigDecimal) stat.get("window_ms")).doubleValue() / 1_000;
                    Map<?, ?> rates = (Map<?, ?>) stat.get("rates_per_second");
                    moved += seconds * ((BigDecimal) rates.get("moves_accepted")).doubleValue();
                }
            }
            // The first line was there before the first move: the rates of the rest add up to all of them, but for rounding.
            assertEquals(50, moved, 5, end.out());
            assertEquals(Exit.FINE, lines.end().exit());
            assertTrue(lines.end().lines().stream().allMatch(line -> line.matches("\\S+Z  (running|closing)  revision .*")),
                    lines.end().out());
        } finally {
            engine.close();
        }
    }

    @Test
    void aKilledEngineIsToldFromAClosedOne() throws IOException {
        Path regions = Files.createDirectory(folder.resolve("regions"));
        try (Daemon daemon = Daemon.start(regions, folder);
                Tool stat = Tool.start("stat", "--interval", "100ms", "-e", regions.toString());
                Tool events = Tool.start("events", "--follow", "--from", "0", "-e", regions.toString())) {
            stat.await(printed -> !printed.isEmpty());
            Map<?, ?> once = JsonReader.object(Tool.run("stat", "--once", "--json", "-e", regions.toString()).out());
            assertEquals(number(daemon.pid()), once.get("pid"));
            daemon.kill();
            for (Tool tool : List.of(stat, events)) {
                Tool.End end = tool.end();
                assertEquals(Exit.NO_ENGINE, end.exit(), end.toString());
                assertTrue(end.err().contains("gone"), end.err());
            }
            refused(Exit.NO_ENGINE, "gone", Tool.run("stat", "--once", "-e", regions.toString()));
            refused(Exit.NO_ENGINE, "gone", Tool.run("slots", "1", "-e", regions.toString()));
            Tool.End list = Tool.run("engines", regions.toString());
            assertEquals(Exit.NO_ENGINE, list.exit());
            assertTrue(list.out().contains(".region  gone"), list.out());
        }
        try (Daemon daemon = Daemon.start(regions, folder);
                Tool stat = Tool.start("stat", "--interval", "100ms", "-e", regions.toString())) {
            stat.await(printed -> !printed.isEmpty());
            daemon.end();
            assertEquals(Exit.FINE, stat.end().exit(), stat.end().toString());
        }
    }

    @Test
    void aFailedEngineIsWrongAndReadable() {
        try (Engine engine = Engine.open(Daemon.small(folder).set("testing.panic_at_revision", 2).build())) {
            move(engine, 1, 2, new byte[0]);
            assertThrows(EngineException.class, () -> move(engine, 2, 3, new byte[0]));
            Tool.End stat = Tool.run("stat", "--once", "--json", "-e", place());
            assertEquals(Exit.WRONG, stat.exit(), stat.toString());
            assertEquals("poisoned", JsonReader.object(stat.out()).get("state"));
            assertEquals(engine.poisonText(), JsonReader.object(stat.out()).get("failure"));
            assertTrue(Tool.run("slots", "1", "-e", place()).out().startsWith("node 1  version 1  target 2  "));
            assertEquals("0  poisoned", Tool.run("events", "-e", place()).out().strip());
        }
    }

    @Test
    void eventsAreListedFollowedAndCounted() {
        Engine engine = open();
        try (Tool follow = Tool.start("events", "--from", "0", "--follow", "--json", "-e", place())) {
            rollBack(engine, 3);
            follow.await(printed -> printed.size() == 3);
            Tool.End text = Tool.run("events", "-e", place());
            assertEquals(Exit.FINE, text.exit(), text.toString());
            assertEquals(List.of("0  rolled_back  revision 0  branch 1  revisions_undone 1",
                    "1  rolled_back  revision 0  branch 2  revisions_undone 1",
                    "2  rolled_back  revision 0  branch 3  revisions_undone 1"), text.lines());
            assertEquals(1, Tool.run("events", "--from", "2", "-e", place()).lines().size());
            assertEquals("", Tool.run("events", "--from", "3", "-e", place()).out());
            refused(Exit.USAGE, "--from 4 is not from 0 to 3", Tool.run("events", "--from", "4", "-e", place()));

            rollBack(engine, 2 * RING_EVENTS);
            Tool.End late = Tool.run("events", "--from", "1", "--json", "-e", place());
            Map<?, ?> first = JsonReader.object(late.lines().getFirst());
            long missed = ((BigDecimal) first.get("missed")).longValueExact();
            assertEquals(2 * RING_EVENTS + 2, missed + late.lines().size() - 1);
            assertTrue(missed >= RING_EVENTS, late.lines().getFirst());
            Map<?, ?> last = JsonReader.object(late.lines().getLast());
            assertEquals(number(2 * RING_EVENTS + 2), last.get("sequence"));
            assertEquals("rolled_back", last.get("event"));
            assertEquals(number(2 * RING_EVENTS + 3), last.get("branch"));
            long seen = 0;
            // Following all the time: each event is either printed or counted as missed.
            follow.await(printed -> printed.getLast().startsWith("{\"sequence\":" + (2 * RING_EVENTS + 2) + ","));
            engine.close();
            Tool.End end = follow.end();
            assertEquals(Exit.FINE, end.exit(), end.err());
            for (String line : end.lines()) {
                Object count = JsonReader.object(line).get("missed");
                seen += count == null ? 1 : ((BigDecimal) count).longValueExact();
            }
            assertEquals(2 * RING_EVENTS + 3, seen);
        } finally {
            engine.close();
        }
    }

    @Test
    void theLogIsListedFollowedAndCounted() {
        Engine engine = Engine.open(Daemon.small(folder).set("log.ring_kib", 4).build());
        try (Tool follow = Tool.start("logs", "--from", "0", "--follow", "--json", "-e", place())) {
            String listening = "listening address=127.0.0.1:" + engine.quicAddress().getPort() + " ";
            follow.await(printed -> printed.stream().anyMatch(line -> line.contains(listening)));
            Tool.End text = Tool.run("logs", "-e", place());
            assertEquals(Exit.FINE, text.exit(), text.toString());
            assertTrue(text.lines().stream().anyMatch(line ->
                    line.matches("20\\S+Z INFO    transport::server: " + listening + ".*")), text.out());
            assertEquals("", Tool.run("logs", "--level", "warning", "-e", place()).out());
            refused(Exit.USAGE, "--from 1000 is not from 0 to ", Tool.run("logs", "--from", "1000", "-e", place()));
            for (int load = 0; load < 50; load++) {
                engine.graph().put(1, 2, 0x1_0001 + load);
            }
            Tool.End late = Tool.run("logs", "--json", "-e", place());
            long missed = ((BigDecimal) JsonReader.object(late.lines().getFirst()).get("missed")).longValueExact();
            assertTrue(missed >= 45, late.out());
            Map<?, ?> last = JsonReader.object(late.lines().getLast());
            assertEquals(number(missed + late.lines().size() - 2), last.get("sequence"));
            assertEquals("INFO", last.get("level"));
            assertEquals("runtime::load", last.get("target"));
            assertTrue(last.get("message").toString().startsWith("loaded arcs=1 ms="), late.out());
            engine.close();
            assertEquals(Exit.FINE, follow.end().exit(), follow.end().toString());
        } finally {
            engine.close();
        }
    }

    @Test
    void slotsShowTheirPayload() {
        try (Engine engine = open()) {
            move(engine, 7, 9, "a \"b\"\n".getBytes(StandardCharsets.US_ASCII));
            move(engine, 8, 9, new byte[0]);
            Tool.End text = Tool.run("slots", "7", "8", "9", "-e", place());
            assertEquals(Exit.FINE, text.exit(), text.toString());
            assertEquals(List.of("node 7  version 1  target 9  mask 0x00010007  weight 7  payload 6 bytes", "  61202262220a",
                    "  a \"b\".", "node 8  version 1  target 9  mask 0x00010007  weight 7  payload 0 bytes",
                    "node 9  version 0  no slot"), text.lines());
            Tool.End json = Tool.run("slots", "7", "9", "--json", "-e", place());
            Map<?, ?> slot = JsonReader.object(json.lines().getFirst());
            assertEquals(number(7), slot.get("node"));
            assertEquals(number(9), slot.get("target"));
            assertEquals(number(0x1_0007), slot.get("mask"));
            assertEquals(number(7), slot.get("weight"));
            assertEquals("61202262220a", slot.get("payload_hex"));
            assertEquals("a \"b\".", slot.get("payload_text"));
            assertEquals(false, JsonReader.object(json.lines().getLast()).get("slot"));
            refused(Exit.USAGE, "no node 1000 ", Tool.run("slots", "1000", "-e", place()));
            refused(Exit.USAGE, "no node 4294967296 ", Tool.run("slots", "4294967296", "-e", place()));
            refused(Exit.USAGE, "ID", Tool.run("slots"));
        }
    }

    @Test
    void ofSeveralEnginesOneIsToBeNamed() {
        try (Engine one = open(); Engine two = open()) {
            Tool.End which = Tool.run("stat", "--once", "-e", place());
            refused(Exit.USAGE, "several engines", which);
            for (Engine engine : List.of(one, two)) {
                String file = engine.regionPath().orElseThrow().toString();
                assertTrue(which.err().lines().anyMatch(line -> line.startsWith("  " + file + "  pid "
                        + ProcessHandle.current().pid() + "  open for ")), which.err());
                assertEquals(Exit.FINE, Tool.run("stat", "--once", "-e", file).exit());
            }
            Tool.End list = Tool.run("engines", "--json", place());
            assertEquals(Exit.FINE, list.exit(), list.toString());
            List<?> engines = (List<?>) JsonReader.object(list.out()).get("engines");
            assertEquals(2, engines.size());
            Map<?, ?> first = (Map<?, ?>) engines.getFirst();
            assertEquals(true, first.get("alive"));
            assertEquals("running", first.get("state"));
            assertEquals(number(ProcessHandle.current().pid()), first.get("pid"));
            assertNotNull(first.get("age_ms"));
        }
    }

    @Test
    void wrongPathsAreTold() throws IOException {
        refused(Exit.NO_ENGINE, "does not exist", Tool.run("stat", "--once", "-e", folder.resolve("absent").toString()));
        refused(Exit.NO_ENGINE, "holds no region", Tool.run("stat", "--once", "-e", place()));
        refused(Exit.NO_ENGINE, "no folder", Tool.run("engines", folder.resolve("absent").toString()));
        Path other = Files.writeString(folder.resolve("lodestone-1-1.region"), "what".repeat(5_000));
        refused(Exit.NO_ENGINE, "is no region", Tool.run("events", "-e", other.toString()));
        Tool.End list = Tool.run("engines", place());
        assertEquals(Exit.NO_ENGINE, list.exit());
        assertTrue(list.out().contains("lodestone-1-1.region  foreign"), list.out());
    }

    @Test
    void configurationIsCheckedAndPrinted() throws IOException {
        Path file = Files.writeString(folder.resolve("engine.yaml"), "arena:\n  capacity: 77\n");
        Tool.End good = Tool.run("config", file.toString());
        assertEquals(Exit.FINE, good.exit(), good.toString());
        assertEquals(77, EngineConfig.parse(good.out()).arenaCapacity());
        assertEquals(EngineConfig.defaults(), EngineConfig.parse(Tool.run("config").out()));
        Files.writeString(file, "arena:\n  capacity: 77\n  capacitty: 78\n");
        refused(Exit.WRONG, file + ":3: arena.capacitty: ", Tool.run("config", file.toString()));
        refused(Exit.WRONG, "no readable file", Tool.run("config", folder.resolve("absent").toString()));
    }

    @Test
    void theDoctorLooksAtJvmLibraryAndSystem() {
        Tool.End text = Tool.run("doctor");
        Tool.End json = Tool.run("doctor", "--json");
        List<?> checks = (List<?>) JsonReader.object(json.out()).get("checks");
        boolean fine = checks.stream().allMatch(check -> "ok".equals(((Map<?, ?>) check).get("verdict")));
        assertEquals(fine, JsonReader.object(json.out()).get("fine"));
        assertEquals(fine ? Exit.FINE : Exit.WRONG, json.exit(), json.toString());
        assertEquals(fine ? Exit.FINE : Exit.WRONG, text.exit(), text.toString());
        assertTrue(text.out().contains("OK      native library        loads"), text.out());
        assertTrue(text.out().contains("OK      native access         granted"), text.out());
        assertEquals(checks.size(), text.lines().stream().filter(line -> line.matches("(OK|CHANGE) .*")).count());
    }

    @Test
    void theDoctorTellsWhyTheLibraryDoesNotLoad() {
        try (Tool absent = Tool.start(List.of("--enable-native-access=ALL-UNNAMED", "-Dlodestone.library=absent.so"), "doctor");
                Tool denied = Tool.start(List.of("--illegal-native-access=deny"), "doctor");
                Tool looking = Tool.start(List.of("--illegal-native-access=deny"), "stat", "--once", "-e", place())) {
            assertEquals(Exit.WRONG, absent.end().exit());
            assertTrue(absent.end().out().contains("CHANGE  native library        -Dlodestone.library names "),
                    absent.end().out());
            assertEquals(Exit.WRONG, denied.end().exit());
            assertTrue(denied.end().out().contains("CHANGE  native access         not granted"), denied.end().out());
            assertTrue(denied.end().out().contains("start java with --enable-native-access=ALL-UNNAMED"), denied.end().out());
            refused(Exit.WRONG, "denies native access", looking.end());
        }
    }

    @Test
    void helpAndVersionAreEverywhere() {
        for (String command : List.of("stat", "events", "logs", "slots", "route", "rollback", "engines", "doctor", "config")) {
            Tool.End help = Tool.run(command, "--help");
            assertEquals(Exit.FINE, help.exit(), help.toString());
            assertTrue(help.out().contains("Usage: lodestone " + command), help.out());
            assertTrue(help.out().contains("Examples:\n  lodestone " + command), help.out());
            assertTrue(help.out().contains("Exit codes:"), help.out());
            assertTrue(Tool.run(command, "--version").out().startsWith("lodestone "));
        }
        assertTrue(Tool.run("--help").out().contains("\n  doctor "));
        refused(Exit.USAGE, "a command is missing", Tool.run());
        refused(Exit.USAGE, "'rout'", Tool.run("rout"));
        refused(Exit.USAGE, "no time from 100ms to 1h", Tool.run("stat", "--interval", "1"));
    }
}
