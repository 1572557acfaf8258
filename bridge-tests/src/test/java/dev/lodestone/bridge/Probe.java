package dev.lodestone.bridge;

import dev.lodestone.Engine;
import dev.lodestone.Status;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A client over real QUIC: a process of the program lodestone-probe, which is given commands and tells answers. */
final class Probe implements AutoCloseable {
    private static final long LIMIT_SECONDS = 120;
    private static final Pattern MEMBER = Pattern.compile("\"(\\w+)\":(?:\"([^\"]*)\"|\\[([^]]*)]|(\\w+))");

    /** One line of its output; the last line of all has the event "end". */
    record Line(String text, Map<String, String> members) {
        static Line of(String text) {
            Map<String, String> members = new HashMap<>();
            Matcher matcher = MEMBER.matcher(text);
            while (matcher.find()) {
                String string = matcher.group(2) == null ? matcher.group(3) : matcher.group(2);
                members.put(matcher.group(1), string == null ? matcher.group(4) : string);
            }
            return new Line(text, members);
        }

        String event() {
            return members.get("event");
        }

        boolean is(String event) {
            return event.equals(event());
        }

        boolean isOn(int stream) {
            return Integer.toString(stream).equals(members.get("stream"));
        }

        long number(String key) {
            String value = members.get(key);
            if (value == null) {
                throw new AssertionError("no " + key + " in " + text);
            }
            return Long.parseUnsignedLong(value);
        }

        Status status() {
            return Status.of((int) number("status_code"));
        }

        /** The list of numbers under a key. */
        List<Long> numbers(String key) {
            String list = members.get(key);
            return list.isEmpty() ? List.of() : Pattern.compile(",").splitAsStream(list).map(Long::valueOf).toList();
        }
    }

    private final Process process;
    private final Writer commands;
    private final BlockingQueue<Line> lines = new LinkedBlockingQueue<>();
    private final Path errors;
    private final Map<Integer, Long> counters = new HashMap<>();
    private final Line greeting;
    private int stream;

    private Probe(Process process, Path errors) {
        this.process = process;
        this.errors = errors;
        this.commands = process.outputWriter();
        Thread.ofPlatform().daemon().name("probe-output").start(this::readLines);
        counters.put(0, 1L);
        greeting = next();
    }

    /** A client with or without a token; its welcome or refusal has come. */
    static Probe open(Engine engine, Path folder, byte... token) {
        return open(engine, folder, List.of(), token);
    }

    /** A client that is told of changes. */
    static Probe openWithUpdates(Engine engine, Path folder, byte... token) {
        return open(engine, folder, List.of("--updates"), token);
    }

    private static Probe open(Engine engine, Path folder, List<String> options, byte... token) {
        try {
            Path home = Files.createTempDirectory(folder, "probe");
            Path errors = home.resolve("errors.txt");
            Path certificate = Files.writeString(home.resolve("certificate.pem"), engine.certificatePem());
            List<String> command = command(engine.quicAddress().getPort(), certificate);
            command.addAll(options);
            if (token.length > 0) {
                Path file = Files.writeString(home.resolve("token.hex"), HexFormat.of().formatHex(token));
                command.addAll(List.of("--token-file", file.toString()));
            }
            return new Probe(new ProcessBuilder(command).redirectError(errors.toFile()).start(), errors);
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    /** A client of an engine in a process of its own. */
    static Probe open(Daemon daemon, Path folder) {
        try {
            Path errors = Files.createTempDirectory(folder, "probe").resolve("errors.txt");
            ProcessBuilder builder = new ProcessBuilder(command(daemon.port(), daemon.certificate()));
            return new Probe(builder.redirectError(errors.toFile()).start(), errors);
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    private static List<String> command(int port, Path certificate) {
        return new ArrayList<>(List.of(program().toString(), "--target", "127.0.0.1:" + port,
                "--certificate", certificate.toString()));
    }

    private static Path program() {
        String suffix = System.getProperty("os.name").toLowerCase(Locale.ROOT).startsWith("windows") ? ".exe" : "";
        Path program = Path.of(System.getProperty("lodestone.root"), "native", "target", "release", "lodestone-probe" + suffix);
        if (!Files.isExecutable(program)) {
            throw new AssertionError(program + " is missing: run cargo build --release in native");
        }
        return program;
    }

    private void readLines() {
        try (BufferedReader reader = process.inputReader()) {
            String text = reader.readLine();
            while (text != null) {
                lines.add(Line.of(text));
                text = reader.readLine();
            }
        } catch (IOException killed) {
            // A process that was killed ends its output like one that is done.
        }
        lines.add(Line.of("{\"event\":\"end\"}"));
    }

    /** The welcome, or the refusal. */
    Line greeting() {
        return greeting;
    }

    /** The session's number. */
    int session() {
        return (int) greeting.number("session");
    }

    /** Writes commands at once. */
    void send(List<String> text) {
        try {
            commands.write(String.join("\n", text) + "\n");
            commands.flush();
        } catch (IOException broken) {
            throw new AssertionError("the probe takes no commands: " + problems(), broken);
        }
    }

    /** Writes the commands of frames for a stream, to leave together; the counter of the first. */
    long frames(int number, List<String> frames) {
        List<String> text = new ArrayList<>(frames);
        text.addFirst("hold");
        if (stream != number) {
            text.addFirst("stream " + number);
            stream = number;
        }
        text.add("go");
        long first = counters.getOrDefault(number, 0L);
        counters.put(number, first + frames.size());
        send(text);
        return first;
    }

    /** The counter of the next frame of a stream. */
    long counterNext(int number) {
        return counters.getOrDefault(number, 0L);
    }

    /** The next line, whatever it is. */
    Line next() {
        try {
            Line line = lines.poll(LIMIT_SECONDS, TimeUnit.SECONDS);
            if (line == null) {
                throw new AssertionError("the probe says nothing more; its errors: " + problems());
            }
            return line;
        } catch (InterruptedException interrupted) {
            throw new AssertionError(interrupted);
        }
    }

    /** The next line like this; those before it are dropped. */
    Line await(Predicate<Line> wanted) {
        List<Line> dropped = new ArrayList<>();
        while (true) {
            Line line = next();
            if (wanted.test(line)) {
                return line;
            }
            dropped.add(line);
            if (line.is("end")) {
                throw new AssertionError("not among " + dropped + "; its errors: " + problems());
            }
        }
    }

    Line await(String event) {
        return await(line -> line.is(event));
    }

    /** Sends one frame on the first stream and waits for what it became. */
    Status decide(String frame) {
        long counter = frames(0, List.of(frame));
        Status status = Status.OK;
        while (true) {
            Line line = await(one -> (one.is("reject") || one.is("ack")) && one.isOn(0));
            if (line.is("ack") && line.number("counter") >= counter) {
                return status;
            }
            status = line.is("reject") ? line.status() : status;
        }
    }

    /** Ends its input and waits for the process to end by itself. */
    int end() {
        try {
            commands.close();
        } catch (IOException gone) {
            // It has ended before: the exit status tells how.
        }
        return exit();
    }

    /** Waits for the process to end by itself. */
    int exit() {
        try {
            if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError("the probe does not end; its errors: " + problems());
            }
            return process.exitValue();
        } catch (InterruptedException interrupted) {
            throw new AssertionError(interrupted);
        }
    }

    /** What it complained about. */
    String problems() {
        try {
            return Files.readString(errors);
        } catch (IOException unreadable) {
            return "unreadable: " + unreadable;
        }
    }

    /** Ends the process without a word to the server. */
    @Override
    public void close() {
        process.destroyForcibly();
        exit();
    }
}
