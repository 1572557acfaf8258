package dev.lodestone;

/** What the engine is doing. */
public enum EngineState {
    /** Memory is being prepared. */
    STARTING,
    /** Moves are taken. */
    RUNNING,
    /** The engine failed: the state is frozen at its last commit and stays readable. */
    POISONED,
    /** Closing: no new work is taken. */
    CLOSING,
    /** Closed. */
    CLOSED,
    /**
     * Its process ended without closing it. What it left stays readable until the {@link AttachedEngine} is closed. An engine
     * of this process is never seen in this state.
     */
    GONE
}
