package dev.lodestone;

import dev.lodestone.internal.CommandRing;
import dev.lodestone.internal.Words;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Several commands that the engine sees together, written straight into the ring: {@link #tryClaim room first}, then the
 * commands, then {@link #commit()}. Closed without a commit, none of them was ever there.
 *
 * <pre>{@code
 * try (CommandBatch batch = commands.batch()) {
 *     if (batch.tryClaim(2, 8)) {
 *         batch.move(1, 2, 0x1_0007, 0);
 *         batch.putLong(0, 42);
 *         batch.release(3);
 *         long last = batch.commit();
 *     }
 * }
 * }</pre>
 *
 * <p>It belongs to the thread of its {@link Commands}. Where those share the ring with other producers ({@link
 * Commands#hasLane()}), all of them wait behind an open batch: do nothing between claim and commit that may take time.
 */
public final class CommandBatch implements AutoCloseable {
    private static final long NO_MOVE = 0;

    private final Commands commands;
    private final CommandRing ring;
    private boolean open;
    private long spanMax;
    private int payloadBytes;
    private long body;

    CommandBatch(Commands commands, CommandRing ring) {
        this.commands = commands;
        this.ring = ring;
    }

    /**
     * Claims room.
     *
     * @param count most commands in the batch, at least 1
     * @param payloadBytesEach bytes of payload of every move in it, 0 to 232; what is not written is 0
     * @return false when there is no room; nothing is claimed then. More than
     *     {@link Commands#batchCommandsMax()} cells of 64 bytes never fit
     * @throws IllegalArgumentException when count or payload is out of its range
     * @throws IllegalStateException when the batch is open
     * @throws EngineClosedException when the engine or the commands are closed
     * @throws EnginePoisonedException when there is no room because the engine has failed
     */
    public boolean tryClaim(int count, int payloadBytesEach) {
        if (open) {
            throw new IllegalStateException("the batch is open: commit() or close() it first");
        }
        if (count < 1 || payloadBytesEach < 0 || payloadBytesEach > Commands.PAYLOAD_BYTES_MAX) {
            throw new IllegalArgumentException(count + " commands with " + payloadBytesEach + " bytes of payload: allowed is at "
                    + "least 1 with 0 to " + Commands.PAYLOAD_BYTES_MAX);
        }
        spanMax = CommandRing.spanOf((long) Commands.PACKET_HEAD_BYTES + payloadBytesEach);
        payloadBytes = payloadBytesEach;
        body = NO_MOVE;
        open = commands.claimBytes(spanMax * count);
        return open;
    }

    /**
     * Whether room is claimed.
     *
     * @return true between claim and commit
     */
    public boolean isOpen() {
        return open;
    }

    /**
     * Adds a move. Its payload, of the size claimed, is 0 until the {@code put} methods write it.
     *
     * @param source the node that moves, unsigned
     * @param target the node it moves to, unsigned
     * @param edgeMask the edge's mask
     * @param expectedVersion the version that the node must have, 0 for any
     * @return the command's counter
     * @throws IllegalStateException when the batch is not open, or has no room left
     */
    public long move(int source, int target, int edgeMask, long expectedVersion) {
        requireRoom();
        try {
            long packet = ring.put(Commands.KIND_MOVE, Commands.PACKET_HEAD_BYTES + payloadBytes);
            Commands.writeMove(packet, source, target, edgeMask, expectedVersion, payloadBytes);
            body = packet + Commands.PACKET_HEAD_BYTES;
            for (int offset = 0; offset < payloadBytes; offset += Long.BYTES) {
                // Up to seven bytes behind the payload still lie in the record's last cell.
                Words.putLong(body + offset, 0);
            }
            return ring.counter();
        } catch (InternalError fault) {
            throw commands.fault(fault);
        }
    }

    /**
     * Adds a release.
     *
     * @param node the node, unsigned
     * @return the command's counter
     * @throws IllegalStateException when the batch is not open, or has no room left
     */
    public long release(int node) {
        requireRoom();
        body = NO_MOVE;
        try {
            Words.putLong(ring.put(Commands.KIND_RELEASE, Long.BYTES), Integer.toUnsignedLong(node));
            return ring.counter();
        } catch (InternalError fault) {
            throw commands.fault(fault);
        }
    }

    private void requireRoom() {
        requireOpen();
        if (ring.left() < spanMax) {
            throw new IllegalStateException("the batch has no room left: claim more commands");
        }
    }

    private void requireOpen() {
        if (!open) {
            throw new IllegalStateException("the batch is not open: tryClaim() first");
        }
    }

    /**
     * Writes a byte of the payload of the move added last.
     *
     * @param offset its offset in the payload
     * @param value the byte
     * @return this batch
     * @throws IndexOutOfBoundsException when it is not inside the payload claimed
     * @throws IllegalStateException when the batch is not open, or the last thing added was no move
     */
    public CommandBatch putByte(int offset, byte value) {
        try {
            Words.putByte(payload(offset, Byte.BYTES), value);
            return this;
        } catch (InternalError fault) {
            throw commands.fault(fault);
        }
    }

    /**
     * Writes four bytes of the payload of the move added last, little-endian.
     *
     * @param offset offset of the first in the payload
     * @param value the number
     * @return this batch
     * @throws IndexOutOfBoundsException when they are not inside the payload claimed
     * @throws IllegalStateException when the batch is not open, or the last thing added was no move
     */
    public CommandBatch putInt(int offset, int value) {
        try {
            Words.putInt(payload(offset, Integer.BYTES), value);
            return this;
        } catch (InternalError fault) {
            throw commands.fault(fault);
        }
    }

    /**
     * Writes eight bytes of the payload of the move added last, little-endian.
     *
     * @param offset offset of the first in the payload
     * @param value the number
     * @return this batch
     * @throws IndexOutOfBoundsException when they are not inside the payload claimed
     * @throws IllegalStateException when the batch is not open, or the last thing added was no move
     */
    public CommandBatch putLong(int offset, long value) {
        try {
            Words.putLong(payload(offset, Long.BYTES), value);
            return this;
        } catch (InternalError fault) {
            throw commands.fault(fault);
        }
    }

    /**
     * Writes bytes of the payload of the move added last.
     *
     * @param offset offset of the first in the payload
     * @param from where the bytes are; accessible to this thread
     * @param fromOffset offset of the first
     * @param length how many
     * @return this batch
     * @throws IndexOutOfBoundsException when they are not inside the payload claimed, or leave the segment
     * @throws IllegalStateException when the batch is not open, the last thing added was no move, or the segment is not
     *     accessible
     */
    public CommandBatch putBytes(int offset, MemorySegment from, long fromOffset, int length) {
        long to = payload(offset, length);
        try {
            Words.copy(from, Objects.checkFromIndexSize(fromOffset, length, from.byteSize()), to, length);
            return this;
        } catch (InternalError fault) {
            throw commands.faultOfCopy(fault, to);
        }
    }

    private long payload(int offset, int bytes) {
        requireOpen();
        if (body == NO_MOVE) {
            throw new IllegalStateException("a payload belongs to a move: add one first");
        }
        return body + Objects.checkFromIndexSize(offset, bytes, payloadBytes);
    }

    /**
     * Makes all commands visible to the engine; one without commands is given up.
     *
     * @return the counter of the last command sent
     * @throws IllegalStateException when the batch is not open
     * @throws EngineClosedException when the engine is closed; nothing was sent
     */
    public long commit() {
        requireOpen();
        commands.requireOpen();
        open = false;
        try {
            ring.commit();
            return ring.counter();
        } catch (InternalError fault) {
            throw commands.fault(fault);
        }
    }

    /** Gives up what is not committed. Does nothing when the batch is not open. */
    @Override
    public void close() {
        if (open) {
            open = false;
            try {
                ring.abort();
            } catch (InternalError fault) {
                // Nothing is left to give up; whoever goes on hears of it.
                commands.fault(fault);
            }
        }
    }
}
