package dev.lodestone.cli;

import dev.lodestone.AttachedEngine;
import dev.lodestone.EngineClosedException;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Map;
import java.util.function.IntUnaryOperator;
import java.util.function.LongFunction;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/** Prints what a ring of an engine holds, and on and on what comes: what events and logs have in common. One thread. */
final class Follower {
    private static final int POLL_MAX = 1_024;

    private final CommandLine line;
    private final boolean json;
    private final String what;
    private long missedTold;

    /**
     * A reader of the ring, and what prints what it reads.
     *
     * @param poll prints what is there, at most so many; returns how many were read
     * @param position of the reader
     * @param missed by the reader so far
     */
    record Source(IntUnaryOperator poll, LongSupplier position, LongSupplier missed) {}

    /** What is missed is told as so many of {@code what}. */
    Follower(CommandLine line, boolean json, String what) {
        this.line = line;
        this.json = json;
        this.what = what;
    }

    /**
     * A reader that begins where {@code --from} says; without it with what comes if that is followed, else with the first that
     * there is.
     */
    <R> R begin(Long from, long end, boolean follow, Supplier<R> latest, LongFunction<R> at) {
        if (from == null) {
            return follow ? latest.get() : at.apply(0);
        }
        try {
            return at.apply(from);
        } catch (IllegalArgumentException ahead) {
            throw new ParameterException(line,
                    "--from " + from + " is not from 0 to " + end + ", which is as far as this engine has come", ahead);
        }
    }

    /** Prints up to {@code end}, and with {@code follow} what comes until the engine ends; returns the exit code. */
    int print(AttachedEngine engine, Source source, long end, boolean follow, Duration pause) throws InterruptedException {
        PrintWriter out = line.getOut();
        try {
            // No more than was there at first: an engine may write as fast as anybody prints.
            drain(source, end, out);
            if (!follow || out.checkError()) {
                return Exit.FINE;
            }
            while (!engine.awaitEnd(pause)) {
                drain(source, Long.MAX_VALUE, out);
                if (out.checkError()) {
                    return Exit.FINE;
                }
            }
            drain(source, Long.MAX_VALUE, out);
        } catch (EngineClosedException closed) {
            // What was written before the close has been printed as far as it was seen.
            return Target.tellEnd(engine, line.getErr());
        }
        return Target.tellEnd(engine, line.getErr());
    }

    private void drain(Source source, long end, PrintWriter out) {
        int taken;
        do {
            taken = source.poll().applyAsInt(Math.clamp(end - source.position().getAsLong(), 1, POLL_MAX));
        } while (taken > 0 && source.position().getAsLong() < end && !out.checkError());
        tellMissed(source.missed().getAsLong());
    }

    /** To be called before each line: tells how many were missed since it was told last. */
    void tellMissed(long missed) {
        long fresh = missed - missedTold;
        if (fresh > 0) {
            missedTold = missed;
            line.getOut().println(json ? Json.text(Map.of("missed", fresh)) : "missed " + Texts.number(fresh) + " " + what);
        }
    }
}
