package dev.lodestone.bridge;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A JVM of its own that runs {@link AttachedReader}, without the native library on its class path. */
final class Reader implements AutoCloseable {
    private static final long LIMIT_SECONDS = 180;

    private final Process process;
    private final BufferedReader out;
    private final String greeting;

    private Reader(Process process) throws IOException {
        this.process = process;
        this.out = process.inputReader();
        this.greeting = String.valueOf(out.readLine());
    }

    static Reader start(Path region, String... position) {
        try {
            return new Reader(Child.start(command(region, position)));
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    static List<String> command(Path region, String... position) {
        List<String> command = new ArrayList<>(List.of("--enable-native-access=ALL-UNNAMED", "--illegal-native-access=deny",
                "-Xmx64m", "-cp", classPath(), AttachedReader.class.getName(), region.toString()));
        command.addAll(List.of(position));
        return command;
    }

    /** The API, its bindings and these tests; not the jar or folder that holds the native library. */
    static String classPath() {
        List<String> parts = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(part -> part.matches(".*(bridge-tests|java-api|jextract|lodestone-bindings|lodestone-[0-9]|snakeyaml).*"))
                .toList();
        if (parts.stream().anyMatch(part -> part.contains("native"))) {
            throw new AssertionError("the native library is on " + parts);
        }
        return String.join(File.pathSeparator, parts);
    }

    String greeting() {
        return greeting;
    }

    /** One of the numbers of the greeting: 1 is the instance, 2 the position. */
    long told(int word) {
        return Long.parseLong(greeting.split(" ")[word]);
    }

    long pid() {
        return process.pid();
    }

    /** Sends a signal by its name. */
    void signal(String name) {
        Signals.send(process.pid(), name);
    }

    /** Asks it to end; what it saw. */
    String stop() {
        try {
            process.getOutputStream().write('\n');
            process.getOutputStream().flush();
        } catch (IOException ended) {
            // It has ended by itself: its last line tells how.
        }
        return end();
    }

    /** Waits until it ends by itself; what it saw. */
    String end() {
        try {
            String line = String.valueOf(out.readLine());
            if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError("the reader does not end");
            }
            return line + (process.exitValue() == 0 ? "" : " exit " + process.exitValue());
        } catch (IOException | InterruptedException broken) {
            throw new AssertionError(broken);
        }
    }

    /** A number of the last line. */
    static long number(String line, String name) {
        Matcher matcher = Pattern.compile("\\b" + name + "=(\\d+)").matcher(line);
        if (!matcher.find()) {
            throw new AssertionError("no " + name + " in " + line);
        }
        return Long.parseLong(matcher.group(1));
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
