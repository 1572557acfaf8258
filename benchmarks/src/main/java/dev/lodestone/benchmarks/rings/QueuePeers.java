package dev.lodestone.benchmarks.rings;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.jctools.queues.MessagePassingQueue;
import org.jctools.queues.MpscArrayQueue;
import org.jctools.queues.SpscArrayQueue;

/** Queues of objects: JCTools, spinning, and the JDK's, parking. Messages come from a pool, so nothing is allocated. */
final class QueuePeers {
    private QueuePeers() {}

    /** Hands messages out in turn, filled. */
    private static final class Source implements MessagePassingQueue.Supplier<Message> {
        private final Message[] pool = Message.pool();
        private final boolean wide;
        private long next;

        Source(boolean wide) {
            this.wide = wide;
        }

        @Override
        public Message get() {
            return filled(next++);
        }

        Message filled(long value) {
            Message message = pool[(int) value & pool.length - 1];
            message.put(value, wide);
            return message;
        }
    }

    /** Adds up what it is shown. */
    private static final class Summing implements MessagePassingQueue.Consumer<Message> {
        private final boolean wide;
        private long sum;

        Summing(boolean wide) {
            this.wide = wide;
        }

        @Override
        public void accept(Message message) {
            sum += message.sum(wide);
        }
    }

    private static void send(MessagePassingQueue<Message> queue, Message message) {
        while (!queue.relaxedOffer(message)) {
            Thread.onSpinWait();
        }
    }

    private static Message take(MessagePassingQueue<Message> queue) {
        Message message = queue.relaxedPoll();
        while (message == null) {
            Thread.onSpinWait();
            message = queue.relaxedPoll();
        }
        return message;
    }

    /** A stream through a queue of JCTools, one at a time or with {@code fill} and {@code drain}. */
    static final class Jctools extends PeerStream {
        private final MessagePassingQueue<Message> queue;
        private final Source source;
        private final boolean batches;

        Jctools(Partner partner, String row, boolean many, boolean wide, boolean batches) {
            super(partner, row, many ? "jctools_mpsc" : "jctools_spsc", wide);
            queue = many ? new MpscArrayQueue<>(ENTRIES) : new SpscArrayQueue<>(ENTRIES);
            source = new Source(wide);
            this.batches = batches;
        }

        @Override
        void produce(int count) {
            if (batches) {
                source.next = 0;
                for (int sent = 0; sent < count;) {
                    sent += queue.fill(source, Math.min(BATCH, count - sent));
                }
                return;
            }
            for (int record = 0; record < count; record++) {
                send(queue, source.filled(record));
            }
        }

        @Override
        long consume(int count) {
            Summing into = new Summing(wide);
            if (batches) {
                for (int taken = 0; taken < count;) {
                    taken += queue.drain(into, BATCH);
                }
                return into.sum;
            }
            for (int taken = 0; taken < count; taken++) {
                into.accept(take(queue));
            }
            return into.sum;
        }
    }

    /** Round trips through two queues of JCTools. */
    static final class JctoolsTrips extends PeerTrips {
        private final MessagePassingQueue<Message> there = new SpscArrayQueue<>(ENTRIES);
        private final MessagePassingQueue<Message> back = new SpscArrayQueue<>(ENTRIES);
        private final Source out = new Source(false);
        private final Source home = new Source(false);

        JctoolsTrips(Partner partner) {
            super(partner, "round_trip", "jctools_spsc");
        }

        @Override
        long trip(long value) {
            send(there, out.filled(value));
            return take(back).sum(false);
        }

        @Override
        long echo(int count) {
            for (int taken = 0; taken < count; taken++) {
                send(back, home.filled(take(there).value()));
            }
            return count;
        }
    }

    private static BlockingQueue<Message> blocking(boolean array) {
        return array ? new ArrayBlockingQueue<>(Contender.ENTRIES) : new LinkedBlockingQueue<>(Contender.ENTRIES);
    }

    private static void put(BlockingQueue<Message> queue, Message message) {
        try {
            queue.put(message);
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException("nobody interrupts this", interrupted);
        }
    }

    private static Message taken(BlockingQueue<Message> queue) {
        try {
            return queue.take();
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException("nobody interrupts this", interrupted);
        }
    }

    /** A stream through a blocking queue of the JDK. */
    static final class Jdk extends PeerStream {
        private final BlockingQueue<Message> queue;
        private final Source source;

        Jdk(Partner partner, String row, boolean array, boolean wide) {
            super(partner, row, array ? "array_blocking_queue" : "linked_blocking_queue", wide);
            queue = blocking(array);
            source = new Source(wide);
        }

        @Override
        void produce(int count) {
            for (int record = 0; record < count; record++) {
                put(queue, source.filled(record));
            }
        }

        @Override
        long consume(int count) {
            long sum = 0;
            for (int record = 0; record < count; record++) {
                sum += taken(queue).sum(wide);
            }
            return sum;
        }
    }

    /** Round trips through two blocking queues of the JDK: both sides park. */
    static final class JdkTrips extends PeerTrips {
        private final BlockingQueue<Message> there = blocking(true);
        private final BlockingQueue<Message> back = blocking(true);
        private final Source out = new Source(false);
        private final Source home = new Source(false);

        JdkTrips(Partner partner) {
            super(partner, "parked_trip", "array_blocking_queue");
        }

        @Override
        long trip(long value) {
            put(there, out.filled(value));
            return taken(back).sum(false);
        }

        @Override
        long echo(int count) {
            for (int record = 0; record < count; record++) {
                put(back, home.filled(taken(there).value()));
            }
            return count;
        }
    }
}
