package dev.lodestone.benchmarks.peers;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * One stream of one connection: the part of the protocol that moves need (HELLO, MOVE, READ and their answers). ROUTE,
 * RELEASE, datagrams and tokens are not measured, so this server has none.
 */
final class MoveHandler extends ChannelInboundHandlerAdapter {
    static final int STATUS_CONFLICT = 5;
    private static final int STATUS_BAD_DIGEST = 2;
    private static final int STATUS_OUT_OF_BOUNDS = 3;
    private static final int HELLO = 0x01;
    private static final int WELCOME = 0x02;
    private static final int MOVE = 0x10;
    private static final int ACK = 0x11;
    private static final int REJECT = 0x12;
    private static final int READ = 0x28;
    private static final int STATE = 0x29;
    private static final int HEADER_BYTES = 16;
    private static final int DIGEST_BYTES = 32;
    private static final int HEAD_BYTES = 24;
    private static final int FRAME_BYTES_MAX = HEADER_BYTES + DIGEST_BYTES + Slots.SLOT_BYTES;
    private static final int PROTOCOL_VERSION = 1;
    private static final int STREAMS_MAX = 128;

    private final Slots slots;
    private final MessageDigest sha256;
    private final byte[] received = new byte[DIGEST_BYTES];
    private ByteBuf carried;
    private ByteBuf answers;
    private int session;
    private long lastCounter;
    private boolean decided;
    private boolean accepted;

    MoveHandler(Slots slots) {
        this.slots = slots;
        try {
            sha256 = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException missing) {
            throw new IllegalStateException(missing);
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        ByteBuf bytes = (ByteBuf) message;
        if (carried != null) {
            carried.writeBytes(bytes);
            bytes.release();
            bytes = carried;
            carried = null;
        }
        if (answers == null) {
            answers = context.alloc().buffer(HEADER_BYTES + Long.BYTES);
        }
        try {
            takeFrames(bytes);
            if (bytes.isReadable()) {
                carried = context.alloc().buffer(FRAME_BYTES_MAX).writeBytes(bytes);
            }
        } finally {
            bytes.release();
        }
    }

    /** One ACK for all that one wake-up of the loop brought. */
    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
        if (decided) {
            header(ACK, Long.BYTES, lastCounter);
            answers.writeLongLE(accepted ? slots.raiseRevision() : slots.revision());
            decided = false;
            accepted = false;
        }
        if (answers != null && answers.isReadable()) {
            context.writeAndFlush(answers);
            answers = null;
        }
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
        for (ByteBuf left : new ByteBuf[] {carried, answers}) {
            if (left != null) {
                left.release();
            }
        }
        carried = null;
        answers = null;
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        context.close();
    }

    private void takeFrames(ByteBuf bytes) {
        while (bytes.readableBytes() >= HEADER_BYTES) {
            int start = bytes.readerIndex();
            int length = bytes.getUnsignedShortLE(start + 2);
            if (HEADER_BYTES + length > FRAME_BYTES_MAX) {
                throw new IllegalArgumentException("a frame of " + length + " bytes");
            }
            if (bytes.readableBytes() < HEADER_BYTES + length) {
                return;
            }
            take(bytes, start, length);
            bytes.skipBytes(HEADER_BYTES + length);
        }
    }

    private void take(ByteBuf frame, int start, int length) {
        int type = frame.getByte(start);
        long counter = frame.getLongLE(start + 8);
        if (type == HELLO && session == 0) {
            welcome();
        } else if (type == MOVE && length >= DIGEST_BYTES + HEAD_BYTES) {
            int status = move(frame, start, length);
            if (status != 0) {
                reject(counter, status, frame.getIntLE(start + HEADER_BYTES + DIGEST_BYTES));
            }
            accepted |= status == 0;
            decided = true;
            lastCounter = counter;
        } else if (type == READ && length == Long.BYTES) {
            header(STATE, Long.BYTES + Slots.SLOT_BYTES, counter);
            answers.writeLongLE(slots.revision());
            slots.read(frame.getIntLE(start + HEADER_BYTES), answers);
        } else {
            throw new IllegalArgumentException("a frame of type " + type);
        }
    }

    private int move(ByteBuf frame, int start, int length) {
        int packet = start + HEADER_BYTES + DIGEST_BYTES;
        int packetBytes = length - DIGEST_BYTES;
        sha256.update(frame.nioBuffer(start, HEADER_BYTES));
        sha256.update(frame.nioBuffer(packet, packetBytes));
        frame.getBytes(start + HEADER_BYTES, received);
        if (!MessageDigest.isEqual(sha256.digest(), received)) {
            return STATUS_BAD_DIGEST;
        }
        int source = frame.getIntLE(packet);
        int target = frame.getIntLE(packet + 4);
        boolean outside = Integer.compareUnsigned(source, slots.nodes()) >= 0
            || Integer.compareUnsigned(target, slots.nodes()) >= 0;
        if (outside || source == target || frame.getShortLE(packet + 12) != 0
            || frame.getUnsignedShortLE(packet + 14) != packetBytes - HEAD_BYTES) {
            return STATUS_OUT_OF_BOUNDS;
        }
        return slots.write(source, frame, packet, packetBytes);
    }

    private void header(int type, int length, long counter) {
        answers.writeByte(type).writeByte(0).writeShortLE(length).writeIntLE(session).writeLongLE(counter);
    }

    private void welcome() {
        session = slots.nextSession();
        header(WELCOME, HEAD_BYTES, 0);
        answers.writeShortLE(PROTOCOL_VERSION).writeShortLE(0).writeIntLE(STREAMS_MAX).writeLongLE(slots.revision());
        answers.writeIntLE(slots.nodes()).writeShortLE(Slots.SLOT_BYTES).writeShortLE(0);
    }

    private void reject(long counter, int status, int node) {
        header(REJECT, Long.BYTES, counter);
        answers.writeShortLE(status).writeShortLE(0).writeIntLE(node);
    }
}
