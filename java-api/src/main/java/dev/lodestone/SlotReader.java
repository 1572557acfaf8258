package dev.lodestone;

import dev.lodestone.internal.Region;
import dev.lodestone.internal.Words;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.lang.ref.Reference;
import java.util.Objects;

/**
 * Reads the state of nodes straight from shared memory: no call, no allocation, no lock, never half-written.
 *
 * <p>{@link #read} copies one slot into a buffer of this reader; the accessors show that copy until the next read. One
 * reader belongs to one thread; make as many readers as threads. A poisoned engine stays readable. After the engine's close
 * {@code read} throws {@link EngineClosedException}; the copy of the last read stays as it is.
 */
public final class SlotReader {
    /** Most bytes of payload in a slot. */
    public static final int PAYLOAD_BYTES_MAX = 232;

    private static final int AT_TARGET = 4;
    private static final int AT_EDGE_MASK = 8;
    private static final int AT_WEIGHT = 12;
    private static final int AT_STATE = 13;
    private static final int AT_PAYLOAD_LENGTH = 14;
    private static final int AT_VERSION = 16;
    private static final int AT_PAYLOAD = 24;

    private final Region region;
    private final long nodes;
    private final long nodesMax;
    private final long slots;
    private final long slotsMax;
    // The buffer's memory lives as long as this object: the accessors work on its address and keep `this` alive meanwhile.
    private final MemorySegment buffer = Arena.ofAuto().allocate(Region.SLOT_BYTES, Region.SLOT_BYTES);
    private final MemorySegment payload = buffer.asReadOnly().asSlice(AT_PAYLOAD);
    private final long copy = buffer.address();
    private final SlotBusyException busy = new SlotBusyException();

    SlotReader(Region region) {
        this.region = region;
        this.nodes = region.nodes();
        this.nodesMax = region.nodesMax();
        this.slots = region.slots();
        this.slotsMax = region.slotsMax();
    }

    /**
     * Takes a snapshot of a node's slot.
     *
     * @param node the node, unsigned
     * @return true when the node has a slot; false when it has none, and then the accessors show zeros
     * @throws IndexOutOfBoundsException when the node is not below {@code graph.nodes_max}
     * @throws EngineClosedException when the engine is closed
     * @throws EngineGoneException when an engine elsewhere ended in the middle of a change of this node
     * @throws SlotBusyException when the node kept changing; nothing useful is in the buffer then. It is always the same
     *     object, made with this reader: nothing is allocated
     */
    public boolean read(int node) {
        try {
            return look(entry(node));
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    private boolean look(long entry) {
        for (int looks = 0; looks < Region.LOOKS_SPINNING_MAX + Region.LOOKS_YIELDING_MAX; looks++) {
            long before = Words.acquire(entry);
            int slot = (int) before;
            boolean whole = (before >>> 32 & 1) == 0;
            if (whole && slot != Region.SLOT_NONE && Integer.toUnsignedLong(slot) < slotsMax) {
                Words.copy(slots + Integer.toUnsignedLong(slot) * Region.SLOT_BYTES, copy, Region.SLOT_BYTES);
            }
            // Pairs with the writer's release fence: if a byte of a later change was seen, so is its odd sequence.
            VarHandle.acquireFence();
            if (whole && Words.opaque(entry) == before) {
                region.requireOpen();
                if (slot == Region.SLOT_NONE) {
                    buffer.fill((byte) 0);
                } else if (Integer.toUnsignedLong(slot) >= slotsMax) {
                    throw new EngineException(Status.INTERNAL, "the node table names slot " + Integer.toUnsignedString(slot)
                            + ", of " + slotsMax);
                }
                Reference.reachabilityFence(this);
                return slot != Region.SLOT_NONE;
            }
            Region.pause(looks);
        }
        throw region.stuck(busy);
    }

    /**
     * The version of a node, whether it has a slot or not, without touching the snapshot.
     *
     * @param nodeNumber the node, unsigned
     * @return its version; 0 before its first move
     * @throws IndexOutOfBoundsException when the node is not below {@code graph.nodes_max}
     * @throws EngineClosedException when the engine is closed
     */
    public long version(int nodeNumber) {
        long entry = entry(nodeNumber);
        try {
            long version = Words.acquire(entry + Long.BYTES);
            region.requireOpen();
            return version;
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    private long entry(int node) {
        return nodes + Objects.checkIndex(Integer.toUnsignedLong(node), nodesMax) * Region.NODE_BYTES;
    }

    /**
     * The node of the snapshot.
     *
     * @return the node, unsigned
     */
    public int source() {
        return intAt(0);
    }

    /**
     * Where it moved to last.
     *
     * @return a node, unsigned
     */
    public int target() {
        return intAt(AT_TARGET);
    }

    /**
     * The mask of the edge from source to target.
     *
     * @return the mask, 32 bits
     */
    public int edgeMask() {
        return intAt(AT_EDGE_MASK);
    }

    /**
     * The weight of that edge.
     *
     * @return the weight, 0 to 255
     */
    public int weight() {
        return byteAt(AT_WEIGHT);
    }

    /**
     * The state of the slot.
     *
     * @return 1 when active, 0 when there is no slot
     */
    public int state() {
        return byteAt(AT_STATE);
    }

    /**
     * The version of the node in the snapshot.
     *
     * @return the version, unsigned; 0 when there is no slot
     */
    public long version() {
        return longAt(AT_VERSION);
    }

    /**
     * The length of the payload.
     *
     * @return bytes, 0 to 232
     */
    public int payloadLength() {
        int length = Words.shortAt(copy + AT_PAYLOAD_LENGTH);
        Reference.reachabilityFence(this);
        return Math.min(length, PAYLOAD_BYTES_MAX);
    }

    /**
     * A byte of the payload.
     *
     * @param offset its offset in the payload
     * @return the byte
     * @throws IndexOutOfBoundsException when it is not inside the 232 bytes; bytes behind the payload's end are 0
     */
    public byte payloadByte(int offset) {
        return (byte) byteAt(AT_PAYLOAD + Objects.checkIndex(offset, PAYLOAD_BYTES_MAX));
    }

    /**
     * Four bytes of the payload, little-endian.
     *
     * @param offset offset of the first in the payload
     * @return the number
     * @throws IndexOutOfBoundsException when they are not inside the 232 bytes; bytes behind the payload's end are 0
     */
    public int payloadInt(int offset) {
        return intAt(AT_PAYLOAD + Objects.checkFromIndexSize(offset, Integer.BYTES, PAYLOAD_BYTES_MAX));
    }

    /**
     * Eight bytes of the payload, little-endian.
     *
     * @param offset offset of the first in the payload
     * @return the number
     * @throws IndexOutOfBoundsException when they are not inside the 232 bytes; bytes behind the payload's end are 0
     */
    public long payloadLong(int offset) {
        return longAt(AT_PAYLOAD + Objects.checkFromIndexSize(offset, Long.BYTES, PAYLOAD_BYTES_MAX));
    }

    /**
     * The payload's 232 bytes, read-only, always the same segment: it shows whatever was read last. Bytes behind
     * {@link #payloadLength()} are 0.
     *
     * @return the segment
     */
    public MemorySegment payload() {
        return payload;
    }

    private int byteAt(int offset) {
        int value = Words.byteAt(copy + offset);
        Reference.reachabilityFence(this);
        return value;
    }

    private int intAt(int offset) {
        int value = Words.intAt(copy + offset);
        Reference.reachabilityFence(this);
        return value;
    }

    private long longAt(int offset) {
        long value = Words.longAt(copy + offset);
        Reference.reachabilityFence(this);
        return value;
    }
}
