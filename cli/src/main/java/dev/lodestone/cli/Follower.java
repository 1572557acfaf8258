package dev.lodestone.cli;

import dev.lodestone.AttachedEngine;
import dev.lodestone.EngineClosedException;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Map;
import picocli.CommandLine;

/** Prints what a ring of an engine holds, and on and on what comes: what events and logs have in common. One thread. */
final class Follower {
    private static final int POLL_MAX = 1_024;

    private final CommandLine line;
    private final boolean json;
    private final String what;
    private long missedTold;

    /** A reader of the ring, which prints what it reads. */
    interface Source {
        /** Prints what is there, at most so many; returns how many were read. */
        int poll(int limit);

        long position();

        long missed();
    }

    /** What is missed is told as so many of {@code what}. */
    Follower(CommandLine line, boolean json, String what) {
        this.line = line;
        this.json = json;
        this.what = what;
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
            taken = source.poll(Math.clamp(end - source.position(), 1, POLL_MAX));
        } while (taken > 0 && source.position() < end && !out.checkError());
        tellMissed(source.missed());
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
