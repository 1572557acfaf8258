package dev.lodestone;

import java.net.InetSocketAddress;
import java.time.Instant;

/**
 * A connected client.
 *
 * @param id the session's number, never 0
 * @param tenant the tenant of its token, 0 without tokens
 * @param address where it connects from
 * @param connectedAt when it was welcomed
 * @param frames frames received from it
 * @param nodeFirst first node that it may move
 * @param nodeLast last node that it may move, inclusive, unsigned
 */
public record Session(int id, int tenant, InetSocketAddress address, Instant connectedAt, long frames, int nodeFirst,
        int nodeLast) {}
