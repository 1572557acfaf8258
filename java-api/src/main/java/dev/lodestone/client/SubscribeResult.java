package dev.lodestone.client;

import dev.lodestone.Status;

/**
 * What became of a subscription, or of its end.
 *
 * @param status {@link Status#OK} when it was carried out. Else nothing was changed: {@link Status#FORBIDDEN} when the client may
 *     not subscribe to the node, {@link Status#OVERLOADED} when the server's table or the session's part of it is full,
 *     {@link Status#OUT_OF_BOUNDS} when there is no such node
 * @param revision changes after this revision come as news, else 0
 * @param subscriptions nodes that the session is told of, all in all, else 0
 * @param node the first node concerned when it was refused, unsigned, else 0
 */
public record SubscribeResult(Status status, long revision, int subscriptions, int node) {
    /**
     * Whether it was carried out.
     *
     * @return true when it was
     */
    public boolean accepted() {
        return status == Status.OK;
    }
}
