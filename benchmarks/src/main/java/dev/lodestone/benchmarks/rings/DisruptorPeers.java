package dev.lodestone.benchmarks.rings;

import com.lmax.disruptor.AlertException;
import com.lmax.disruptor.BusySpinWaitStrategy;
import com.lmax.disruptor.RingBuffer;
import com.lmax.disruptor.Sequence;
import com.lmax.disruptor.SequenceBarrier;
import com.lmax.disruptor.TimeoutException;

/** The LMAX Disruptor, spinning; the taker's loop is that of its own batch processor. */
final class DisruptorPeers {
    private DisruptorPeers() {}

    /** A ring and its one consumer. */
    private static final class Pipe {
        private final RingBuffer<Message> ring;
        private final SequenceBarrier barrier;
        private final Sequence taken = new Sequence();

        Pipe(boolean many) {
            ring = many ? RingBuffer.createMultiProducer(Message::new, Contender.ENTRIES, new BusySpinWaitStrategy())
                    : RingBuffer.createSingleProducer(Message::new, Contender.ENTRIES, new BusySpinWaitStrategy());
            barrier = ring.newBarrier();
            ring.addGatingSequences(taken);
        }

        void send(long value, boolean wide) {
            long sequence = ring.next();
            ring.get(sequence).put(value, wide);
            ring.publish(sequence);
        }

        void sendBatch(long value, int count, boolean wide) {
            long last = ring.next(count);
            long first = last - count + 1;
            for (long sequence = first; sequence <= last; sequence++) {
                ring.get(sequence).put(value + sequence - first, wide);
            }
            ring.publish(first, last);
        }

        long take(int count, boolean wide) {
            long next = taken.get() + 1;
            long end = next + count;
            long sum = 0;
            while (next < end) {
                for (long available = available(next); next <= available; next++) {
                    sum += ring.get(next).sum(wide);
                }
                taken.set(next - 1);
            }
            return sum;
        }

        long first() {
            long next = taken.get() + 1;
            available(next);
            return next;
        }

        private long available(long next) {
            try {
                return barrier.waitFor(next);
            } catch (AlertException | InterruptedException | TimeoutException stopped) {
                throw new IllegalStateException("nobody stops this barrier", stopped);
            }
        }
    }

    /** A stream, one record or one batch at a time. */
    static final class Stream extends PeerStream {
        private final Pipe pipe;
        private final boolean batches;

        Stream(Partner partner, String row, boolean many, boolean wide, boolean batches) {
            super(partner, row, many ? "disruptor_multi" : "disruptor_single", wide);
            pipe = new Pipe(many);
            this.batches = batches;
        }

        @Override
        void produce(int count) {
            if (batches) {
                for (int record = 0; record < count; record += BATCH) {
                    pipe.sendBatch(record, BATCH, wide);
                }
                return;
            }
            for (int record = 0; record < count; record++) {
                pipe.send(record, wide);
            }
        }

        @Override
        long consume(int count) {
            return pipe.take(count, wide);
        }
    }

    /** Round trips through two rings of one producer. */
    static final class RoundTrips extends PeerTrips {
        private final Pipe there = new Pipe(false);
        private final Pipe back = new Pipe(false);

        RoundTrips(Partner partner) {
            super(partner, "round_trip", "disruptor_single");
        }

        @Override
        long trip(long value) {
            there.send(value, false);
            return back.take(1, false);
        }

        @Override
        long echo(int count) {
            for (int taken = 0; taken < count; taken++) {
                long sequence = there.first();
                long value = there.ring.get(sequence).value();
                there.taken.set(sequence);
                back.send(value, false);
            }
            return count;
        }
    }
}
