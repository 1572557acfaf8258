package dev.lodestone;

import dev.lodestone.bindings.LodestoneError;
import dev.lodestone.bindings.LodestoneMove;
import dev.lodestone.bindings.LodestoneSubmission;
import dev.lodestone.internal.NativeEngine;
import dev.lodestone.internal.Words;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Objects;

/**
 * Up to 128 moves and releases of this service's own, submitted together through the same channel and engine as everyone's.
 *
 * <p>Fill it with {@link #add} and {@link #addRelease}, {@link #submit()}, look at {@link #status(int)}, {@link #clear()},
 * and fill it again: its memory is outside the heap and is taken once. One batch belongs to one thread.
 */
public final class MoveBatch {
    /** Most moves in a batch. */
    public static final int CAPACITY_MAX = 128;
    /** Most bytes of payload in a move. */
    public static final int PAYLOAD_BYTES_MAX = 232;

    private static final int KIND_MOVE = 0x10;
    private static final int KIND_RELEASE = 0x18;
    private static final int AT_STATUS = 2;
    private static final int AT_REVISION = 8;
    private static final int AT_PACKET = 16;
    private static final int AT_TARGET = AT_PACKET + 4;
    private static final int AT_EDGE_MASK = AT_PACKET + 8;
    private static final int AT_PAYLOAD_LENGTH = AT_PACKET + 14;
    private static final int AT_VERSION = AT_PACKET + 16;
    private static final int AT_PAYLOAD = AT_PACKET + 24;
    private static final long CELL_BYTES = LodestoneMove.sizeof();

    private final NativeEngine engine;
    private final int capacity;
    // An automatic lifetime: passing such a segment to a call costs nothing, unlike one that can be closed.
    private final Arena lifetime = Arena.ofAuto();
    private final MemorySegment cells;
    private final MemorySegment submission = lifetime.allocate(LodestoneSubmission.layout());
    private final MemorySegment error = lifetime.allocate(LodestoneError.layout());
    private int count;
    private boolean submitted;
    private boolean spent;

    MoveBatch(NativeEngine engine, int capacity) {
        if (capacity < 1 || capacity > CAPACITY_MAX) {
            throw new IllegalArgumentException("capacity " + capacity + " is not from 1 to " + CAPACITY_MAX);
        }
        this.engine = engine;
        this.capacity = capacity;
        this.cells = lifetime.allocate(LodestoneMove.layout(), capacity);
    }

    /**
     * Adds a move without payload; the {@code put} methods give it one.
     *
     * @param source the node that moves, unsigned
     * @param target the node it moves to, unsigned
     * @param edgeMask the edge's mask: weight = low byte XOR second byte, upper 16 bits free; 0 removes the edge
     * @param expectedVersion the version that the node must have, 0 for any
     * @return the move's index in this batch
     * @throws IllegalStateException when the batch is full, or was submitted and not cleared
     */
    public int add(int source, int target, int edgeMask, long expectedVersion) {
        long cell = next(KIND_MOVE);
        Words.putInt(cell + AT_PACKET, source);
        Words.putInt(cell + AT_TARGET, target);
        Words.putInt(cell + AT_EDGE_MASK, edgeMask);
        Words.putLong(cell + AT_VERSION, expectedVersion);
        Reference.reachabilityFence(this);
        return count - 1;
    }

    /**
     * Adds a release: the node gives its slot back, its edges stay.
     *
     * @param node the node, unsigned
     * @return the release's index in this batch
     * @throws IllegalStateException when the batch is full, or was submitted and not cleared
     */
    public int addRelease(int node) {
        Words.putInt(next(KIND_RELEASE) + AT_PACKET, node);
        Reference.reachabilityFence(this);
        return count - 1;
    }

    private long next(int kind) {
        if (submitted) {
            throw new IllegalStateException("the batch was submitted: clear() it before adding");
        }
        if (count == capacity) {
            throw new IllegalStateException("the batch is full with " + capacity + " moves: submit() and clear() it");
        }
        long cell = cells.address() + count * CELL_BYTES;
        Words.clear(cell, CELL_BYTES);
        Words.putByte(cell, kind);
        count++;
        return cell;
    }

    /**
     * Writes a byte of the payload of the move added last; the payload grows as far as this.
     *
     * @param offset its offset in the payload
     * @param value the byte
     * @return this batch
     * @throws IndexOutOfBoundsException when it is not inside the 232 bytes
     * @throws IllegalStateException when the last thing added was no move
     */
    public MoveBatch putByte(int offset, byte value) {
        Words.putByte(payload(offset, Byte.BYTES), value);
        Reference.reachabilityFence(this);
        return this;
    }

    /**
     * Writes four bytes of the payload of the move added last, little-endian; the payload grows as far as these.
     *
     * @param offset offset of the first in the payload
     * @param value the number
     * @return this batch
     * @throws IndexOutOfBoundsException when they are not inside the 232 bytes
     * @throws IllegalStateException when the last thing added was no move
     */
    public MoveBatch putInt(int offset, int value) {
        Words.putInt(payload(offset, Integer.BYTES), value);
        Reference.reachabilityFence(this);
        return this;
    }

    /**
     * Writes eight bytes of the payload of the move added last, little-endian; the payload grows as far as these.
     *
     * @param offset offset of the first in the payload
     * @param value the number
     * @return this batch
     * @throws IndexOutOfBoundsException when they are not inside the 232 bytes
     * @throws IllegalStateException when the last thing added was no move
     */
    public MoveBatch putLong(int offset, long value) {
        Words.putLong(payload(offset, Long.BYTES), value);
        Reference.reachabilityFence(this);
        return this;
    }

    /**
     * Writes bytes of the payload of the move added last; the payload grows as far as these.
     *
     * @param offset offset of the first in the payload
     * @param values the bytes
     * @return this batch
     * @throws IndexOutOfBoundsException when they are not inside the 232 bytes
     * @throws IllegalStateException when the last thing added was no move
     */
    public MoveBatch putBytes(int offset, byte[] values) {
        long address = payload(offset, Objects.requireNonNull(values, "values").length);
        MemorySegment.copy(MemorySegment.ofArray(values), 0, cells, address - cells.address(), values.length);
        return this;
    }

    /** Address of a place in the last move's payload, which is made long enough. */
    private long payload(int offset, int bytes) {
        Objects.checkFromIndexSize(offset, bytes, PAYLOAD_BYTES_MAX);
        long cell = cells.address() + (count - 1) * CELL_BYTES;
        if (submitted || count == 0 || Words.byteAt(cell) != KIND_MOVE) {
            throw new IllegalStateException("a payload belongs to a move: add() one first");
        }
        int length = Math.max(Words.shortAt(cell + AT_PAYLOAD_LENGTH), offset + bytes);
        Words.putShort(cell + AT_PAYLOAD_LENGTH, length);
        return cell + AT_PAYLOAD + offset;
    }

    /**
     * Submits the batch for no tenant in particular, and waits until every move in it is decided.
     *
     * @return the revision after the last of them; 0 for an empty batch
     * @throws IllegalStateException when the batch was submitted and not cleared
     * @throws EngineClosedException when the engine is closed
     * @throws EnginePoisonedException when the engine has failed
     */
    public long submit() {
        return submit(0);
    }

    /**
     * Submits the batch on the quota of a tenant, and waits until every move in it is decided. Refused moves are no
     * exception: look at {@link #rejected()} and {@link #status(int)}. A batch is submitted once, until {@link #clear()}.
     *
     * @param tenant the tenant, unsigned
     * @return the revision after the last of them; 0 for an empty batch
     * @throws IllegalStateException when the batch was submitted and not cleared
     * @throws EngineClosedException when the engine is closed
     * @throws EnginePoisonedException when the engine has failed
     */
    public long submit(int tenant) {
        engine.handle();
        if (spent) {
            throw new IllegalStateException("the batch was submitted: clear() it before submitting again");
        }
        LodestoneSubmission.revision(submission, 0);
        LodestoneSubmission.accepted(submission, 0);
        LodestoneSubmission.rejected(submission, 0);
        if (count == 0) {
            return 0;
        }
        submitted = true;
        spent = true;
        try {
            engine.submit(cells, count, tenant, submission, error);
        } catch (EngineClosedException | EnginePoisonedException gone) {
            // It says so as often as it is asked.
            spent = false;
            throw gone;
        }
        return LodestoneSubmission.revision(submission);
    }

    /**
     * What became of a move.
     *
     * @param index its index in this batch
     * @return its status
     * @throws IndexOutOfBoundsException when there is no such move
     * @throws IllegalStateException when the batch was not submitted
     */
    public Status status(int index) {
        int number = Words.shortAt(decided(index) + AT_STATUS);
        Reference.reachabilityFence(this);
        return Status.of(number);
    }

    /**
     * The revision that holds a move, or that it was refused at.
     *
     * @param index its index in this batch
     * @return the revision
     * @throws IndexOutOfBoundsException when there is no such move
     * @throws IllegalStateException when the batch was not submitted
     */
    public long revision(int index) {
        long revision = Words.longAt(decided(index) + AT_REVISION);
        Reference.reachabilityFence(this);
        return revision;
    }

    private long decided(int index) {
        Objects.checkIndex(index, count);
        if (!submitted) {
            throw new IllegalStateException("nothing is decided before submit()");
        }
        return cells.address() + index * CELL_BYTES;
    }

    /**
     * How many moves the last submission accepted.
     *
     * @return number of moves and releases
     */
    public int accepted() {
        return LodestoneSubmission.accepted(submission);
    }

    /**
     * How many moves the last submission refused.
     *
     * @return number of moves and releases
     */
    public int rejected() {
        return LodestoneSubmission.rejected(submission);
    }

    /**
     * How many moves are in the batch.
     *
     * @return number of moves and releases
     */
    public int size() {
        return count;
    }

    /**
     * How many moves fit.
     *
     * @return number of moves and releases
     */
    public int capacity() {
        return capacity;
    }

    /** Empties the batch, ready to be filled again. */
    public void clear() {
        count = 0;
        submitted = false;
        spent = false;
    }
}
