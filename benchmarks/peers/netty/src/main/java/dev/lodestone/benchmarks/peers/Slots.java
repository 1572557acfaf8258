package dev.lodestone.benchmarks.peers;

import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** What the moves change: a slot of 256 bytes a node, outside the heap. Any thread. */
final class Slots {
    /** Bytes of a slot. */
    static final int SLOT_BYTES = 256;
    /** Locks of the table: each guards the nodes whose number ends alike, so that connections rarely meet. */
    private static final int LOCKS = 256;
    private static final byte[] ZEROS = new byte[SLOT_BYTES];
    private static final int MASK_OFFSET = 8;
    private static final int WEIGHT_OFFSET = 12;
    private static final int STATE_OFFSET = 13;
    private static final int VERSION_OFFSET = 16;

    private final int nodes;
    private final ByteBuffer table;
    private final Object[] guards = new Object[LOCKS];
    private final AtomicLong revision = new AtomicLong();
    private final AtomicInteger sessions = new AtomicInteger();

    Slots(int nodes) {
        this.nodes = nodes;
        table = ByteBuffer.allocateDirect(nodes * SLOT_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        for (int index = 0; index < LOCKS; index++) {
            guards[index] = new Object();
        }
    }

    int nodes() {
        return nodes;
    }

    int nextSession() {
        return sessions.incrementAndGet();
    }

    long revision() {
        return revision.get();
    }

    long raiseRevision() {
        return revision.incrementAndGet();
    }

    /** Copies a packet into its slot: 0, or the status of the refusal. */
    int write(int node, ByteBuf frame, int packetOffset, int packetBytes) {
        int slot = node * SLOT_BYTES;
        ByteBuffer packet = frame.nioBuffer(packetOffset, packetBytes);
        long expected = frame.getLongLE(packetOffset + VERSION_OFFSET);
        synchronized (guards[node % LOCKS]) {
            long version = table.getLong(slot + VERSION_OFFSET);
            if (expected != 0 && expected != version) {
                return MoveHandler.STATUS_CONFLICT;
            }
            // By index throughout: the position of the table belongs to nobody.
            table.put(slot, packet, 0, packetBytes);
            table.put(slot + packetBytes, ZEROS, 0, SLOT_BYTES - packetBytes);
            int mask = table.getInt(slot + MASK_OFFSET);
            table.put(slot + WEIGHT_OFFSET, (byte) (mask ^ (mask >> Byte.SIZE)));
            table.put(slot + STATE_OFFSET, (byte) 1);
            table.putLong(slot + VERSION_OFFSET, version + 1);
            return 0;
        }
    }

    /** Appends a slot; zeros for a node that there is not. */
    void read(int node, ByteBuf out) {
        if (node < 0 || node >= nodes) {
            out.writeZero(SLOT_BYTES);
            return;
        }
        synchronized (guards[node % LOCKS]) {
            out.writeBytes(table.slice(node * SLOT_BYTES, SLOT_BYTES));
        }
    }
}
