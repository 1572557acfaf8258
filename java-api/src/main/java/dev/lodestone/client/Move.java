package dev.lodestone.client;

import java.util.Arrays;
import java.util.Objects;

/**
 * A move of one node.
 *
 * @param source the node that moves, unsigned
 * @param target the node it moves to, unsigned; never the source
 * @param edgeMask the edge's mask: weight = low byte XOR second byte, upper 16 bits free; 0 removes the edge
 * @param version the version that the node must have, unsigned; {@link #ANY_VERSION} accepts any, and is never sent twice
 * @param payload the application's bytes, at most {@value #PAYLOAD_BYTES_MAX}. Not copied: leave it as it is
 */
public record Move(int source, int target, int edgeMask, long version, byte[] payload) {
    /** The expected version that accepts any. */
    public static final long ANY_VERSION = 0;

    /** Longest payload, bytes. */
    public static final int PAYLOAD_BYTES_MAX = 232;

    private static final byte[] NOTHING = {};

    /** Checks the payload. */
    public Move {
        Objects.requireNonNull(payload, "payload");
        if (payload.length > PAYLOAD_BYTES_MAX) {
            throw new IllegalArgumentException(
                    "a payload of " + payload.length + " bytes; at most " + PAYLOAD_BYTES_MAX + " fit");
        }
    }

    /**
     * A move without payload that accepts any version.
     *
     * @param source the node that moves, unsigned
     * @param target the node it moves to, unsigned
     * @param edgeMask the edge's mask
     * @return the move
     */
    public static Move of(int source, int target, int edgeMask) {
        return new Move(source, target, edgeMask, ANY_VERSION, NOTHING);
    }

    /**
     * The same move for an expected version.
     *
     * @param expected the version that the node must have, unsigned
     * @return the move
     */
    public Move withVersion(long expected) {
        return new Move(source, target, edgeMask, expected, payload);
    }

    /**
     * The same move with a payload.
     *
     * @param bytes the application's bytes
     * @return the move
     */
    public Move withPayload(byte[] bytes) {
        return new Move(source, target, edgeMask, version, bytes);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Move(int source1, int target1, int mask1, long version1, byte[] payload1)
                && source == source1
                && target == target1
                && edgeMask == mask1
                && version == version1
                && Arrays.equals(payload, payload1);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(payload) * 31 + Objects.hash(source, target, edgeMask, version);
    }

    @Override
    public String toString() {
        return "Move[" + Integer.toUnsignedString(source) + " to " + Integer.toUnsignedString(target) + ", mask " + edgeMask
                + ", version " + Long.toUnsignedString(version) + ", " + payload.length + " bytes]";
    }
}
