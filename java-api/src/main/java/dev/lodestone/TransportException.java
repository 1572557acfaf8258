package dev.lodestone;

/**
 * The network side cannot start: the address is taken, {@link Status#BIND}, or the certificate is bad,
 * {@link Status#CERTIFICATE}.
 */
public final class TransportException extends EngineException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param status what failed
     * @param what what happened, one sentence without a full stop
     */
    public TransportException(Status status, String what) {
        super(status, what);
    }
}
