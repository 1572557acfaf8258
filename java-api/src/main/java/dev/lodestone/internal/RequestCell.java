package dev.lodestone.internal;

import dev.lodestone.bindings.LodestoneRequest;
import dev.lodestone.client.Move;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The one cell that a client's requests are written to and handed over from. One thread at a time. */
final class RequestCell {
    static final byte KIND_MOVE = 0x10;
    static final byte KIND_RELEASE = 0x18;
    static final byte KIND_ROUTE = 0x20;
    static final byte KIND_READ = 0x28;
    static final byte KIND_SUBSCRIBE = 0x30;
    static final byte KIND_UNSUBSCRIBE = 0x32;
    static final byte KIND_SUBSCRIBE_LATEST = 0x3a;
    static final byte BY_STREAM = 0;
    static final byte BY_DATAGRAM = 1;
    static final byte BY_DATAGRAM_UNANSWERED = 2;

    private static final int PAYLOAD_OFFSET = 24;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment cell;
    private final MemorySegment packet;

    RequestCell(Arena lifetime) {
        this.cell = lifetime.allocate(LodestoneRequest.layout());
        this.packet = LodestoneRequest.packet(cell);
    }

    MemorySegment segment() {
        return cell;
    }

    void begin(long id, byte kind, byte way) {
        LodestoneRequest.id(cell, id);
        LodestoneRequest.kind(cell, kind);
        LodestoneRequest.way(cell, way);
        LodestoneRequest.nodes(cell, (byte) 0);
    }

    void move(Move move) {
        byte[] payload = move.payload();
        pair(move.source(), move.target());
        packet.set(INT, 8, move.edgeMask());
        packet.set(SHORT, 12, (short) 0);
        packet.set(SHORT, 14, (short) payload.length);
        packet.set(LONG, 16, move.version());
        MemorySegment.copy(payload, 0, packet, ValueLayout.JAVA_BYTE, PAYLOAD_OFFSET, payload.length);
    }

    void pair(int first, int second) {
        packet.set(INT, 0, first);
        packet.set(INT, 4, second);
    }

    void nodes(int[] nodes) {
        LodestoneRequest.nodes(cell, (byte) nodes.length);
        MemorySegment.copy(nodes, 0, packet, INT, 0, nodes.length);
    }
}
