package dev.lodestone;

/** The engine failed inside and takes no more work. What it held at its last commit stays readable until it is closed. */
public final class EnginePoisonedException extends EngineException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param what where and why it failed
     */
    public EnginePoisonedException(String what) {
        super(Status.POISONED, what);
    }
}
