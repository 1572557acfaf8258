package dev.lodestone;

import java.time.Duration;

/**
 * Is told how far a bulk load is, and may end it. Called by the thread that loads, at most about ten times a second and once
 * at the end; the load waits meanwhile.
 */
@FunctionalInterface
public interface LoadProgress {
    /** The total that says: nobody knows. */
    long TOTAL_UNKNOWN = -1;

    /**
     * Takes note.
     *
     * @param done arcs set so far; never falls
     * @param total arcs in all, or {@link #TOTAL_UNKNOWN}
     * @param elapsed time since the load began
     * @return false to end the load here: what is set stays set, and the report says that it is not
     *     {@link LoadReport#complete()}. An exception ends it too, and reaches the caller of the load
     */
    boolean onProgress(long done, long total, Duration elapsed);
}
