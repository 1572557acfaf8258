package dev.lodestone.internal;

import dev.lodestone.EngineException;
import dev.lodestone.LogHandler;
import dev.lodestone.LogReader;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Forwards the log records of an engine in this process to the logger {@code dev.lodestone.native}: one daemon thread that looks
 * ten times a second and allocates only when there is a record. A library is silent unless something is wrong: what is routine
 * gets the level that its user wants.
 *
 * <p>It tells the engine how far it is, so that the close waits for a moment until the last record is out.
 */
public final class LogForwarder implements AutoCloseable {
    private static final long LOOK_NS = TimeUnit.MILLISECONDS.toNanos(100);
    /** While the engine closes, which waits for what this thread has not taken. */
    private static final long LOOK_CLOSING_NS = TimeUnit.MILLISECONDS.toNanos(1);
    /** Records between two words to the engine. */
    private static final int POLL_MAX = 64;
    /** Looks on the thread that opens the engine; a start writes a few records. */
    private static final int POLLS_AT_START_MAX = 4;
    /** A logger that hangs does not hold up the close for longer. */
    private static final Duration JOIN_MAX = Duration.ofSeconds(1);

    private static final Logger LOGGER = System.getLogger("dev.lodestone.native");

    private final Region region;
    private final LogReader reader;
    private final Level routine;
    private final LogHandler handler = this::tell;
    private final Thread thread;
    private long missedTold;
    private volatile boolean closing;
    private volatile boolean closed;

    /**
     * Starts to forward, with the first record that there is. What is there already is out when this returns: who is told to
     * end right after its start has its first records all the same, before the JVM takes the loggers' handlers away.
     *
     * @param region the engine's region
     * @param reader a reader that begins with the first record, for this object alone
     * @param routine the level that records of level {@code INFO} get
     */
    public LogForwarder(Region region, LogReader reader, Level routine) {
        this.region = region;
        this.reader = reader;
        this.routine = routine;
        LogLayout.tellTaken(region, reader.position());
        for (int polls = 0; polls < POLLS_AT_START_MAX && forward() > 0; polls++) {
            // Bounded: the engine may write as fast as this reads.
            Thread.onSpinWait();
        }
        thread = Thread.ofPlatform().daemon().name("lodestone-log").start(this::run);
    }

    private void run() {
        try {
            while (!closed) {
                if (forward() == 0) {
                    LockSupport.parkNanos(closing ? LOOK_CLOSING_NS : LOOK_NS);
                }
            }
        } catch (EngineException gone) {
            // Closed: what there was has been taken, or the close did not wait any longer.
            log(Level.TRACE, "the engine's log has ended", gone);
        }
    }

    private int forward() {
        int taken = reader.poll(handler, POLL_MAX);
        if (taken > 0) {
            long missed = reader.missed() - missedTold;
            if (missed > 0) {
                missedTold += missed;
                log(Level.WARNING, missed + " log records were overwritten before they could be forwarded", null);
            }
            LogLayout.tellTaken(region, reader.position());
        }
        return taken;
    }

    private void tell(Level level, long position, LogReader record) {
        Level told = level == Level.INFO ? routine : level;
        if (isLoggable(told)) {
            log(told, text(record), null);
        }
    }

    /** A logger of the application that throws loses that record, not those behind it. */
    private static boolean isLoggable(Level level) {
        try {
            return LOGGER.isLoggable(level);
        } catch (RuntimeException broken) {
            return false;
        }
    }

    private static void log(Level level, String text, Throwable thrown) {
        try {
            if (thrown == null) {
                LOGGER.log(level, text);
            } else {
                LOGGER.log(level, text, thrown);
            }
        } catch (RuntimeException broken) {
            // There is nowhere else to tell it.
            return;
        }
    }

    private static String text(LogReader record) {
        String text = record.target() + ": " + record.message();
        return record.session() == 0 ? text : text + " session=" + Integer.toUnsignedString(record.session());
    }

    /** The engine is about to close: from now on each record is taken at once. */
    public void hurry() {
        closing = true;
        LockSupport.unpark(thread);
    }

    /** Ends it, after the engine's close. */
    @Override
    public void close() {
        closed = true;
        LockSupport.unpark(thread);
        try {
            thread.join(JOIN_MAX);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
