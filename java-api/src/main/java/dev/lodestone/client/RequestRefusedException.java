package dev.lodestone.client;

import dev.lodestone.Status;

/** The server refused a read or a route. (Refused moves are no exceptions: see {@link MoveResult}.) */
public final class RequestRefusedException extends ClientException {
    private static final long serialVersionUID = 1L;

    private final int node;

    /**
     * Creates the exception.
     *
     * @param status why
     * @param node the node concerned
     */
    public RequestRefusedException(Status status, int node) {
        super(status, "the server refused the request for node " + Integer.toUnsignedString(node) + ": " + status,
                status.advice(), null);
        this.node = node;
    }

    /**
     * The node concerned.
     *
     * @return the node, unsigned
     */
    public int node() {
        return node;
    }
}
