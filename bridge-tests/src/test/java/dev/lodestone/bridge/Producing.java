package dev.lodestone.bridge;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** A JVM of its own that runs {@link AttachedProducer}, without the native library on its class path. */
final class Producing implements AutoCloseable {
    private static final long LIMIT_SECONDS = 180;
    private static final long LOOK_NS = 50_000;

    private final Process process;
    private final BufferedReader out;
    private final MemorySegment told;
    private final int node;
    private long begun;

    private Producing(Process process, MemorySegment told, int node) {
        this.process = process;
        this.out = process.inputReader();
        this.told = told;
        this.node = node;
    }

    /** Starts one with further options of the JVM; its file is new and lies in the folder. */
    static Producing start(Path region, String role, int node, Path folder, String... options) {
        Path file = folder.resolve("told-" + node + "-" + System.nanoTime());
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ,
                StandardOpenOption.WRITE)) {
            MemorySegment told = channel.map(MapMode.READ_WRITE, 0, AttachedProducer.TOLD_BYTES, Arena.ofAuto());
            List<String> command = new ArrayList<>(List.of(options));
            command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "--illegal-native-access=deny", "-Xmx64m",
                    "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", Reader.classPath(), AttachedProducer.class.getName(),
                    region.toString(), role, Integer.toString(node), file.toString()));
            return new Producing(Child.start(command), told, node);
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    /** The next thing that it says; what it says is flushed line by line. */
    String line() {
        long asked = System.nanoTime();
        try {
            while (!out.ready() && process.isAlive()) {
                if (System.nanoTime() - asked > TimeUnit.SECONDS.toNanos(LIMIT_SECONDS)) {
                    return "nothing";
                }
                LockSupport.parkNanos(LOOK_NS);
            }
            return String.valueOf(out.readLine());
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    /** Waits until it says something that begins so; ends it where it says anything else. */
    Producing says(String words) {
        String line = line();
        if (!line.startsWith(words)) {
            close();
            throw new AssertionError("it says " + line + " instead of " + words);
        }
        begun = committed();
        return this;
    }

    /** Lets it go on after it said {@code held} or {@code gone}. */
    void goOn() {
        try {
            process.getOutputStream().write('\n');
            process.getOutputStream().flush();
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    int node() {
        return node;
    }

    /** The version of which it set out when it said something last. */
    long begun() {
        return begun;
    }

    /** The version that its last committed move makes; one batch more may be committed. */
    long committed() {
        return told.get(ValueLayout.JAVA_LONG, 0);
    }

    /** A version that it knows to be decided. */
    long acknowledged() {
        return told.get(ValueLayout.JAVA_LONG, 8);
    }

    void signal(String name) {
        Signals.send(process.pid(), name);
    }

    /** Ends it at whatever instruction it is; returns when it is no more. */
    void kill() {
        process.destroyForcibly();
        try {
            if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError("the producer does not end");
            }
        } catch (InterruptedException interrupted) {
            throw new AssertionError(interrupted);
        }
    }

    @Override
    public void close() {
        kill();
    }
}
