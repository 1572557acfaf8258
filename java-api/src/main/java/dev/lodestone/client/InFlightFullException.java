package dev.lodestone.client;

import dev.lodestone.Status;

/** As many requests as {@link ClientConfig.Builder#inFlightMax} allows are under way. Nothing was sent. */
public final class InFlightFullException extends ClientException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param inFlightMax how many may be under way
     */
    public InFlightFullException(int inFlightMax) {
        super(Status.OVERLOADED, inFlightMax + " requests are under way, as many as may be",
                "wait for an answer, or raise inFlightMax", null);
    }
}
