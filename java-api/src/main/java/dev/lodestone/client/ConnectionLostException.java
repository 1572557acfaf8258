package dev.lodestone.client;

import dev.lodestone.Status;

/**
 * The session is over for good: the server could not be reached again in time, or closed the session for a reason that a new
 * connection would not mend. Whether moves that were under way were applied is not known.
 */
public final class ConnectionLostException extends ClientException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param status why: {@link Status#CONNECTION_LOST}, or the status that the server closed with
     * @param what what happened, one sentence without a full stop
     */
    public ConnectionLostException(Status status, String what) {
        super(status, what, status.advice(), null);
    }
}
