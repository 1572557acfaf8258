package dev.lodestone;

import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;

/**
 * What a token shall allow.
 *
 * @param tenant the tenant, unsigned
 * @param expires until when the token is valid, exclusive
 * @param nodeFirst first node that its holder may move, unsigned
 * @param nodeLast last node that its holder may move, inclusive, unsigned
 * @param nonce the token's name, for {@link Sessions#revoke(long)}
 */
public record TokenRequest(int tenant, Instant expires, int nodeFirst, int nodeLast, long nonce) {
    private static final SecureRandom RANDOM = new SecureRandom();

    /** Checks the range and the time. */
    public TokenRequest {
        Objects.requireNonNull(expires, "expires");
        if (expires.toEpochMilli() < 0) {
            throw new IllegalArgumentException("expires is before 1970: " + expires);
        }
        if (Integer.compareUnsigned(nodeFirst, nodeLast) > 0) {
            throw new IllegalArgumentException("nodeFirst " + Integer.toUnsignedString(nodeFirst) + " lies behind nodeLast "
                    + Integer.toUnsignedString(nodeLast));
        }
    }

    /**
     * A token for all nodes, with a random nonce.
     *
     * @param tenant the tenant, unsigned
     * @param validFor how long it is valid, from now
     * @return the request
     */
    public static TokenRequest of(int tenant, Duration validFor) {
        Objects.requireNonNull(validFor, "validFor");
        return new TokenRequest(tenant, Instant.now().plus(validFor), 0, -1, RANDOM.nextLong());
    }

    /**
     * The same token for a range of nodes.
     *
     * @param first first node, unsigned
     * @param last last node, inclusive, unsigned
     * @return the request
     */
    public TokenRequest withNodes(int first, int last) {
        return new TokenRequest(tenant, expires, first, last, nonce);
    }
}
