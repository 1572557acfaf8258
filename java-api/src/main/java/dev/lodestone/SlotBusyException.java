package dev.lodestone;

/** A slot was being rewritten on every one of a bounded number of looks; reading it again is the remedy. */
public final class SlotBusyException extends EngineException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param what which word of the shared region kept changing
     */
    public SlotBusyException(String what) {
        super(Status.BUSY, what);
    }
}
