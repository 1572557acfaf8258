package dev.lodestone;

import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Objects;

/**
 * A key that signs and checks tokens.
 *
 * @param id the key's number, unsigned
 * @param secretHex the secret, at least 32 bytes in hexadecimal digits
 */
public record TokenKey(int id, String secretHex) {
    /** Keeps the digits in lower case, so that equal secrets are equal. */
    public TokenKey {
        secretHex = Objects.requireNonNull(secretHex, "secretHex").toLowerCase(Locale.ROOT);
    }

    /**
     * A key with a fresh secret of 32 random bytes.
     *
     * @param id the key's number, unsigned
     * @return the key
     */
    public static TokenKey random(int id) {
        byte[] secret = new byte[32];
        new SecureRandom().nextBytes(secret);
        return new TokenKey(id, HexFormat.of().formatHex(secret));
    }

    /**
     * The key without its secret.
     *
     * @return text that is safe in a log
     */
    @Override
    public String toString() {
        return "TokenKey[id=" + Integer.toUnsignedString(id) + ", secret hidden]";
    }
}
