package dev.lodestone.client;

import dev.lodestone.EngineException;
import dev.lodestone.Status;

/**
 * A client could not do what it was asked for. {@link #status()} tells why; subtypes exist where a program is likely to react
 * in its own way.
 */
public class ClientException extends EngineException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param status what failed
     * @param what what happened, one sentence without a full stop
     * @param advice what to do about it, may be empty
     * @param cause the reason, or null
     */
    public ClientException(Status status, String what, String advice, Throwable cause) {
        super(status, what, advice, cause);
    }
}
