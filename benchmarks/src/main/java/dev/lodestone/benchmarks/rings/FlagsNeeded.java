package dev.lodestone.benchmarks.rings;

import dev.lodestone.Commands;
import dev.lodestone.Engine;
import dev.lodestone.EngineConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * How many flags of the JVM a library needs to take one record without a warning about them: begun with every flag that one
 * of them asks for, one after the other is left out, each for good when it was not missed. Every try is a JVM of its own.
 */
public final class FlagsNeeded {
    private static final List<String> OURS = List.of("--enable-native-access=ALL-UNNAMED");
    private static final List<String> AGRONA =
            List.of("--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow");
    /** The JVM's warnings, and a library's that asks for a flag; not those about a pause. */
    private static final Pattern ABOUT_FLAGS = Pattern.compile("WARNING: .*(restricted method|sun\\.misc\\.Unsafe|--add-)");
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private FlagsNeeded() {}

    /**
     * Counts, or takes one record.
     *
     * @param arguments the file to write, a folder in memory, then the flags that Chronicle Queue's maker names; or a library
     *     and a folder
     * @throws IOException when the file cannot be written
     * @throws InterruptedException when it is interrupted
     */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        if (arguments.length == 2) {
            takeOne(arguments[0], Path.of(arguments[1]));
            return;
        }
        List<String> flags = new ArrayList<>(List.of(arguments).subList(2, arguments.length));
        Map<String, Integer> counts = new TreeMap<>(Map.of("chronicle_queue.named", flags.size()));
        flags.addAll(OURS);
        flags.addAll(AGRONA);
        for (String library : List.of("ours", "agrona", "chronicle_queue")) {
            List<String> needed = needed(library, arguments[1], flags);
            System.out.println(library + " needs " + needed);
            counts.put(library, needed.size());
        }
        Files.writeString(Path.of(arguments[0]), counts.entrySet().stream()
                .map(entry -> String.format(Locale.ROOT, " \"flags.%s\": {\"unit\": \"flags\", \"rounds\": [%d]}",
                        entry.getKey(), entry.getValue()))
                .collect(Collectors.joining(",\n", "{\"metrics\": {\n", "\n}}\n")));
    }

    private static List<String> needed(String library, String folder, List<String> flags)
            throws IOException, InterruptedException {
        String complaint = complaint(library, folder, flags);
        if (!complaint.isEmpty()) {
            throw new IllegalStateException(library + " has all flags: " + complaint);
        }
        List<String> needed = new ArrayList<>(flags);
        for (String flag : flags) {
            needed.remove(flag);
            if (!complaint(library, folder, needed).isEmpty()) {
                needed.add(flag);
            }
        }
        return needed;
    }

    /** What a JVM with these flags said when it failed or warned; empty when all was well. */
    private static String complaint(String library, String folder, List<String> flags) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(flags);
        command.addAll(List.of("-Dchronicle.analytics.disable=true", "-cp", System.getProperty("java.class.path"),
                FlagsNeeded.class.getName(), library, folder));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes());
        return process.waitFor() == 0 && !ABOUT_FLAGS.matcher(said).find() ? "" : "exit " + process.exitValue() + "; " + said;
    }

    private static void takeOne(String library, Path folder) {
        switch (library) {
            case "ours" -> takeMove();
            case "agrona" -> takeFrom(new AgronaPeers.Stream(null, "flags", false, false));
            case "chronicle_queue" -> {
                // It has taken a record once it is open.
                ChroniclePeers peer = new ChroniclePeers(null, "flags", false, folder);
                peer.close();
            }
            default -> throw new IllegalArgumentException("no library is called " + library);
        }
    }

    private static void takeFrom(PeerStream peer) {
        peer.produce(1);
        Message.check(peer.name(), peer.consume(1), 1, false);
    }

    private static void takeMove() {
        try (Engine engine = Engine.open(EngineConfig.builder().set("transport.listen", "127.0.0.1:0").build());
                Commands commands = engine.commands()) {
            if (commands.tryMove(0, 1, 0x1_0001, 0) == Commands.FULL || !commands.awaitDecided(commands.sent(), PATIENCE)) {
                throw new IllegalStateException("the engine decides nothing");
            }
        }
    }
}
