package dev.lodestone;

import dev.lodestone.internal.BridgeLayout;
import dev.lodestone.internal.CommandRing;
import dev.lodestone.internal.Producer;
import dev.lodestone.internal.Region;
import dev.lodestone.internal.Sleeper;
import dev.lodestone.internal.Words;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Objects;

/**
 * Sends moves and releases to the engine through shared memory: no call, no allocation, no lock. What the engine decides
 * comes back the same way.
 *
 * <p>Each command gets a counter: 1, 2, 3 and so on. The engine decides in that order, and {@link #decided()} tells how far it
 * is. Refusals are told by {@link #nextRejection}. When there is no room a {@code try} method returns {@link #FULL} and nothing
 * was sent: try again later, or do without.
 *
 * <p>One object belongs to one thread; make one for each. It takes a lane of its own while one is free
 * ({@code bridge.lanes}); others share a ring ({@link #hasLane()}). At most 64 producers are open at once in all processes. A
 * method that waits holds its carrier when a virtual thread calls it.
 *
 * <p>After the engine's close every method throws {@link EngineClosedException}, and so it does after {@link #close()}. What was
 * sent and not decided by then is not applied. When the process of an {@link AttachedEngine} ends without closing it, whoever
 * waits, or finds no room, gets an {@link EngineGoneException}; what was {@linkplain #decided() decided} by then was part of that
 * engine's state and ended with it. What another process has written over the memory of commands is told with
 * {@link Status#DAMAGED} where it is found, and never crashes this one.
 */
public final class Commands implements AutoCloseable {
    /** What a {@code try} method returns when there is no room. */
    public static final long FULL = -1;
    /** Most bytes of payload in a move. */
    public static final int PAYLOAD_BYTES_MAX = 232;

    static final long KIND_MOVE = 0x10;
    static final long KIND_RELEASE = 0x18;
    static final int PACKET_HEAD_BYTES = 24;
    private static final int ANSWER_REVISION = 2;
    private static final int ANSWER_ACCEPTED = 3;
    private static final int ANSWER_REJECTED = 4;
    private static final int PAYLOAD_LENGTH_SHIFT = 48;
    private static final long MASK_BITS = 0xffff_ffffL;
    private static final int STATUS_MASK = 0xffff;
    private static final long NO_ROOM = 0;
    /** How often, while there is no room, it is looked whether anybody will ever make some. */
    private static final long LOOK_NS = 1_000_000;

    private final Region region;
    private final Producer producer;
    private final CommandRing ring;
    private final CommandBatch batch;
    private final Interests interests;
    private final long[] rejection = new long[2];
    private boolean closed;
    private long lookedNs = System.nanoTime() - LOOK_NS;

    Commands(Region region, Sleeper sleeper, int tenant) {
        this.region = region;
        this.producer = Producer.register(region, sleeper, tenant, true);
        this.ring = ringOf(region, producer);
        this.batch = new CommandBatch(this, ring);
        this.interests = new Interests(this, ring);
    }

    private static CommandRing ringOf(Region region, Producer producer) {
        try {
            return CommandRing.of(region, producer);
        } catch (EngineException | InternalError failed) {
            // Nobody will hold this object, so nobody would give its lane and its place in the table back.
            producer.leave();
            throw failed;
        }
    }

    /**
     * Sends a move without payload.
     *
     * @param source the node that moves, unsigned
     * @param target the node it moves to, unsigned
     * @param edgeMask the edge's mask: weight = low byte XOR second byte, upper 16 bits free; 0 removes the edge
     * @param expectedVersion the version that the node must have, 0 for any
     * @return the command's counter, or {@link #FULL}
     * @throws EngineClosedException when the engine or this object is closed
     * @throws EnginePoisonedException when there is no room because the engine has failed
     * @throws EngineGoneException when there is no room because its process ended
     * @throws IllegalStateException when a batch is open
     */
    public long tryMove(int source, int target, int edgeMask, long expectedVersion) {
        long body = claimOne(PACKET_HEAD_BYTES);
        if (body == NO_ROOM) {
            return FULL;
        }
        try {
            writeMove(body, source, target, edgeMask, expectedVersion, 0);
            return ring.send(body, KIND_MOVE, PACKET_HEAD_BYTES);
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    /**
     * Sends a move with a payload out of a segment.
     *
     * @param source the node that moves, unsigned
     * @param target the node it moves to, unsigned
     * @param edgeMask the edge's mask
     * @param expectedVersion the version that the node must have, 0 for any
     * @param payload where the payload is; accessible to this thread
     * @param offset offset of its first byte
     * @param length its length, 0 to 232
     * @return the command's counter, or {@link #FULL}
     * @throws IndexOutOfBoundsException when the payload is longer than 232 bytes or leaves the segment
     * @throws EngineClosedException when the engine or this object is closed
     * @throws EnginePoisonedException when there is no room because the engine has failed
     * @throws IllegalStateException when a batch is open, or the segment is not accessible
     */
    public long tryMove(int source, int target, int edgeMask, long expectedVersion, MemorySegment payload, long offset,
            int length) {
        Objects.checkFromIndexSize(offset, length, payload.byteSize());
        Objects.checkIndex(length, PAYLOAD_BYTES_MAX + 1);
        long body = claimOne(PACKET_HEAD_BYTES + length);
        if (body == NO_ROOM) {
            return FULL;
        }
        boolean copied = false;
        try {
            writeMove(body, source, target, edgeMask, expectedVersion, length);
            Words.copy(payload, offset, body + PACKET_HEAD_BYTES, length);
            copied = true;
            return ring.send(body, KIND_MOVE, PACKET_HEAD_BYTES + length);
        } catch (InternalError fault) {
            throw copied ? region.fault(fault) : faultOfCopy(fault, body);
        } finally {
            // The segment may be closed, or another thread's.
            if (!copied) {
                giveUp(PACKET_HEAD_BYTES + length);
            }
        }
    }

    /**
     * Sends a move with a payload out of an array.
     *
     * @param source the node that moves, unsigned
     * @param target the node it moves to, unsigned
     * @param edgeMask the edge's mask
     * @param expectedVersion the version that the node must have, 0 for any
     * @param payload where the payload is
     * @param offset index of its first byte
     * @param length its length, 0 to 232
     * @return the command's counter, or {@link #FULL}
     * @throws IndexOutOfBoundsException when the payload is longer than 232 bytes or leaves the array
     * @throws EngineClosedException when the engine or this object is closed
     * @throws EnginePoisonedException when there is no room because the engine has failed
     * @throws IllegalStateException when a batch is open
     */
    public long tryMove(int source, int target, int edgeMask, long expectedVersion, byte[] payload, int offset, int length) {
        Objects.checkFromIndexSize(offset, length, payload.length);
        Objects.checkIndex(length, PAYLOAD_BYTES_MAX + 1);
        long body = claimOne(PACKET_HEAD_BYTES + length);
        if (body == NO_ROOM) {
            return FULL;
        }
        try {
            writeMove(body, source, target, edgeMask, expectedVersion, length);
            Words.copy(payload, offset, body + PACKET_HEAD_BYTES, length);
            return ring.send(body, KIND_MOVE, PACKET_HEAD_BYTES + length);
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    /**
     * Sends a release: the node gives its slot back, its edges stay.
     *
     * @param node the node, unsigned
     * @return the command's counter, or {@link #FULL}
     * @throws EngineClosedException when the engine or this object is closed
     * @throws EnginePoisonedException when there is no room because the engine has failed
     * @throws IllegalStateException when a batch is open
     */
    public long tryRelease(int node) {
        long body = claimOne(Long.BYTES);
        if (body == NO_ROOM) {
            return FULL;
        }
        try {
            Words.putLong(body, Integer.toUnsignedLong(node));
            return ring.send(body, KIND_RELEASE, Long.BYTES);
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    /**
     * The batch of this object: several commands that become visible together, written straight into the ring.
     *
     * @return always the same object
     */
    public CommandBatch batch() {
        return batch;
    }

    /**
     * Decides what connected clients are told, in the order of these commands.
     *
     * @return always the same object
     */
    public Interests interests() {
        return interests;
    }

    /** Claims room for one command, which {@link CommandRing#put} begins and {@link CommandRing#commit} sends. */
    boolean claim(long bodyBytes) {
        requireNoBatch();
        return claimBytes(CommandRing.spanOf(bodyBytes));
    }

    private void giveUp(long bodyBytes) {
        try {
            ring.giveUp(bodyBytes);
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    /** What to throw when the JVM found no memory at a write into the region. */
    EngineException fault(InternalError fault) {
        return region.fault(fault);
    }

    /**
     * What to throw when the JVM found no memory at a copy into the region: it may be what was copied, a mapped file that
     * somebody cut short, and then that is the caller's.
     */
    EngineException faultOfCopy(InternalError fault, long to) {
        try {
            Words.opaque(to & -Long.BYTES);
        } catch (InternalError own) {
            return region.fault(own);
        }
        throw fault;
    }

    private void requireNoBatch() {
        if (batch.isOpen()) {
            throw new IllegalStateException("a batch is open: commit() or close() it first");
        }
    }

    /** Claims room for one command: the address of its body, which {@link CommandRing#send} sends, or that there is none. */
    private long claimOne(long bodyBytes) {
        requireNoBatch();
        requireOpen();
        try {
            long body = ring.claimOne(bodyBytes);
            if (body == NO_ROOM) {
                refuseWhereNobodyTakes();
            }
            return body;
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    /** Claims whole cells, or says why nobody will ever make room. */
    boolean claimBytes(long bytes) {
        requireOpen();
        try {
            return ring.claim(bytes) || refuseWhereNobodyTakes();
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    private boolean refuseWhereNobodyTakes() {
        // Whether another process lives is a question to the system: not for each of many tries in a row.
        long now = System.nanoTime();
        if (now - lookedNs >= LOOK_NS) {
            requireTaken();
            lookedNs = now;
        }
        return false;
    }

    /** The engine is there, and takes what is sent here. */
    private void requireTaken() {
        region.requireAlive();
        if (ring.isClosed()) {
            throw new EngineClosedException("the engine gave up the " + (hasLane() ? "lane" : "ring") + " of these commands, "
                    + "which held bytes that no producer writes", "close them and make new ones");
        }
    }

    static void writeMove(long body, int source, int target, int edgeMask, long expectedVersion, int payloadBytes) {
        Words.putLong(body, Integer.toUnsignedLong(source) | (long) target << Integer.SIZE);
        Words.putLong(body + Long.BYTES, edgeMask & MASK_BITS | (long) payloadBytes << PAYLOAD_LENGTH_SHIFT);
        Words.putLong(body + 2 * Long.BYTES, expectedVersion);
    }

    void requireOpen() {
        if (closed) {
            throw new EngineClosedException("these commands are closed", "make new ones with engine.commands()");
        }
        region.requireOpen();
    }

    /**
     * How far the engine is: every command up to this counter is decided, and those accepted are committed.
     *
     * @return the counter, 0 before the first
     * @throws EngineClosedException when the engine or this object is closed
     */
    public long decided() {
        try {
            long decided = producer.decided();
            requireOpen();
            return decided;
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    /**
     * The revision by which everything decided so far is committed. It falls only by a rollback.
     *
     * @return the revision, 0 before the first command is decided
     * @throws EngineClosedException when the engine or this object is closed
     */
    public long revision() {
        return answer(ANSWER_REVISION);
    }

    /**
     * How many commands were accepted.
     *
     * @return number of moves and releases
     * @throws EngineClosedException when the engine or this object is closed
     */
    public long accepted() {
        return answer(ANSWER_ACCEPTED);
    }

    /**
     * How many commands were refused.
     *
     * @return number of moves and releases
     * @throws EngineClosedException when the engine or this object is closed
     */
    public long rejected() {
        return answer(ANSWER_REJECTED);
    }

    private long answer(int index) {
        try {
            long word = producer.answer(index);
            requireOpen();
            return word;
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    /**
     * The counter of the command sent last.
     *
     * @return the counter, 0 before the first
     */
    public long sent() {
        return ring.counter();
    }

    /**
     * Waits until a command is decided: looks for some microseconds, then sleeps until the engine wakes it.
     *
     * @param counter the command's counter
     * @param limit longest wait
     * @return whether it is decided
     * @throws IllegalArgumentException when no command of this counter was sent
     * @throws EngineClosedException when the engine or this object is closed
     * @throws EnginePoisonedException when the engine has failed before it was decided
     * @throws EngineGoneException when its process ended before it was decided
     */
    public boolean awaitDecided(long counter, Duration limit) {
        Objects.requireNonNull(limit, "limit");
        if (counter > ring.counter() || batch.isOpen()) {
            throw new IllegalArgumentException("command " + counter + " was not sent: the last one is " + ring.counter());
        }
        requireOpen();
        try {
            boolean decided = producer.await(counter, nanoseconds(limit));
            if (!decided) {
                requireTaken();
            }
            requireOpen();
            return decided;
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    private static long nanoseconds(Duration limit) {
        return limit.getSeconds() >= Long.MAX_VALUE / 1_000_000_000L ? Long.MAX_VALUE : limit.toNanos();
    }

    /**
     * Hands the next refusal to the handler, in the order of counters. The last 64 refusals are kept; older ones are
     * {@linkplain #missedRejections() missed}.
     *
     * @param handler takes the refusal
     * @return false when there is none
     * @throws EngineClosedException when the engine or this object is closed
     */
    public boolean nextRejection(RejectionHandler handler) {
        Objects.requireNonNull(handler, "handler");
        boolean found;
        try {
            found = producer.nextRejection(rejection);
            requireOpen();
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
        if (found) {
            handler.onRejection(rejection[0], (int) (rejection[1] >>> Integer.SIZE) & STATUS_MASK, (int) rejection[1]);
        }
        return found;
    }

    /**
     * How many refusals were overwritten before they were asked for.
     *
     * @return the number, since this object was made
     */
    public long missedRejections() {
        return producer.missed();
    }

    /**
     * Whether this object has a lane of its own.
     *
     * @return false when it shares the ring
     */
    public boolean hasLane() {
        return producer.lane() >= 0;
    }

    /**
     * Most commands without payload that one batch can hold.
     *
     * @return number of commands
     */
    public int batchCommandsMax() {
        return (int) (ring.claimBytesMax() / BridgeLayout.CELL_BYTES);
    }

    /** Gives the lane and the place in the table back. What was sent is still decided. A second close does nothing. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            try {
                batch.close();
                producer.leave();
            } catch (InternalError fault) {
                // Nothing is left to leave.
                region.fault(fault);
            }
        }
    }
}
