package dev.lodestone.internal;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * The process that an attached region belongs to: whether it lives. Any thread.
 *
 * <p>The system is asked about the process where it can be seen; its number alone would not do, as numbers come back. From
 * another process namespace, a container that shares the folder, it cannot be seen, and then its signs of life decide alone.
 */
final class OwnerProcess {
    /** A sign of life comes every 100 ms; this long without one says nothing yet of a machine under load. */
    private static final long FRESH_MS = 2_000;
    /** This long without a sign of life from a process that cannot be seen means that it is gone. */
    private static final long SILENT_NANOS = TimeUnit.SECONDS.toNanos(10);
    /** The system tells when a process began in hundredths of a second after a start that it knows to the second. */
    private static final long START_SLACK_MS = 2_000;
    private static final long LOOK_MS = 20;

    private final long base;
    private final long pid;
    /** Null when the process cannot be seen from here. */
    private final ProcessHandle handle;
    private volatile long lastBeat;
    private volatile long lastBeatNanos;

    private OwnerProcess(long base, long pid, ProcessHandle handle) {
        this.base = base;
        this.pid = pid;
        this.handle = handle;
        this.lastBeat = heartbeat();
        this.lastBeatNanos = System.nanoTime();
    }

    static OwnerProcess of(long base) {
        long pid = Integer.toUnsignedLong(Words.intAt(base + Region.AT_PID));
        long startUnixMs = Words.longAt(base + Region.AT_START);
        return new OwnerProcess(base, pid, seen(pid, startUnixMs).orElse(null));
    }

    /** The process of this number, if it is old enough to have started the engine. */
    private static Optional<ProcessHandle> seen(long pid, long engineStartUnixMs) {
        return ProcessHandle.of(pid).filter(process -> {
            Instant start = process.info().startInstant().orElse(Instant.EPOCH);
            return start.toEpochMilli() - START_SLACK_MS <= engineStartUnixMs;
        });
    }

    long pid() {
        return pid;
    }

    /** Whether there is such a process, for somebody who has not looked before: waits for a sign of life if need be. */
    boolean isThere() {
        if (handle != null) {
            return !isGone();
        }
        long age = System.currentTimeMillis() - heartbeat();
        if (age < 0 || age > FRESH_MS) {
            return false;
        }
        long first = lastBeat;
        for (long waited = 0; waited < FRESH_MS; waited += LOOK_MS) {
            if (heartbeat() != first) {
                return true;
            }
            try {
                Thread.sleep(LOOK_MS);
            } catch (InterruptedException interrupted) {
                // Undecided, and nobody waits: what was there a moment ago is taken to be there.
                Thread.currentThread().interrupt();
                return true;
            }
        }
        return false;
    }

    boolean isGone() {
        long beat = heartbeat();
        if (beat != lastBeat) {
            lastBeat = beat;
            lastBeatNanos = System.nanoTime();
            return handle != null && !handle.isAlive();
        }
        if (handle == null) {
            return System.nanoTime() - lastBeatNanos > SILENT_NANOS;
        }
        return !handle.isAlive() || isZombie();
    }

    /** A process that has ended keeps its number until its parent takes notice, which some parents never do. */
    private boolean isZombie() {
        try {
            String stat = Files.readString(Path.of("/proc", Long.toString(pid), "stat"), StandardCharsets.ISO_8859_1);
            // The name before the state is in parentheses and may hold any others.
            int name = stat.lastIndexOf(')');
            return name >= 0 && stat.startsWith(" Z", name + 1);
        } catch (IOException unreadable) {
            // No such file system, or the process has gone this very moment.
            return false;
        }
    }

    private long heartbeat() {
        return Words.opaque(base + Region.AT_HEARTBEAT);
    }
}
