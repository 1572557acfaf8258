package dev.lodestone;

/**
 * Shared memory was being rewritten on every one of a bounded number of looks; reading it again is the remedy.
 *
 * <p>A {@link SlotReader} throws the same object each time, without a stack trace, so that a loop of reads allocates nothing
 * even when some of them are busy.
 */
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

    /** The exception of one reader, to be thrown again and again: it carries nothing of the place that threw it. */
    SlotBusyException() {
        super(Status.BUSY, "the node that was read kept changing", true);
    }

    /** The exception of one watch, as above. */
    static SlotBusyException ofDistances() {
        return new SlotBusyException("the distances that were read kept changing", true);
    }

    private SlotBusyException(String what, boolean recurring) {
        super(Status.BUSY, what, recurring);
    }
}
