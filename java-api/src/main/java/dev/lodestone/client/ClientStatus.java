package dev.lodestone.client;

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
 */
public record ClientStatus(ClientState state, int session, int nodesMax, long revision, long reconnects, long rollbacks,
        int inFlight) {}
