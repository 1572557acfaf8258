package dev.lodestone.benchmarks.rings;

import dev.lodestone.bindings.NativeAccess;
import dev.lodestone.internal.BridgeLayout;
import dev.lodestone.internal.CommandRing;
import dev.lodestone.internal.Producer;
import dev.lodestone.internal.Sleeper;
import dev.lodestone.internal.Words;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/** Our lanes and ring, through the classes that {@code Commands} stands on, to the engine's end in another process. */
final class OwnRings {
    private static final long KIND = 0x10;
    private static final int ANSWER_SUM = 2;

    private OwnRings() {}

    private static void write(long body, long value, boolean wide) {
        Words.putLong(body, value);
        Words.putLong(body + 8, value + 1);
        Words.putLong(body + 16, value + 2);
        Words.putLong(body + 24, value + 3);
        if (wide) {
            Words.putLong(body + 32, value + 4);
            Words.putLong(body + 40, value + 5);
            Words.putLong(body + 48, value + 6);
            Words.putLong(body + 56, value + 7);
        }
    }

    private static void send(CommandRing ring, long value, boolean wide) {
        long bytes = wide ? 64 : 32;
        long body = ring.claimOne(bytes);
        while (body == 0) {
            Thread.onSpinWait();
            body = ring.claimOne(bytes);
        }
        write(body, value, wide);
        ring.send(body, KIND, bytes);
    }

    private static void sendBatch(CommandRing ring, long value, int count, boolean wide) {
        long bytes = wide ? 64 : 32;
        while (!ring.claim(CommandRing.spanOf(bytes) * count)) {
            Thread.onSpinWait();
        }
        for (int index = 0; index < count; index++) {
            write(ring.put(KIND, bytes), value + index, wide);
        }
        ring.commit();
    }

    /** A stream, one record or one batch at a time. */
    static final class Stream implements Contender {
        private final OwnTaker taker;
        private final Producer producer;
        private final CommandRing ring;
        private final String row;
        private final boolean wide;
        private final boolean batches;

        Stream(OwnTaker taker, String row, boolean wide, boolean batches, boolean lane) {
            this.taker = taker;
            this.producer = taker.producer(lane);
            this.ring = CommandRing.of(taker.region(), producer);
            this.row = row;
            this.wide = wide;
            this.batches = batches;
        }

        @Override
        public String row() {
            return row;
        }

        @Override
        public String name() {
            return "ours";
        }

        @Override
        public long run(int count) {
            taker.order((producer.lane() < 0 ? "ring " : "lane " + producer.lane() + " ") + count + (wide ? " 8" : " 4"));
            long begun = Clock.begin();
            if (batches) {
                produceBatches(count);
            } else {
                produce(count);
            }
            while (producer.decided() < ring.counter()) {
                Thread.onSpinWait();
            }
            long took = Clock.end() - begun;
            Message.check("ours", producer.answer(ANSWER_SUM), count, wide);
            return took;
        }

        @Override
        public void close() {
            taker.close();
        }

        private void produce(int count) {
            for (int record = 0; record < count; record++) {
                send(ring, record, wide);
            }
        }

        private void produceBatches(int count) {
            for (int record = 0; record < count; record += BATCH) {
                sendBatch(ring, record, BATCH, wide);
            }
        }
    }

    /** Round trips: a command, and the acknowledgement that it is decided. Both sides spin, or both sleep each time. */
    static final class RoundTrips implements Contender {
        private final OwnTaker taker;
        private final Producer producer;
        private final CommandRing ring;
        private final boolean parked;
        private final long bell;
        private final MemorySegment bellSegment;

        RoundTrips(OwnTaker taker, boolean parked) {
            this.taker = taker;
            this.producer = taker.producer(true);
            this.ring = CommandRing.of(taker.region(), producer);
            this.parked = parked;
            this.bell = taker.region().producers() + producer.entry() * BridgeLayout.PRODUCER_BYTES
                    + BridgeLayout.PRODUCER_BELL;
            this.bellSegment = NativeAccess.ALL.asSlice(bell, Integer.BYTES);
        }

        @Override
        public String row() {
            return parked ? "parked_trip" : "round_trip";
        }

        @Override
        public String name() {
            return "ours";
        }

        @Override
        public long run(int count) {
            taker.order((parked ? "parked " : "trips ") + producer.lane() + " " + count + " 4");
            long begun = Clock.begin();
            long before = begun;
            for (int trip = 0; trip < count; trip++) {
                send(ring, trip, false);
                await(ring.counter());
                long now = System.nanoTime();
                Trips.keep(trip, now - before);
                before = now;
            }
            Clock.end();
            Message.check("ours", producer.answer(ANSWER_SUM), count, false);
            return before - begun;
        }

        @Override
        public void close() {
            taker.close();
        }

        private void await(long counter) {
            while (producer.decided() < counter) {
                if (parked) {
                    sleepUnlessDecided(counter);
                } else {
                    Thread.onSpinWait();
                }
            }
        }

        /** As {@code Commands.awaitDecided} sleeps, without its looks before that: the trip of a machine that idles. */
        private void sleepUnlessDecided(long counter) {
            Words.putOpaqueInt(bell, BridgeLayout.BELL_ASLEEP);
            VarHandle.fullFence();
            if (producer.decided() < counter) {
                Sleeper.EMBEDDED.sleep(bellSegment, BridgeLayout.BELL_ASLEEP, BridgeLayout.SLEEP_NS_MAX);
            }
            Words.putOpaqueInt(bell, BridgeLayout.BELL_AWAKE);
        }
    }
}
