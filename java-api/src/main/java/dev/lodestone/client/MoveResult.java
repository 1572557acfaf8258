package dev.lodestone.client;

import dev.lodestone.Status;

/**
 * What became of a move or a release.
 *
 * @param status {@link Status#OK} when it was accepted; {@link Status#IN_DOUBT} when the connection broke after it was sent
 *     and whether it was applied cannot be told; else why it was refused
 * @param revision a revision that holds it when it was accepted, else 0
 * @param node the node concerned when it was refused, else 0
 */
public record MoveResult(Status status, long revision, int node) {
    /**
     * Whether it is in a committed batch.
     *
     * @return true when it is
     */
    public boolean accepted() {
        return status == Status.OK;
    }

    /**
     * Whether nobody can tell if it was applied.
     *
     * @return true when so
     */
    public boolean inDoubt() {
        return status == Status.IN_DOUBT;
    }
}
