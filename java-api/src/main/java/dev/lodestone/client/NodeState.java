package dev.lodestone.client;

import java.util.Arrays;
import java.util.Objects;

/**
 * The slot of a node, true for one revision.
 *
 * @param revision the revision
 * @param active whether the node has a slot; without one all else is 0
 * @param target the target of its last move, unsigned
 * @param edgeMask the mask of that move's edge
 * @param version the node's version, unsigned: 1 after its first move
 * @param payload the bytes of its last move. Not copied: the caller's own
 */
public record NodeState(long revision, boolean active, int target, int edgeMask, long version, byte[] payload) {
    /**
     * The weight of the edge of the last move.
     *
     * @return 0 to 255
     */
    public int weight() {
        return (edgeMask & 0xff) ^ (edgeMask >> 8 & 0xff);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof NodeState(long revision1, boolean active1, int target1, int mask1, long version1, byte[] payload1)
                && revision == revision1
                && active == active1
                && target == target1
                && edgeMask == mask1
                && version == version1
                && Arrays.equals(payload, payload1);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(payload) * 31 + Objects.hash(revision, active, target, edgeMask, version);
    }

    @Override
    public String toString() {
        return "NodeState[" + (active ? "at " + Integer.toUnsignedString(target) + ", version "
                + Long.toUnsignedString(version) + ", " + payload.length + " bytes" : "no slot") + ", revision "
                + Long.toUnsignedString(revision) + "]";
    }
}
