package dev.lodestone;

import dev.lodestone.internal.CommandRing;
import dev.lodestone.internal.Words;
import java.util.Objects;

/**
 * Decides what connected clients are told: who is subscribed to which nodes, and who may subscribe by itself. The data plane
 * sends each subscribed client the state of its nodes, first as they are and then after every change; one that lags gets fewer
 * and newer states.
 *
 * <pre>{@code
 * Interests interests = commands.interests();
 * interests.trySubscribe(session, nodesInSight, 0, count);
 * interests.tryGrant(session, firstOfItsTeam, lastOfItsTeam);
 * }</pre>
 *
 * <p>Each method sends one command through shared memory, like the moves of the same {@link Commands}: without a call and
 * without an allocation, in one order with them, with a counter, and with {@link Commands#FULL} where there is no room. It is
 * decided as a whole. Refused it is, told by {@link Commands#nextRejection} with the node in question or the first one, with
 *
 * <ul>
 *   <li>{@link Status#UNAUTHORIZED} when there is no such session (any more), or its client has stopped the stream of updates,
 *   <li>{@link Status#VERSION_UNSUPPORTED} when its client speaks protocol version 1, which has no updates,
 *   <li>{@link Status#OUT_OF_BOUNDS} when there is no such node, or a range ends before it begins,
 *   <li>{@link Status#OVERLOADED} when {@code fanout.subscriptions_max}, {@code fanout.session_subscriptions_max} or the eight
 *       ranges that can be granted to a session are used up.
 * </ul>
 *
 * <p>The number of a session comes with {@link EventType#SESSION_OPENED}, or from {@link Sessions}. What was decided about it
 * ends with it. An object belongs to the thread of its {@link Commands}.
 */
public final class Interests {
    /** Most nodes in one command. */
    public static final int NODES_MAX = 62;

    private static final long KIND_SUBSCRIBE = 0x30;
    private static final long KIND_SUBSCRIBE_LATEST = 0x3a;
    private static final long KIND_UNSUBSCRIBE = 0x32;
    private static final long KIND_GRANT = 0x34;
    private static final long KIND_REVOKE = 0x36;
    private static final int HEAD_BYTES = 8;

    private final Commands commands;
    private final CommandRing ring;

    Interests(Commands commands, CommandRing ring) {
        this.commands = commands;
        this.ring = ring;
    }

    /**
     * Subscribes a session to a node, by the stream of updates; does nothing when it is subscribed so.
     *
     * @param session the session's number, unsigned
     * @param node the node, unsigned
     * @return the command's counter, or {@link Commands#FULL}
     * @throws EngineClosedException when the engine or the commands are closed
     * @throws EnginePoisonedException when there is no room because the engine has failed
     * @throws IllegalStateException when a batch is open
     */
    public long trySubscribe(int session, int node) {
        return one(KIND_SUBSCRIBE, session, node);
    }

    /**
     * Subscribes a session to nodes, all of them or none.
     *
     * @param session the session's number, unsigned
     * @param nodes where the nodes are, unsigned
     * @param offset index of the first
     * @param count how many, 1 to 62
     * @return the command's counter, or {@link Commands#FULL}
     * @throws IndexOutOfBoundsException when there are none or too many, or they leave the array
     * @throws EngineClosedException when the engine or the commands are closed
     * @throws EnginePoisonedException when there is no room because the engine has failed
     * @throws IllegalStateException when a batch is open
     */
    public long trySubscribe(int session, int[] nodes, int offset, int count) {
        return many(KIND_SUBSCRIBE, session, nodes, offset, count);
    }

    /**
     * Subscribes a session to a node by datagram: the newest state wins, and a lost packet holds nothing up. A node that rests
     * comes once more by the stream, so its last state always arrives. Where the client knows nothing of that (protocol version
     * 2), or takes no datagrams, everything comes by the stream. A node that the session is subscribed to the other way comes
     * this way from then on.
     *
     * @param session the session's number, unsigned
     * @param node the node, unsigned
     * @return the command's counter, or {@link Commands#FULL}
     * @throws EngineClosedException when the engine or the commands are closed
     * @throws EnginePoisonedException when there is no room because the engine has failed
     * @throws IllegalStateException when a batch is open
     */
    public long trySubscribeLatest(int session, int node) {
        return one(KIND_SUBSCRIBE_LATEST, session, node);
    }

    /**
     * As {@link #trySubscribeLatest(int, int)} to nodes, all of them or none.
     *
     * @param session the session's number, unsigned
     * @param nodes where the nodes are, unsigned
     * @param offset index of the first
     * @param count how many, 1 to 62
     * @return the command's counter, or {@link Commands#FULL}
     * @throws IndexOutOfBoundsException when there are none or too many, or they leave the array
     * @throws EngineClosedException when the engine or the commands are closed
     * @throws EnginePoisonedException when there is no room because the engine has failed
     * @throws IllegalStateException when a batch is open
     */
    public long trySubscribeLatest(int session, int[] nodes, int offset, int count) {
        return many(KIND_SUBSCRIBE_LATEST, session, nodes, offset, count);
    }

    /**
     * Ends the subscription of a session to a node; does nothing when it is not subscribed. An update that is on its way
     * already still arrives.
     *
     * @param session the session's number, unsigned
     * @param node the node, unsigned
     * @return the command's counter, or {@link Commands#FULL}
     * @throws EngineClosedException when the engine or the commands are closed
     * @throws EnginePoisonedException when there is no room because the engine has failed
     * @throws IllegalStateException when a batch is open
     */
    public long tryUnsubscribe(int session, int node) {
        return one(KIND_UNSUBSCRIBE, session, node);
    }

    /**
     * Ends the subscriptions of a session to nodes.
     *
     * @param session the session's number, unsigned
     * @param nodes where the nodes are, unsigned
     * @param offset index of the first
     * @param count how many, 1 to 62
     * @return the command's counter, or {@link Commands#FULL}
     * @throws IndexOutOfBoundsException when there are none or too many, or they leave the array
     * @throws EngineClosedException when the engine or the commands are closed
     * @throws EnginePoisonedException when there is no room because the engine has failed
     * @throws IllegalStateException when a batch is open
     */
    public long tryUnsubscribe(int session, int[] nodes, int offset, int count) {
        return many(KIND_UNSUBSCRIBE, session, nodes, offset, count);
    }

    /**
     * Ends every subscription of a session.
     *
     * @param session the session's number, unsigned
     * @return the command's counter, or {@link Commands#FULL}
     * @throws EngineClosedException when the engine or the commands are closed
     * @throws EnginePoisonedException when there is no room because the engine has failed
     * @throws IllegalStateException when a batch is open
     */
    public long tryUnsubscribeAll(int session) {
        if (!commands.claim(HEAD_BYTES)) {
            return Commands.FULL;
        }
        try {
            begin(KIND_UNSUBSCRIBE, session, 0);
            return commit();
        } catch (InternalError fault) {
            throw commands.fault(fault);
        }
    }

    /**
     * Lets a client subscribe by itself to the nodes of a range, besides those that {@code fanout.policy} lets it; with the
     * policy {@code none} this is without effect. A session has eight ranges at most; one that covers others takes their place.
     *
     * @param session the session's number, unsigned
     * @param first the first node, unsigned
     * @param last the last node (inclusive), unsigned; may lie beyond the nodes there are
     * @return the command's counter, or {@link Commands#FULL}
     * @throws EngineClosedException when the engine or the commands are closed
     * @throws EnginePoisonedException when there is no room because the engine has failed
     * @throws IllegalStateException when a batch is open
     */
    public long tryGrant(int session, int first, int last) {
        return range(KIND_GRANT, session, first, last);
    }

    /**
     * Ends the subscriptions of a session to the nodes of a range, and takes back every range granted that touches it, as a
     * whole. What {@code fanout.policy} lets the client subscribe to, it may subscribe to again.
     *
     * @param session the session's number, unsigned
     * @param first the first node, unsigned
     * @param last the last node (inclusive), unsigned; may lie beyond the nodes there are
     * @return the command's counter, or {@link Commands#FULL}
     * @throws EngineClosedException when the engine or the commands are closed
     * @throws EnginePoisonedException when there is no room because the engine has failed
     * @throws IllegalStateException when a batch is open
     */
    public long tryRevoke(int session, int first, int last) {
        return range(KIND_REVOKE, session, first, last);
    }

    private long one(long kind, int session, int node) {
        if (!commands.claim(HEAD_BYTES + Integer.BYTES)) {
            return Commands.FULL;
        }
        try {
            Words.putInt(begin(kind, session, 1), node);
            return commit();
        } catch (InternalError fault) {
            throw commands.fault(fault);
        }
    }

    private long range(long kind, int session, int first, int last) {
        if (!commands.claim(HEAD_BYTES + 2 * Integer.BYTES)) {
            return Commands.FULL;
        }
        try {
            long nodes = begin(kind, session, 2);
            Words.putInt(nodes, first);
            Words.putInt(nodes + Integer.BYTES, last);
            return commit();
        } catch (InternalError fault) {
            throw commands.fault(fault);
        }
    }

    private long many(long kind, int session, int[] nodes, int offset, int count) {
        Objects.checkFromIndexSize(offset, count, nodes.length);
        Objects.checkIndex(count - 1, NODES_MAX);
        if (!commands.claim(HEAD_BYTES + (long) count * Integer.BYTES)) {
            return Commands.FULL;
        }
        try {
            long to = begin(kind, session, count);
            for (int index = 0; index < count; index++) {
                Words.putInt(to + (long) index * Integer.BYTES, nodes[offset + index]);
            }
            return commit();
        } catch (InternalError fault) {
            throw commands.fault(fault);
        }
    }

    /** Begins the command in the room claimed; returns the address of its first node. */
    private long begin(long kind, int session, int nodes) {
        long body = ring.put(kind, HEAD_BYTES + (long) nodes * Integer.BYTES);
        Words.putLong(body, Integer.toUnsignedLong(session));
        return body + HEAD_BYTES;
    }

    private long commit() {
        ring.commit();
        return ring.counter();
    }
}
