package dev.lodestone;

/** What the distances of a watched source are worth at the moment. */
public enum WatchState {
    /** They are being computed for the first time; none can be read. */
    FILLING,
    /** They hold, all of them at one revision. */
    LIVE,
    /**
     * Too much changed at once to repair ({@code graph.watch_budget}), or a very large change such as a rollback is being
     * applied; none can be read until they are right again, which comes by itself.
     */
    STALE,
    /** The watch or its engine is closed. */
    CLOSED
}
