package dev.lodestone.client;

import dev.lodestone.Status;

/** The client was closed on this side ({@link Status#CLOSED}). */
public final class ClientClosedException extends ClientException {
    private static final long serialVersionUID = 1L;

    /** Creates the exception. */
    public ClientClosedException() {
        super(Status.CLOSED, "the client is closed", "open a new one", null);
    }
}
