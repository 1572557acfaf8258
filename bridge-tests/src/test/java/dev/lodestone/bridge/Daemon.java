package dev.lodestone.bridge;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A process of the program lodestoned, from the release build. */
final class Daemon implements AutoCloseable {
    private static final long LIMIT_SECONDS = 180;
    private static final Pattern READY = Pattern.compile(
            "LODESTONE READY quic=127\\.0\\.0\\.1:(\\d+) cert=(\\S+) pid=(\\d+) region=(\\S+)");

    private final Process process;
    private final Path errors;
    private final Matcher ready;

    private Daemon(Process process, Path errors) throws IOException {
        this.process = process;
        this.errors = errors;
        String line = String.valueOf(process.inputReader().readLine());
        ready = READY.matcher(line);
        if (!ready.matches()) {
            process.destroyForcibly();
            throw new AssertionError("no READY line but " + line + ", " + Files.readString(errors));
        }
    }

    /** Starts one whose files all lie in the folder; its region in {@code regions} there. */
    static Daemon start(Path folder, String more) {
        try {
            Path regions = Files.createDirectories(folder.resolve("regions"));
            Path temporary = Files.createDirectories(folder.resolve("temporary"));
            String yaml = Engines.small().set("runtime.shared_region", "file")
                    .set("runtime.shared_region_directory", "\"" + regions + "\"").build().toYaml();
            Path config = Files.writeString(folder.resolve("daemon.yaml"), more.isEmpty() ? yaml : changed(yaml, more));
            Path errors = folder.resolve("daemon.err");
            ProcessBuilder builder = new ProcessBuilder(program().toString(), "--config", config.toString());
            builder.environment().put("TMPDIR", temporary.toString());
            return new Daemon(builder.redirectError(errors.toFile()).start(), errors);
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    /** The text with another value of one key, given as {@code name: value}. */
    private static String changed(String yaml, String more) {
        String name = more.substring(0, more.indexOf(':'));
        return yaml.replaceFirst("(?m)^( *)" + name + ": .*$", "$1" + more);
    }

    static Path program() {
        Path program = Path.of(System.getProperty("lodestone.root"), "native", "target", "release", "lodestoned");
        if (!Files.isExecutable(program)) {
            throw new AssertionError(program + " is missing: run cargo build --release in native");
        }
        return program;
    }

    int port() {
        return Integer.parseInt(ready.group(1));
    }

    Path certificate() {
        return Path.of(ready.group(2));
    }

    Path region() {
        return Path.of(ready.group(4));
    }

    long pid() {
        return process.pid();
    }

    /** Ends it as a power failure would. */
    void kill() {
        Signals.send(pid(), "KILL");
        await();
    }

    /** Asks it to end; its exit status. */
    int end() {
        Signals.send(pid(), "TERM");
        return await();
    }

    private int await() {
        try {
            if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError("lodestoned does not end; its errors: " + problems());
            }
            return process.exitValue();
        } catch (InterruptedException interrupted) {
            throw new AssertionError(interrupted);
        }
    }

    String problems() {
        try {
            return Files.readString(errors);
        } catch (IOException unreadable) {
            return "unreadable: " + unreadable;
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
        await();
    }
}
