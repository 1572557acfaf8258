package dev.lodestone.internal;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** Decides which long garbage collection pauses are logged: each once, however many engines watch, and few lines. Any thread. */
final class GcAlerts {
    /** What all engines of this JVM share. */
    static final GcAlerts OF_THIS_JVM = new GcAlerts();

    /** Shortest time between two lines. */
    private static final long QUIET_NS = TimeUnit.SECONDS.toNanos(10);

    /**
     * A pause that was too long.
     *
     * @param collector the collector's name
     * @param number its number, which rises with each collection of this collector
     * @param cause why it collected
     * @param millis how long it took
     */
    record Pause(String collector, long number, String cause, long millis) {}

    private final Map<String, Long> newest = new HashMap<>();
    private boolean said;
    private long saidNs;
    private long unsaid;
    private long unsaidMaxMs;

    /** Whether a collector's notifications are pauses; those called "... Cycles" work while the program runs. */
    static boolean countsPauses(String collector) {
        return !collector.endsWith("Cycles");
    }

    /** The line to log for a pause; empty when it was told before, or has to wait for the next line. */
    synchronized Optional<String> alert(Pause pause, long nowNs) {
        Long before = newest.get(pause.collector());
        if (before != null && before >= pause.number()) {
            return Optional.empty();
        }
        newest.put(pause.collector(), pause.number());
        if (said && nowNs - saidNs < QUIET_NS) {
            unsaid++;
            unsaidMaxMs = Math.max(unsaidMaxMs, pause.millis());
            return Optional.empty();
        }
        String more = unsaid == 0 ? "" : "; since the last such line " + unsaid + " more, the longest " + unsaidMaxMs + " ms";
        said = true;
        saidNs = nowNs;
        unsaid = 0;
        unsaidMaxMs = 0;
        return Optional.of("a garbage collection stopped this JVM for " + pause.millis() + " ms (" + pause.collector() + ", "
                + pause.cause() + "); the engine went on" + more);
    }
}
