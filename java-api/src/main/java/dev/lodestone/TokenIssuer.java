package dev.lodestone;

import dev.lodestone.internal.TokenCodec;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;

/**
 * Issues tokens, without an engine and without the native library: for the service that lets clients in, wherever it runs.
 * The engines check tokens by the same keys, without asking anyone.
 *
 * <p>Keys are exchanged with an overlap, so that no client is turned away:
 *
 * <pre>{@code
 * TokenKey next = TokenKey.random(8);
 * issuer.announce(next);                                      // known, and not signing yet
 * engine.reloadIdentity(engine.config().toBuilder().tokenKeys(issuer.keys()).build());     // at every engine
 * issuer.signWith(next.id());                                 // new tokens by the new key, old ones go on
 * // once issuer.lastExpiry(7) is over:
 * issuer.retire(7);
 * engine.reloadIdentity(engine.config().toBuilder().tokenKeys(issuer.keys()).build());
 * }</pre>
 *
 * <p>A token is named by its nonce: keep that of the request, and {@link Sessions#revoke(long)} ends it before its time. Any
 * thread may call.
 */
public final class TokenIssuer {
    /** Most keys at once, as the engines take them. */
    public static final int KEYS_MAX = 16;

    private static final int SECRET_BYTES_MIN = 32;
    private static final int SECRET_BYTES_MAX = 1_024;
    private static final Pattern HEX = Pattern.compile("([0-9a-f]{2})+");

    /** A key and until when what it signed is valid. */
    private static final class Signer {
        private final TokenKey key;
        private Instant lastExpiry = Instant.EPOCH;

        Signer(TokenKey key) {
            this.key = key;
        }
    }

    private final Map<Integer, Signer> signers = new LinkedHashMap<>();
    private int signing;

    /**
     * Starts with one key, which signs.
     *
     * @param key the key
     * @throws IllegalArgumentException when its secret is no pairs of hexadecimal digits, or has not 32 to 1,024 bytes
     */
    public TokenIssuer(TokenKey key) {
        announce(key);
        this.signing = key.id();
    }

    /**
     * Adds a key that does not sign yet.
     *
     * @param key the key
     * @throws IllegalArgumentException when its id is in use, or its secret is no pairs of hexadecimal digits or has not 32 to
     *     1,024 bytes
     * @throws IllegalStateException when there are {@value #KEYS_MAX} keys: retire one first
     */
    public synchronized void announce(TokenKey key) {
        Objects.requireNonNull(key, "key");
        int bytes = key.secretHex().length() / 2;
        if (bytes < SECRET_BYTES_MIN || bytes > SECRET_BYTES_MAX || !HEX.matcher(key.secretHex()).matches()) {
            throw new IllegalArgumentException("the secret of key " + Integer.toUnsignedString(key.id()) + " must be "
                    + SECRET_BYTES_MIN + " to " + SECRET_BYTES_MAX + " bytes in hexadecimal digits");
        }
        if (signers.containsKey(key.id())) {
            throw new IllegalArgumentException("key " + Integer.toUnsignedString(key.id()) + " is there already");
        }
        if (signers.size() == KEYS_MAX) {
            throw new IllegalStateException("there are " + KEYS_MAX + " keys already: retire one first");
        }
        signers.put(key.id(), new Signer(key));
    }

    /**
     * Signs with this key from now on. Every engine must know it by then.
     *
     * @param keyId the key's number
     * @throws IllegalArgumentException when there is no such key
     */
    public synchronized void signWith(int keyId) {
        signing = known(keyId).key.id();
    }

    /**
     * Forgets a key. Tokens that it signed are refused once the engines have forgotten it as well.
     *
     * @param keyId the key's number
     * @throws IllegalArgumentException when there is no such key
     * @throws IllegalStateException when it is the one that signs
     */
    public synchronized void retire(int keyId) {
        Signer signer = known(keyId);
        if (keyId == signing) {
            throw new IllegalStateException("key " + Integer.toUnsignedString(keyId) + " signs: sign with another one first");
        }
        signers.remove(signer.key.id());
    }

    /**
     * Until when tokens that this issuer signed with the key may be valid: retire the key after that. An issuer that was
     * started anew knows nothing of tokens before.
     *
     * @param keyId the key's number
     * @return the time, {@link Instant#EPOCH} when it signed none
     * @throws IllegalArgumentException when there is no such key
     */
    public synchronized Instant lastExpiry(int keyId) {
        return known(keyId).lastExpiry;
    }

    /**
     * The number of the key that signs.
     *
     * @return the number, unsigned
     */
    public synchronized int signingKey() {
        return signing;
    }

    /**
     * All keys, for {@link EngineConfig.Builder#tokenKeys(List)}: the one that signs first.
     *
     * @return the keys
     */
    public synchronized List<TokenKey> keys() {
        List<TokenKey> keys = new ArrayList<>();
        keys.add(known(signing).key);
        signers.values().stream().map(signer -> signer.key).filter(key -> key.id() != signing).forEach(keys::add);
        return List.copyOf(keys);
    }

    /**
     * Issues a token.
     *
     * @param request what it shall allow
     * @return the token, {@value TokenCodec#TOKEN_BYTES} bytes, for the client
     */
    public synchronized byte[] issue(TokenRequest request) {
        Objects.requireNonNull(request, "request");
        Signer signer = known(signing);
        if (request.expires().isAfter(signer.lastExpiry)) {
            signer.lastExpiry = request.expires();
        }
        return TokenCodec.encode(signer.key, request);
    }

    private Signer known(int keyId) {
        Signer signer = signers.get(keyId);
        if (signer == null) {
            throw new IllegalArgumentException("there is no key " + Integer.toUnsignedString(keyId));
        }
        return signer;
    }

    /**
     * The issuer without its secrets.
     *
     * @return text that is safe in a log
     */
    @Override
    public synchronized String toString() {
        return "TokenIssuer[signs with " + Integer.toUnsignedString(signing) + ", keys "
                + signers.keySet().stream().map(Integer::toUnsignedString).toList() + "]";
    }
}
