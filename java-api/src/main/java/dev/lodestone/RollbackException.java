package dev.lodestone;

/** A rollback or a past hash was refused, {@link Status#OUT_OF_WINDOW}; nothing was changed. */
public final class RollbackException extends EngineException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param status what failed
     * @param what what happened, one sentence without a full stop
     */
    public RollbackException(Status status, String what) {
        super(status, what);
    }
}
