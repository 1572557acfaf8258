package dev.lodestone;

/**
 * A route was not answered: {@link Status#BUDGET}, {@link Status#OUT_OF_BOUNDS}, {@link Status#TIMEOUT} when its time was up,
 * or {@link Status#INTERRUPTED} when the waiting thread was.
 */
public final class RouteException extends EngineException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param status what failed
     * @param what what happened, one sentence without a full stop
     */
    public RouteException(Status status, String what) {
        super(status, what);
    }
}
