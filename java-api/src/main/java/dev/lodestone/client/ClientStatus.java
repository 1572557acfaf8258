package dev.lodestone.client;

import dev.lodestone.Status;

/**
 * What a client tells of itself, as of one moment.
 *
 * @param state what it is doing
 * @param session the number of the session, of the last connection
 * @param nodesMax nodes are numbered below this, unsigned
 * @param revision the revision of the last acknowledgement
 * @param reconnects connections made after the first
 * @param rollbacks rollbacks that the server told of: what was acknowledged with a higher revision is undone
 * @param inFlight requests under way
 * @param lastLoss why the last connection was lost: {@link Status#SLOW_CONSUMER} when answers or news were not taken for too
 *     long, {@link Status#CONNECTION_LOST} when the path broke; {@link Status#OK} while none was
 */
public record ClientStatus(ClientState state, int session, int nodesMax, long revision, long reconnects, long rollbacks,
        int inFlight, Status lastLoss) {}
