package dev.lodestone;

/**
 * The engine of another process is not there any more: it is closed, its process ended without closing it, or it was restarted
 * and is another one now.
 */
public final class EngineGoneException extends EngineException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param what what happened, one sentence without a full stop
     */
    public EngineGoneException(String what) {
        this(what, null);
    }

    /**
     * Creates the exception with its cause.
     *
     * @param what what happened, one sentence without a full stop
     * @param cause the reason, or null
     */
    public EngineGoneException(String what, Throwable cause) {
        super(Status.GONE, what, cause);
    }
}
