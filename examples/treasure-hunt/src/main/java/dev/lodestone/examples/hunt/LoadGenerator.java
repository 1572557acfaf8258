package dev.lodestone.examples.hunt;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** The client, a process of its own: it opens the connections and walks the hunters. Its errors go to our standard error. */
final class LoadGenerator implements AutoCloseable {
    /** It says something each second; a silence this long means that it hangs. */
    private static final long SILENCE_SECONDS_MAX = 60;
    private static final long EXIT_SECONDS_MAX = 60;
    private static final int SIGNALLED = 128;
    /** Marks the end of its output; never a line, for lines are compared by identity. */
    private static final String END = new String("end");

    private final Process process;
    private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();

    private LoadGenerator(Process process) {
        this.process = process;
        Thread reader = new Thread(this::readLines, "load-generator-output");
        reader.setDaemon(true);
        reader.start();
    }

    /**
     * Starts it.
     *
     * @param program the program
     * @param arguments its arguments
     * @return the running process
     * @throws HuntException when it cannot be started
     */
    static LoadGenerator start(Path program, List<String> arguments) throws HuntException {
        if (!Files.isExecutable(program)) {
            throw new HuntException("The load generator " + program + " is not there. What to do: build it with"
                    + " `cargo build --release` in native/, or give --load-generator FILE.");
        }
        ProcessBuilder builder = new ProcessBuilder();
        builder.command().add(program.toAbsolutePath().toString());
        builder.command().addAll(arguments);
        builder.redirectError(ProcessBuilder.Redirect.INHERIT);
        try {
            Process process = builder.start();
            process.getOutputStream().close();
            return new LoadGenerator(process);
        } catch (IOException bad) {
            throw new HuntException("The load generator " + program + " cannot be started: " + bad.getMessage(), bad);
        }
    }

    /**
     * How it ended, for people.
     *
     * @param status its exit status
     * @return half a sentence
     */
    static String ending(int status) {
        // Java reports 128 and the signal for a process that a signal ended.
        return status > SIGNALLED
                ? "was killed by signal " + (status - SIGNALLED)
                : "ended with status " + status + "; see its message above";
    }

    private void readLines() {
        try (BufferedReader reader = process.inputReader(StandardCharsets.UTF_8)) {
            reader.lines().forEach(lines::add);
        } catch (IOException | UncheckedIOException closed) {
            // The process is gone or was ended by us: what it said before counts, and its exit status tells the rest.
        } finally {
            lines.add(END);
        }
    }

    /**
     * Hands over everything it says, until it says no more.
     *
     * @param consumer takes each event, on the calling thread
     * @throws HuntException when it falls silent or says what nobody understands
     * @throws InterruptedException when the caller is interrupted
     */
    void events(Consumer<LoadEvent> consumer) throws HuntException, InterruptedException {
        while (true) {
            String line = lines.poll(SILENCE_SECONDS_MAX, TimeUnit.SECONDS);
            if (line == null) {
                throw new HuntException("The load generator has said nothing for " + SILENCE_SECONDS_MAX + " seconds");
            }
            if (line == END) {
                return;
            }
            try {
                LoadEvent.parse(line).ifPresent(consumer);
            } catch (JsonException bad) {
                throw new HuntException("The load generator said what nobody understands, " + bad.getMessage() + ": " + line,
                        bad);
            }
        }
    }

    /**
     * Waits for its end.
     *
     * @return its exit status
     * @throws HuntException when it does not end
     * @throws InterruptedException when the caller is interrupted
     */
    int exitStatus() throws HuntException, InterruptedException {
        if (!process.waitFor(EXIT_SECONDS_MAX, TimeUnit.SECONDS)) {
            throw new HuntException("The load generator has not ended " + EXIT_SECONDS_MAX + " seconds after its last word");
        }
        return process.exitValue();
    }

    /** Ends it if it still runs. */
    @Override
    public void close() {
        process.destroy();
    }
}
