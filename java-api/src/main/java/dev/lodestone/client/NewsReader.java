package dev.lodestone.client;

import dev.lodestone.Status;
import dev.lodestone.internal.NativeNews;
import dev.lodestone.internal.Words;
import java.lang.ref.Reference;
import java.time.Duration;
import java.util.Objects;

/**
 * Takes the news of nodes that a client is subscribed to: of each node the newest state, without an allocation.
 *
 * <pre>{@code
 * client.subscribe(Delivery.DATAGRAM, 7, 8, 9);
 * NewsReader news = client.news();
 * while (running) {
 *     news.poll((node, state) -> {
 *         if (state.status() == Status.OK) {
 *             draw(node, state.target(), state.payloadInt(0));
 *         } else {
 *             forget(node);       // the connection was lost, and the new session may not subscribe to it
 *         }
 *     }, 256, Duration.ofMillis(20));
 * }
 * }</pre>
 *
 * <p>Up to {@link ClientConfig.Builder#updatesMax} nodes wait to be taken, each with its newest state; {@link #missed()} counts
 * those that it replaced. While so many wait the client reads no more, and the server sends fewer and newer states. Who takes
 * nothing for {@code transport.slow_consumer_ms} of the server loses the connection ({@link ClientStatus#lastLoss()} says
 * {@link Status#SLOW_CONSUMER}), and the client comes back.
 *
 * <p>After each new connection ({@link #connection()} counts them) every node that the client subscribed to comes first as it is.
 * What it cannot subscribe to again comes as news without a state, whose {@link #status()} says why.
 *
 * <p>One thread at a time uses a reader. A client may have several: each news goes to one of them. A reader fetches up to 64 news
 * at once, never more than a poll may hand over; when the handler throws, what was fetched behind stays with this reader, for its
 * next poll, and no other one gets it.
 */
public final class NewsReader {
    private static final int AT_TARGET = 4;
    private static final int AT_EDGE_MASK = 8;
    private static final int AT_WEIGHT = 12;
    private static final int AT_STATE = 13;
    private static final int AT_PAYLOAD_LENGTH = 14;
    private static final int AT_PAYLOAD = 24;

    private final NativeNews fetched;
    /** The news at hand. */
    private long cell;

    NewsReader(NativeNews fetched) {
        this.fetched = fetched;
    }

    /**
     * Hands over the news that are there. Never waits.
     *
     * @param handler takes the news
     * @param limit most news to take
     * @return number of news handed over
     * @throws ClientClosedException when the client is closed and everything was taken
     * @throws ClientException when the session was lost for good and everything was taken
     */
    public int poll(NewsHandler handler, int limit) {
        return poll(handler, limit, 0);
    }

    /**
     * Hands over the news that are there, and waits for the first where there is none. It waits in a call that holds up a
     * virtual thread's carrier.
     *
     * @param handler takes the news
     * @param limit most news to take
     * @param wait how long to wait, as long as you like, in milliseconds rounded up; 0 or less: not at all. An interrupt ends the
     *     wait within 200 ms, and the thread stays interrupted
     * @return number of news handed over
     * @throws ClientClosedException when the client is closed and everything was taken
     * @throws ClientException when the session was lost for good and everything was taken
     */
    public int poll(NewsHandler handler, int limit, Duration wait) {
        return poll(handler, limit, NativeNews.nanoseconds(wait));
    }

    private int poll(NewsHandler handler, int limit, long waitNanos) {
        Objects.requireNonNull(handler, "handler");
        int taken = 0;
        while (taken < limit) {
            cell = fetched.next(limit - taken, taken == 0 ? waitNanos : 0);
            if (cell == 0) {
                break;
            }
            taken++;
            try {
                handler.onNews(NativeNews.node(cell), this);
            } finally {
                cell = 0;
            }
        }
        Reference.reachabilityFence(this);
        return taken;
    }

    /**
     * What the news is.
     *
     * @return {@link Status#OK} for a state; else why the node could not be subscribed to again on a new connection. Nothing more
     *     comes of it then, and what the other methods say is 0
     */
    public Status status() {
        return Status.of(NativeNews.status(atHand()));
    }

    /**
     * A revision whose changes of the node are all in; the state may be that of a later one.
     *
     * @return the revision
     */
    public long revision() {
        return NativeNews.revision(atHand());
    }

    /**
     * Rollbacks before that revision.
     *
     * @return their number
     */
    public long rollbacks() {
        return NativeNews.rollbacks(atHand());
    }

    /**
     * The version of the node, whether it has a slot or not: how far it rises from one news to the next tells how many changes
     * there were.
     *
     * @return the version, unsigned
     */
    public long version() {
        return NativeNews.version(atHand());
    }

    /**
     * States of the node that came since its last news was taken, and that this one has replaced.
     *
     * @return their number
     */
    public long missed() {
        return NativeNews.missed(atHand());
    }

    /**
     * Connections made before the one that it came by.
     *
     * @return their number
     */
    public long connection() {
        return NativeNews.connection(atHand());
    }

    /**
     * Whether the node has a slot; without one all that follows is 0.
     *
     * @return true when it has
     */
    public boolean active() {
        return Words.byteAt(slot() + AT_STATE) == 1;
    }

    /**
     * Where the node moved to last.
     *
     * @return a node, unsigned
     */
    public int target() {
        return Words.intAt(slot() + AT_TARGET);
    }

    /**
     * The mask of that move's edge.
     *
     * @return the mask, 32 bits
     */
    public int edgeMask() {
        return Words.intAt(slot() + AT_EDGE_MASK);
    }

    /**
     * The weight of that edge.
     *
     * @return the weight, 0 to 255
     */
    public int weight() {
        return Words.byteAt(slot() + AT_WEIGHT);
    }

    /**
     * The length of the payload.
     *
     * @return bytes, 0 to 232
     */
    public int payloadLength() {
        return Math.min(Words.shortAt(slot() + AT_PAYLOAD_LENGTH), Move.PAYLOAD_BYTES_MAX);
    }

    /**
     * A byte of the payload.
     *
     * @param offset where, from 0
     * @return the byte
     * @throws IndexOutOfBoundsException when it is not inside the payload
     */
    public byte payloadByte(int offset) {
        return (byte) Words.byteAt(payload(offset, Byte.BYTES));
    }

    /**
     * Four bytes of the payload, little-endian.
     *
     * @param offset where they begin, from 0
     * @return the number
     * @throws IndexOutOfBoundsException when they are not inside the payload
     */
    public int payloadInt(int offset) {
        long at = payload(offset, Integer.BYTES);
        return Words.shortAt(at) | Words.shortAt(at + Short.BYTES) << Short.SIZE;
    }

    /**
     * Eight bytes of the payload, little-endian.
     *
     * @param offset where they begin, from 0
     * @return the number
     * @throws IndexOutOfBoundsException when they are not inside the payload
     */
    public long payloadLong(int offset) {
        payload(offset, Long.BYTES);
        return Integer.toUnsignedLong(payloadInt(offset)) | (long) payloadInt(offset + Integer.BYTES) << Integer.SIZE;
    }

    /**
     * Copies the payload.
     *
     * @return its bytes, in an array of their own
     */
    public byte[] payload() {
        return Words.bytes(slot() + AT_PAYLOAD, payloadLength());
    }

    private long payload(int offset, int bytes) {
        return slot() + AT_PAYLOAD + Objects.checkFromIndexSize(offset, bytes, payloadLength());
    }

    private long slot() {
        return NativeNews.slot(atHand());
    }

    private long atHand() {
        if (cell == 0) {
            throw new IllegalStateException("no news is at hand: ask in the handler");
        }
        return cell;
    }
}
