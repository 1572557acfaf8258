package dev.lodestone.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Engine;
import dev.lodestone.MoveBatch;
import dev.lodestone.Route;
import dev.lodestone.Status;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The commands that ask an engine for something: route and rollback. */
@Timeout(value = 900, unit = TimeUnit.SECONDS)
class AskingTest {
    private static final int NODES = 50;

    @TempDir
    private Path folder;

    /** An engine with a chain of nodes. */
    private Engine open(String... keys) {
        var builder = Daemon.small(folder);
        for (int index = 0; index < keys.length; index += 2) {
            builder.set(keys[index], keys[index + 1]);
        }
        Engine engine = Engine.open(builder.build());
        MoveBatch batch = engine.moveBatch(1);
        for (int node = 0; node < NODES; node++) {
            batch.clear();
            batch.add(node, node + 1, 0x1_0007, 0);
            batch.submit();
            assertEquals(Status.OK, batch.status(0));
        }
        return engine;
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
    void aRouteIsPrintedWithItsCostAndItsPath() {
        try (Engine engine = open()) {
            Route route = engine.graph().route(3, 6);
            Tool.End text = Tool.run("route", "3", "6", "-e", place());
            assertEquals(Exit.FINE, text.exit(), text.toString());
            assertEquals(List.of("cost 21  hops 3  revision 50  settled " + route.settled(), "3 4 5 6"), text.lines());
            Tool.End json = Tool.run("route", "3", "6", "--json", "--timeout", "2m", "-e", place());
            assertEquals(Exit.FINE, json.exit(), json.toString());
            Map<?, ?> object = JsonReader.object(json.out());
            assertEquals(number(3), object.get("from"));
            assertEquals(number(6), object.get("to"));
            assertEquals(true, object.get("found"));
            assertEquals(number(21), object.get("cost"));
            assertEquals(number(3), object.get("hops"));
            assertEquals(number(50), object.get("revision"));
            assertEquals(number(route.settled()), object.get("settled"));
            assertEquals(LongStream.rangeClosed(3, 6).mapToObj(AskingTest::number).toList(), object.get("path"));
            assertEquals(true, object.get("path_complete"));
            Tool.End none = Tool.run("route", "6", "3", "-e", place());
            assertEquals(Exit.WRONG, none.exit(), none.toString());
            assertTrue(none.out().startsWith("no path from 6 to 3  revision 50  settled "), none.out());
            Map<?, ?> nowhere = JsonReader.object(Tool.run("route", "6", "3", "--json", "-e", place()).out());
            assertEquals(false, nowhere.get("found"));
            assertNull(nowhere.get("cost"));
            assertEquals(List.of(), nowhere.get("path"));
        }
    }

    @Test
    void aRouteThatCannotBeIsRefused() {
        try (Engine engine = open("graph.route_budget", "10")) {
            assertEquals(50, engine.revision());
            refused(Exit.WRONG, "used up its budget of settled vertices", Tool.run("route", "0", "50", "-e", place()));
            refused(Exit.USAGE, "leaves the graph", Tool.run("route", "0", "1000", "-e", place()));
            refused(Exit.USAGE, "is no node", Tool.run("route", "0", "-1", "-e", place()));
            refused(Exit.USAGE, "is no node", Tool.run("route", "4294967296", "0", "-e", place()));
            refused(Exit.USAGE, "B", Tool.run("route", "1", "-e", place()));
            refused(Exit.USAGE, "no time from 100ms to 1h", Tool.run("route", "1", "2", "--timeout", "5", "-e", place()));
        }
        refused(Exit.NO_ENGINE, "holds no region", Tool.run("route", "1", "2", "-e", place()));
    }

    @Test
    void aRollbackDoesWhatItSays() {
        // However slow the machine is, the rollback is within its time.
        try (Engine engine = open("monitoring.rollback_sla_ms", "60000")) {
            String before = engine.stateHash(20).toString();
            refused(Exit.USAGE, "say --yes", Tool.run("rollback", "20", "-e", place()));
            refused(Exit.WRONG, "revision 51 is not in the rollback window, which reaches from 0 to 50",
                    Tool.run("rollback", "51", "--yes", "-e", place()));
            refused(Exit.USAGE, "'x' is no revision", Tool.run("rollback", "x", "--yes", "-e", place()));
            refused(Exit.USAGE, "REV", Tool.run("rollback", "--yes", "-e", place()));
            refused(Exit.USAGE, "--before", Tool.run("rollback", "5", "--before", "1s", "--yes", "-e", place()));
            refused(Exit.USAGE, "no time such as", Tool.run("rollback", "--before", "soon", "--yes", "-e", place()));
            assertEquals(50, engine.revision());

            Tool.End json = Tool.run("rollback", "20", "--yes", "--json", "-e", place());
            assertEquals(Exit.FINE, json.exit(), json.toString());
            Map<?, ?> object = JsonReader.object(json.out());
            assertEquals(number(50), object.get("from_revision"));
            assertEquals(number(20), object.get("to_revision"));
            assertEquals(number(30), object.get("revisions_undone"));
            assertEquals(number(30 * 2), object.get("changes_undone"));
            assertEquals(true, object.get("within_sla"));
            assertEquals(number(1), object.get("branch"));
            assertEquals(number(engine.commit().edges()), object.get("edges"));
            assertEquals(before, object.get("hash"));
            assertEquals(before, engine.verifyHash().toString());
            assertEquals(20, engine.revision());

            Tool.End text = Tool.run("rollback", "--before", "1h", "-y", "-e", place());
            assertEquals(Exit.FINE, text.exit(), text.toString());
            assertTrue(text.lines().getFirst().matches(
                    "went back from revision 20 to 0: 40 changes of 20 revisions undone in [0-9.]+ (ns|us|ms|s)"), text.out());
            assertEquals("branch 2  edges 0  hash " + engine.stateHash(), text.lines().getLast());
            assertEquals(0, engine.revision());
        }
    }

    /** On a terminal, which the program script makes. */
    private String onTerminal(String answer, String command) throws IOException, InterruptedException {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        String line = java + " -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED -cp "
                + System.getProperty("java.class.path") + " " + Lodestone.class.getName() + " " + command + " -e " + place();
        Path out = folder.resolve("terminal.txt");
        ProcessBuilder builder = new ProcessBuilder("script", "-qec", line, "/dev/null");
        builder.environment().remove("JDK_JAVA_OPTIONS");
        Process process = builder.redirectErrorStream(true).redirectOutput(out.toFile()).start();
        process.getOutputStream().write(answer.getBytes(StandardCharsets.UTF_8));
        process.getOutputStream().flush();
        assertTrue(process.waitFor(180, TimeUnit.SECONDS), () -> "it waits for ever");
        return "exit " + process.exitValue() + ": " + Files.readString(out);
    }

    @Test
    void onATerminalItAsksFirst() throws IOException, InterruptedException {
        try (Engine engine = open()) {
            String question = "at revision 50. Going back to 20 undoes 30 revisions, for good. Go back? [y/N]";
            String no = onTerminal("n\n", "rollback 20");
            assertTrue(no.startsWith("exit 1: ") && no.contains(question) && no.contains("nothing was changed"), no);
            assertEquals(50, engine.revision());
            String outside = onTerminal("y\n", "rollback 60");
            assertTrue(outside.startsWith("exit 1: ") && outside.contains("is not in the rollback window"), outside);
            assertFalse(outside.contains("Go back?"), outside);
            String agreed = onTerminal("y\n", "rollback 20");
            assertTrue(agreed.startsWith("exit 0: ") && agreed.contains(question) && agreed.contains("went back"), agreed);
            assertEquals(20, engine.revision());
        }
    }

    @Test
    void aStandAloneEngineIsAskedTheSameWay() throws IOException {
        Path regions = Files.createDirectory(folder.resolve("regions"));
        try (Daemon daemon = Daemon.start(regions, folder)) {
            Tool.End none = Tool.run("route", "1", "2", "-e", regions.toString());
            assertEquals(Exit.WRONG, none.exit(), none.toString());
            assertTrue(none.out().startsWith("no path from 1 to 2  revision 0"), none.out());
            Tool.End back = Tool.run("rollback", "0", "--yes", "-e", regions.toString());
            assertEquals(Exit.FINE, back.exit(), back.toString());
            daemon.kill();
            refused(Exit.NO_ENGINE, "gone", Tool.run("rollback", "0", "--yes", "-e", regions.toString()));
        }
    }
}
