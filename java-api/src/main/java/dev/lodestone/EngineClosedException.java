package dev.lodestone;

/** The engine, or what was taken from it, is closed. Nothing was done. */
public final class EngineClosedException extends EngineException {
    private static final long serialVersionUID = 1L;

    /** Creates the exception. */
    public EngineClosedException() {
        super(Status.CLOSED, "the engine is closed");
    }

    /** Creates the exception of something taken from an engine that may still be open. */
    EngineClosedException(String what, String advice) {
        super(Status.CLOSED, what, advice, null);
    }
}
