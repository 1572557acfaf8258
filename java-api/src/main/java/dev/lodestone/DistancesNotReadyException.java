package dev.lodestone;

/**
 * The distances of a watched source are being computed, for the first time or anew; {@link WatchedDistances#awaitLive} waits.
 *
 * <p>A {@link WatchedDistances} throws the same object each time, without a stack trace, so that a loop of reads allocates
 * nothing.
 */
public final class DistancesNotReadyException extends EngineException {
    private static final long serialVersionUID = 1L;

    /** The exception of one watch, to be thrown again and again: it carries nothing of the place that threw it. */
    DistancesNotReadyException() {
        super(Status.NOT_READY, "the distances are being computed", true);
    }
}
