package dev.lodestone.benchmarks.peers;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** What the moves change: a slot of 256 bytes a node, outside the heap. Any thread. */
final class Slots {
    /** Bytes of a slot. */
    static final int SLOT_BYTES = 256;
    /** Locks of the table: each guards the nodes whose number ends alike, so that connections rarely meet. */
    private static final int LOCKS = 256;
    private static final int WEIGHT_OFFSET = 12;
    private static final int STATE_OFFSET = 13;
    private static final int VERSION_OFFSET = 16;

    private final int nodes;
    private final ByteBuf table;
    private final Object[] guards = new Object[LOCKS];
    private final AtomicLong revision = new AtomicLong();
    private final AtomicInteger sessions = new AtomicInteger();

    Slots(int nodes) {
        this.nodes = nodes;
        table = Unpooled.directBuffer(nodes * SLOT_BYTES, nodes * SLOT_BYTES);
        table.writeZero(nodes * SLOT_BYTES);
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
        long expected = frame.getLongLE(packetOffset + VERSION_OFFSET);
        synchronized (guards[node % LOCKS]) {
            long version = table.getLongLE(slot + VERSION_OFFSET);
            if (expected != 0 && expected != version) {
                return MoveHandler.STATUS_CONFLICT;
            }
            frame.getBytes(packetOffset, table.internalNioBuffer(slot, packetBytes));
            table.setZero(slot + packetBytes, SLOT_BYTES - packetBytes);
            int mask = table.getIntLE(slot + 8);
            table.setByte(slot + WEIGHT_OFFSET, mask ^ (mask >> 8));
            table.setByte(slot + STATE_OFFSET, 1);
            table.setLongLE(slot + VERSION_OFFSET, version + 1);
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
            out.writeBytes(table, node * SLOT_BYTES, SLOT_BYTES);
        }
    }
}
