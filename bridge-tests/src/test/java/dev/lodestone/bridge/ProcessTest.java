package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Engine;
import dev.lodestone.EngineConfig;
import dev.lodestone.EngineException;
import dev.lodestone.MoveBatch;
import dev.lodestone.RollbackException;
import dev.lodestone.RouteException;
import dev.lodestone.bridge.Child.End;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Whole processes: the flag, foreign libraries, the command line, the module path; and what refusals say. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class ProcessTest {
    private static final String FLAG = "--enable-native-access=ALL-UNNAMED";
    private static final String DENY = "--illegal-native-access=deny";
    private static final int SIGTERM_EXIT = 128 + 15;
    private static final Pattern READY =
            Pattern.compile("LODESTONE READY quic=(127\\.0\\.0\\.1):(\\d+) cert=(\\S+) pid=(\\d+)");

    @TempDir
    private Path folder;

    private Path smallConfig() throws IOException {
        return Files.writeString(folder.resolve("small.yaml"), Engines.small().build().toYaml());
    }

    private static List<String> main(List<String> options, String... arguments) {
        List<String> command = new ArrayList<>(options);
        command.addAll(Child.libraryOption());
        command.addAll(List.of("-cp", Child.productPath(), "dev.lodestone.Main"));
        command.addAll(List.of(arguments));
        return command;
    }

    /** Starts a server, waits for its line, ends it with the signal, and checks the whole. */
    private void serveAndEnd(List<String> command, String expectedInErr) throws IOException, InterruptedException {
        Process server = Child.start(command);
        String line = new BufferedReader(server.inputReader()).readLine();
        Matcher ready = READY.matcher(String.valueOf(line));
        if (!ready.matches()) {
            server.destroyForcibly();
            throw new AssertionError("no ready line but: " + line + "\n" + Child.end(server).err());
        }
        Path certificate = Path.of(ready.group(3));
        assertTrue(Files.readString(certificate).startsWith("-----BEGIN CERTIFICATE-----"));
        assertEquals("rwx------", PosixFilePermissions.toString(
                Files.getPosixFilePermissions(certificate.getParent())));
        assertEquals(server.pid(), Long.parseLong(ready.group(4)));
        // On the systems that run this test, destroy() sends SIGTERM; that of the handle leaves the pipes open.
        server.toHandle().destroy();
        End end = Child.end(server);
        assertEquals(0, end.exit(), end.err());
        assertEquals("", end.out());
        assertTrue(end.err().contains(expectedInErr), end.err());
        assertFalse(Files.exists(certificate), "the certificate's folder was left behind");
    }

    @Test
    void serveAnswersAndEndsCleanly() throws Exception {
        serveAndEnd(main(List.of(FLAG, DENY), "serve", "--config", smallConfig().toString()),
                "transport::server: listening address=127.0.0.1:");
    }

    @Test
    void aGraphIsLoadedBeforeTheFirstConnection() throws Exception {
        Path graph = Files.write(folder.resolve("two.arcs"), new byte[] {1, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0,
            2, 0, 0, 0, 3, 0, 0, 0, 7, 0, 0, 0});
        List<String> command = main(List.of(FLAG, DENY), "serve", "--config", smallConfig().toString(), "--graph",
                graph.toString());
        serveAndEnd(command, "two.arcs: 2 arcs in ");
        Files.write(graph, new byte[13]);
        End end = Child.run(command);
        assertEquals(1, end.exit());
        assertEquals("", end.out());
        assertTrue(end.err().contains("13 bytes"), end.err());
    }

    @Test
    void aMissingFlagIsNamedAndWorksWhereTheJvmAllowsIt() throws Exception {
        serveAndEnd(main(List.of(), "serve", "--port", "0", "--config", smallConfig().toString()), "start java with " + FLAG);
    }

    @Test
    void aMissingFlagIsNamedWhereTheJvmDeniesAccess() throws Exception {
        End end = Child.run(main(List.of(DENY), "serve", "--config", smallConfig().toString()));
        assertEquals(1, end.exit());
        assertTrue(end.err().contains("denies native access"), end.err());
        assertTrue(end.err().contains("start java with " + FLAG), end.err());
        assertFalse(end.err().contains("WARNING"), "a warning of what is denied: " + end.err());
        assertFalse(end.err().contains("\tat "), "a stack trace for a usage mistake: " + end.err());
    }

    @Test
    void theModulePathNeedsOneFlagOnly() throws Exception {
        List<String> command = new ArrayList<>(Child.libraryOption());
        command.addAll(List.of("--enable-native-access=dev.lodestone.bindings", DENY, "-p", Child.productPath(),
                "-m", "dev.lodestone/dev.lodestone.Main", "serve", "--config", smallConfig().toString()));
        serveAndEnd(command, "");
    }

    @Test
    void aSmallHeapIsEnough() throws Exception {
        serveAndEnd(main(List.of(FLAG, DENY, "-Xmx32m"), "serve", "--config", smallConfig().toString()), "");
    }

    @Test
    void aSignalDuringTheStartLeavesNothingBehind() throws Exception {
        Path regions = Files.createDirectory(folder.resolve("regions"));
        Path temporary = Files.createDirectory(folder.resolve("temporary"));
        Path config = Files.writeString(folder.resolve("large.yaml"), Engines.small().arenaCapacity(1_000_000)
                .set("arena.preallocate", "true").set("graph.edges_max", 4_000_000).set("runtime.shared_region", "file")
                .set("runtime.shared_region_directory", "\"" + regions + "\"").build().toYaml());
        for (long millis = 250; millis <= 1_750; millis += 250) {
            Process server = Child.start(main(List.of(FLAG, DENY, "-Djava.io.tmpdir=" + temporary), "serve", "--config",
                    config.toString()));
            Thread.sleep(millis);
            server.toHandle().destroy();
            End end = Child.end(server);
            assertTrue(end.exit() == 0 || end.exit() == SIGTERM_EXIT, millis + " ms: " + end);
            assertEquals(List.of(), filesIn(regions, ".*"), millis + " ms: " + end);
            assertEquals(List.of(), filesIn(temporary, ".*certificate\\.pem"), millis + " ms: " + end);
        }
    }

    private static List<Path> filesIn(Path folder, String pattern) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(file -> Files.isRegularFile(file) && file.getFileName().toString().matches(pattern)).toList();
        }
    }

    @Test
    void refusalsNameWhatWasAskedForAndWhatToDo() throws Exception {
        try (Engine engine = Engines.open()) {
            MoveBatch batch = engine.moveBatch(1);
            batch.add(1, 2, 0x1_0003, 0);
            batch.submit();
            assertThrows(IllegalStateException.class, batch::submit);
            assertEquals(1, engine.revision());
            batch.clear();
            for (long revision : new long[] {77, -1}) {
                String text = "revision " + Long.toUnsignedString(revision)
                        + " is not in the rollback window, which reaches from 0 to 1. What to do: ";
                String past = assertThrows(RollbackException.class, () -> engine.stateHash(revision)).getMessage();
                assertTrue(past.startsWith(text), past);
                String back = assertThrows(RollbackException.class, () -> engine.rollback(revision)).getMessage();
                assertTrue(back.startsWith(text), back);
            }
            assertEquals(0, engine.revisionBefore(Duration.ofSeconds(Long.MAX_VALUE)));
            String route = assertThrows(RouteException.class, () -> engine.graph().route(5, 1_000)).getMessage();
            assertTrue(route.endsWith("What to do: keep both nodes below graph.nodes_max, 1000."), route);
            Path absent = folder.resolve("absent.lsg");
            String load = assertThrows(EngineException.class, () -> engine.graph().load(absent)).getMessage();
            assertEquals(1, load.split("What to do:", -1).length - 1, load);
            assertTrue(load.endsWith("What to do: check the path."), load);
            assertEquals("handler", assertThrows(NullPointerException.class, () -> engine.events().poll(null, 1)).getMessage());
            assertEquals("age", assertThrows(NullPointerException.class, () -> engine.revisionBefore(null)).getMessage());
        }
    }

    private Path compiled(String name, String source) throws IOException, InterruptedException {
        Path file = Files.writeString(folder.resolve(name + ".c"), source);
        Path library = folder.resolve(name + ".so");
        Process compiler = new ProcessBuilder("cc", "-shared", "-fPIC", "-o", library.toString(), file.toString())
                .redirectErrorStream(true).start();
        String said = new String(compiler.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, compiler.waitFor(), said);
        return library;
    }

    private void refusedLibrary(Path library, String expected) throws IOException, InterruptedException {
        End end = Child.run(List.of(FLAG, DENY, "-Dlodestone.library=" + library, "-cp", Child.productPath(),
                "dev.lodestone.Main", "serve", "--config", smallConfig().toString()));
        assertEquals(1, end.exit(), end.err());
        assertTrue(end.err().contains(expected), end.err());
        assertTrue(end.err().contains("What to do: "), end.err());
        assertFalse(end.err().contains("\tat "), end.err());
    }

    @Test
    void foreignLibrariesAreRefusedInPlainWords() throws Exception {
        refusedLibrary(compiled("other_abi", "unsigned long long lodestone_abi_fingerprint(void) { return 0x1234; }\n"),
                "has ABI 0000000000001234, these bindings were made for ");
        refusedLibrary(compiled("stranger", "int stranger(void) { return 0; }\n"), "is not a Lodestone library");
        refusedLibrary(Files.writeString(folder.resolve("text.so"), "no library"), "cannot be loaded");
        refusedLibrary(folder.resolve("absent.so"), "which is no file");
    }

    @Test
    void theCommandLineIsChecked() throws Exception {
        for (String[] wrong : new String[][] {{}, {"run"}, {"serve", "--port"}, {"serve", "--port", "x"},
            {"serve", "--port", "65536"}, {"serve", "--config"}, {"serve", "--graph"}}) {
            End end = Child.run(main(List.of(FLAG), wrong));
            assertEquals(2, end.exit(), end.err());
            assertTrue(end.err().contains("usage: "), end.err());
        }
        End help = Child.run(main(List.of(FLAG), "--help"));
        assertEquals(0, help.exit());
        assertTrue(help.out().startsWith("usage: "));
    }

    @Test
    void theEffectiveConfigurationIsPrintedAndReadsBack() throws Exception {
        Path given = Files.writeString(folder.resolve("given.yaml"), "arena:\n  capacity: 77\n");
        End end = Child.run(main(List.of(), "serve", "--config", given.toString(), "--port", "9", "--print-config"));
        assertEquals(0, end.exit(), end.err());
        EngineConfig printed = EngineConfig.load(Files.writeString(folder.resolve("printed.yaml"), end.out()));
        assertEquals(EngineConfig.builder().arenaCapacity(77).listen("127.0.0.1:9").build(), printed);
    }

    @Test
    void aBadConfigurationEndsWithItsPlace() throws Exception {
        Path bad = Files.writeString(folder.resolve("bad.yaml"), "arena:\n  capacity: none\n");
        End end = Child.run(main(List.of(FLAG), "serve", "--config", bad.toString()));
        assertEquals(1, end.exit());
        assertTrue(end.err().contains("bad.yaml:2: arena.capacity: found the text \"none\", allowed is a whole number"),
                end.err());
    }
}
