package dev.lodestone.benchmarks.rings;

import java.nio.ByteBuffer;
import org.agrona.DirectBuffer;
import org.agrona.MutableDirectBuffer;
import org.agrona.concurrent.MessageHandler;
import org.agrona.concurrent.UnsafeBuffer;
import org.agrona.concurrent.ringbuffer.ManyToOneRingBuffer;
import org.agrona.concurrent.ringbuffer.OneToOneRingBuffer;
import org.agrona.concurrent.ringbuffer.RingBuffer;
import org.agrona.concurrent.ringbuffer.RingBufferDescriptor;

/** Agrona's ring buffers in memory outside the heap, written in place with {@code tryClaim}. */
final class AgronaPeers {
    private static final int TYPE = 1;
    private static final int RING_BYTES = 1 << 20;
    private static final int READ_MAX = 512;

    private AgronaPeers() {}

    static UnsafeBuffer memory() {
        return new UnsafeBuffer(ByteBuffer.allocateDirect(RING_BYTES + RingBufferDescriptor.TRAILER_LENGTH));
    }

    static void put(MutableDirectBuffer buffer, int index, long value, boolean wide) {
        buffer.putLong(index, value);
        buffer.putLong(index + 8, value + 1);
        buffer.putLong(index + 16, value + 2);
        buffer.putLong(index + 24, value + 3);
        if (wide) {
            buffer.putLong(index + 32, value + 4);
            buffer.putLong(index + 40, value + 5);
            buffer.putLong(index + 48, value + 6);
            buffer.putLong(index + 56, value + 7);
        }
    }

    static long sum(DirectBuffer buffer, int index, boolean wide) {
        long sum = buffer.getLong(index) + buffer.getLong(index + 8) + buffer.getLong(index + 16) + buffer.getLong(index + 24);
        return wide ? sum + buffer.getLong(index + 32) + buffer.getLong(index + 40) + buffer.getLong(index + 48)
                + buffer.getLong(index + 56) : sum;
    }

    private static void send(RingBuffer ring, long value, boolean wide) {
        int index = ring.tryClaim(TYPE, wide ? 64 : 32);
        while (index < 0) {
            Thread.onSpinWait();
            index = ring.tryClaim(TYPE, wide ? 64 : 32);
        }
        put(ring.buffer(), index, value, wide);
        ring.commit(index);
    }

    /** Adds up what it is shown. */
    private static final class Summing implements MessageHandler {
        private final boolean wide;
        private long sum;

        Summing(boolean wide) {
            this.wide = wide;
        }

        @Override
        public void onMessage(int type, MutableDirectBuffer buffer, int index, int length) {
            sum += AgronaPeers.sum(buffer, index, wide);
        }
    }

    private static int read(RingBuffer ring, MessageHandler handler, int limit) {
        int taken = ring.read(handler, limit);
        if (taken == 0) {
            Thread.onSpinWait();
        }
        return taken;
    }

    /** A stream through either ring. */
    static final class Stream extends PeerStream {
        private final RingBuffer ring;

        Stream(Partner partner, String row, boolean many, boolean wide) {
            super(partner, row, many ? "agrona_many_to_one" : "agrona_one_to_one", wide);
            ring = many ? new ManyToOneRingBuffer(memory()) : new OneToOneRingBuffer(memory());
        }

        @Override
        void produce(int count) {
            for (int record = 0; record < count; record++) {
                send(ring, record, wide);
            }
        }

        @Override
        long consume(int count) {
            Summing handler = new Summing(wide);
            for (int taken = 0; taken < count;) {
                taken += read(ring, handler, READ_MAX);
            }
            return handler.sum;
        }
    }

    /** Round trips through two rings of one producer. */
    static final class RoundTrips extends PeerTrips {
        private final RingBuffer there = new OneToOneRingBuffer(memory());
        private final RingBuffer back = new OneToOneRingBuffer(memory());
        private final Summing answers = new Summing(false);
        private final MessageHandler echo = (type, buffer, index, length) -> send(back, buffer.getLong(index), false);

        RoundTrips(Partner partner) {
            super(partner, "round_trip", "agrona_one_to_one");
        }

        @Override
        long trip(long value) {
            answers.sum = 0;
            send(there, value, false);
            while (back.read(answers, 1) == 0) {
                Thread.onSpinWait();
            }
            return answers.sum;
        }

        @Override
        long echo(int count) {
            for (int taken = 0; taken < count;) {
                taken += read(there, echo, 1);
            }
            return count;
        }
    }
}
