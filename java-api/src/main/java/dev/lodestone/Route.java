package dev.lodestone;

import java.util.Arrays;

/**
 * The answer to a route question, true for exactly one revision.
 *
 * @param revision the revision it was found in
 * @param distance sum of the weights; {@link #NO_PATH} when there is no path
 * @param nodesTotal nodes on the path, both ends included; 0 when there is no path
 * @param settled vertices that the search settled; what {@code graph.route_budget} limits
 * @param nodes the nodes in order, source first; at most the first {@value #NODES_LISTED_MAX}. Not copied: the caller's own
 */
public record Route(long revision, long distance, long nodesTotal, long settled, int[] nodes) {
    /** The distance that says: no path. */
    public static final long NO_PATH = -1L;

    /** Most nodes that are listed. */
    public static final int NODES_LISTED_MAX = 8_192;

    /**
     * Whether there is a path.
     *
     * @return true when the target can be reached
     */
    public boolean found() {
        return distance != NO_PATH;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Route(long revision1, long distance1, long total1, long settled1, int[] nodes1)
                && revision == revision1
                && distance == distance1
                && nodesTotal == total1
                && settled == settled1
                && Arrays.equals(nodes, nodes1);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(nodes) * 31 + Long.hashCode(revision ^ distance << 7);
    }

    @Override
    public String toString() {
        return "Route[revision=" + Long.toUnsignedString(revision) + ", distance="
                + (found() ? Long.toUnsignedString(distance) : "none") + ", nodes=" + nodesTotal + "]";
    }
}
