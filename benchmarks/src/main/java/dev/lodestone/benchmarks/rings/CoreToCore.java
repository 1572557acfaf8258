package dev.lodestone.benchmarks.rings;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/** How long a cache line takes to the other core and back: two threads hand a number to and fro. Tells near from far. */
final class CoreToCore {
    /** Longest round trip of cores that are near each other. */
    private static final double NEAR_NS_MAX = 220;
    /** Shortest round trip of cores that are far from each other. */
    private static final double FAR_NS_MIN = 300;
    private static final long DURATION_NS = 2_500_000;
    private static final int LINE_LONGS = 16;
    private static final int PING = LINE_LONGS;
    private static final int PONG = 3 * LINE_LONGS;
    private static final long STOP = -1;
    private static final VarHandle LONGS = MethodHandles.arrayElementVarHandle(long[].class);

    private final long[] lines = new long[5 * LINE_LONGS];
    private final Partner partner;

    /** Where the cores are. */
    enum Placement {
        /** They share a cache. */
        NEAR,
        /** They do not. */
        FAR,
        /** Neither, or it changed. */
        MIXED
    }

    CoreToCore(Partner partner) {
        this.partner = partner;
    }

    /**
     * Measures for 2.5 ms.
     *
     * @return the median round trip in nanoseconds, with one reading of the clock in it as in every other trip
     */
    double roundTripNs() {
        LONGS.setRelease(lines, PING, 0L);
        LONGS.setRelease(lines, PONG, 0L);
        partner.start(this::pong);
        long begun = System.nanoTime();
        long before = begun;
        int trip = 0;
        while (before - begun < DURATION_NS && trip < Trips.MAX) {
            LONGS.setRelease(lines, PING, (long) trip + 1);
            while ((long) LONGS.getAcquire(lines, PONG) != trip + 1) {
                Thread.onSpinWait();
            }
            long now = System.nanoTime();
            Trips.keep(trip++, now - before);
            before = now;
        }
        LONGS.setRelease(lines, PING, STOP);
        partner.result();
        Trips.sort(trip);
        return Trips.percentile(trip, 0.5);
    }

    private long pong() {
        long seen = 0;
        while (seen != STOP) {
            long ping = (long) LONGS.getAcquire(lines, PING);
            if (ping == seen) {
                Thread.onSpinWait();
            } else {
                seen = ping;
                LONGS.setRelease(lines, PONG, ping);
            }
        }
        return 0;
    }

    /**
     * Where the cores were during a trial.
     *
     * @param before round trip before it
     * @param after round trip after it
     * @return near or far when both agree
     */
    static Placement placement(double before, double after) {
        if (Math.max(before, after) < NEAR_NS_MAX) {
            return Placement.NEAR;
        }
        return Math.min(before, after) > FAR_NS_MIN ? Placement.FAR : Placement.MIXED;
    }
}
