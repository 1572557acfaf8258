package dev.lodestone;

import dev.lodestone.internal.NativeEngine;
import dev.lodestone.internal.TokenCodec;
import java.util.List;
import java.util.Objects;

/** The connected clients, and the tokens that let them in. Any thread. */
public final class Sessions {
    private final NativeEngine engine;
    private volatile List<TokenKey> keys;

    Sessions(NativeEngine engine, List<TokenKey> keys) {
        this.engine = engine;
        this.keys = keys;
    }

    /** From here on tokens are signed with these. */
    void keys(List<TokenKey> newKeys) {
        keys = newKeys;
    }

    /**
     * Lists the sessions.
     *
     * @return those of one moment, in no order
     */
    public List<Session> list() {
        return engine.sessions();
    }

    /**
     * Closes a session. Frames that it sent before and that were read are applied.
     *
     * @param session its number
     * @return false when there is no such session (any more)
     */
    public boolean close(int session) {
        return engine.closeSession(session);
    }

    /**
     * Makes a token with the first key of {@code transport.auth}. The data plane checks it without asking anyone.
     *
     * @param request what it shall allow
     * @return the token, {@value TokenCodec#TOKEN_BYTES} bytes, for the client's HELLO
     * @throws EngineException when {@code transport.auth} is {@code none} ({@link Status#UNAUTHORIZED})
     */
    public byte[] issueToken(TokenRequest request) {
        Objects.requireNonNull(request, "request");
        List<TokenKey> now = keys;
        if (now.isEmpty()) {
            throw new EngineException(Status.UNAUTHORIZED,
                    "transport.auth is none, so there is no key to sign a token with. What to do: configure transport.auth.keys");
        }
        return TokenCodec.encode(now.getFirst(), request);
    }

    /**
     * Makes a token with one of the keys of {@code transport.auth}, for the time while keys are exchanged.
     *
     * @param request what it shall allow
     * @param keyId the key's number
     * @return the token, {@value TokenCodec#TOKEN_BYTES} bytes
     * @throws EngineException when there is no such key ({@link Status#UNAUTHORIZED})
     */
    public byte[] issueToken(TokenRequest request, int keyId) {
        Objects.requireNonNull(request, "request");
        return keys.stream()
                .filter(key -> key.id() == keyId)
                .findFirst()
                .map(key -> TokenCodec.encode(key, request))
                .orElseThrow(() -> new EngineException(Status.UNAUTHORIZED, "transport.auth has no key with id "
                        + Integer.toUnsignedString(keyId) + ". What to do: use an id of transport.auth.keys"));
    }

    /**
     * Refuses a token from now on and closes the sessions that were opened with it. With {@code transport.revocations_file} it is
     * refused after a restart too, until it expires; this call then waits for the disk. Without, an engine forgets revocations
     * when it closes.
     *
     * @param nonce the nonce of its request
     * @throws EngineException when 262,144 tokens are revoked already ({@link Status#MEMORY}): replace the key then; when the
     *     token is refused, but could not be put into the file ({@link Status#IO}): mend what the text says and revoke it again
     */
    public void revoke(long nonce) {
        engine.revoke(nonce);
    }

    /**
     * Refuses the token of a session from now on and closes every session that was opened with it; one that has no token is
     * closed alone. The revocation lasts as with {@link #revoke(long)}.
     *
     * @param session the session's number
     * @return false when there is no such session (any more)
     * @throws EngineException when 262,144 tokens are revoked already ({@link Status#MEMORY}): replace the key then; when the
     *     token is refused, but could not be put into the file ({@link Status#IO}): mend what the text says and revoke it again
     */
    public boolean revokeSession(int session) {
        return engine.revokeSession(session);
    }
}
