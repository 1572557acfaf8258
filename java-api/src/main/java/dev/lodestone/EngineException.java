package dev.lodestone;

/**
 * Something failed. The message says what happened and what to do; {@link #status()} says it to programs.
 *
 * <p>Subtypes exist where a program is likely to react in its own way.
 */
public class EngineException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final Status status;

    /**
     * Creates the exception; the status's advice is added to the message.
     *
     * @param status what failed
     * @param what what happened, one sentence without a full stop
     */
    public EngineException(Status status, String what) {
        this(status, what, null);
    }

    /**
     * Creates the exception with its cause; the status's advice is added to the message.
     *
     * @param status what failed
     * @param what what happened, one sentence without a full stop
     * @param cause the reason, or null
     */
    public EngineException(Status status, String what, Throwable cause) {
        this(status, what, status.advice(), cause);
    }

    /**
     * Creates the exception with an advice of its own.
     *
     * @param status what failed
     * @param what what happened, one sentence without a full stop
     * @param advice what to do about it, may be empty
     * @param cause the reason, or null
     */
    protected EngineException(Status status, String what, String advice, Throwable cause) {
        super(message(what, advice), cause);
        this.status = status;
    }

    /** Creates an exception; a recurring one has no stack trace and takes no suppressed ones: one object for many throws. */
    EngineException(Status status, String what, boolean recurring) {
        super(message(what, status.advice()), null, !recurring, !recurring);
        this.status = status;
    }

    private static String message(String what, String advice) {
        return advice.isEmpty() || what.contains("What to do:") ? what : what + ". What to do: " + advice + ".";
    }

    /**
     * What failed.
     *
     * @return the status, never {@link Status#OK}
     */
    public Status status() {
        return status;
    }
}
