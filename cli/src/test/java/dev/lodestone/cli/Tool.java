package dev.lodestone.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;

/** The program lodestone in a process of its own. */
final class Tool implements AutoCloseable {
    private static final long LIMIT_SECONDS = 180;
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

    /** How it ended. */
    record End(int exit, String out, String err) {
        List<String> lines() {
            return out.lines().toList();
        }
    }

    private final Process process;
    private final Path out;
    private final Path err;

    private Tool(Process process, Path out, Path err) {
        this.process = process;
        this.out = out;
        this.err = err;
    }

    static Tool start(List<String> javaOptions, String... arguments) {
        try {
            Path out = Files.createTempFile("lodestone-tool", ".out");
            Path err = Files.createTempFile("lodestone-tool", ".err");
            List<String> command = new ArrayList<>();
            command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
            command.addAll(List.of("-cp", System.getProperty("java.class.path"), "-XX:+UseSerialGC"));
            command.addAll(javaOptions);
            command.add(Lodestone.class.getName());
            command.addAll(List.of(arguments));
            ProcessBuilder builder = new ProcessBuilder(command);
            builder.environment().remove("JDK_JAVA_OPTIONS");
            return new Tool(builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start(), out, err);
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    static Tool start(String... arguments) {
        return start(List.of("--enable-native-access=ALL-UNNAMED", "--illegal-native-access=deny"), arguments);
    }

    static End run(String... arguments) {
        try (Tool tool = start(arguments)) {
            return tool.end();
        }
    }

    /** Waits until what it has printed is as wished. */
    void await(Predicate<List<String>> printed) {
        long start = System.nanoTime();
        while (!printed.test(text(out).lines().toList())) {
            if (System.nanoTime() - start > TimeUnit.SECONDS.toNanos(LIMIT_SECONDS) || !process.isAlive()) {
                throw new AssertionError("it printed " + text(out) + text(err));
            }
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }

    End end() {
        try {
            if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError("it does not end; it printed " + text(out) + text(err));
            }
        } catch (InterruptedException interrupted) {
            throw new AssertionError(interrupted);
        }
        return new End(process.exitValue(), text(out), text(err));
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
        try {
            process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS);
            Files.delete(out);
            Files.delete(err);
        } catch (IOException | InterruptedException broken) {
            throw new AssertionError(broken);
        }
    }
}
