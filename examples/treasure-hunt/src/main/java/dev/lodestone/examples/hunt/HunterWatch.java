package dev.lodestone.examples.hunt;

import com.sun.management.ThreadMXBean;
import dev.lodestone.SlotBusyException;
import dev.lodestone.SlotReader;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * The Java side's look at the hunt: a thread that reads the slot of every crossing again and again, straight from shared
 * memory, and counts what these reads allocate. It reads a few thousand and then rests a little, so that it takes no more
 * than some percent of a processor from those it watches.
 */
final class HunterWatch implements AutoCloseable {
    /** Hunters 0 to 7 are followed. */
    private static final int HUNTERS_FOLLOWED = 8;
    private static final int READS_PER_ROUND = 8_192;
    private static final long REST_MILLIS = 10;
    /** Until everything is loaded and compiled, the JVM allocates for itself. */
    private static final long READS_WARM_UP = 1_000_000;
    private static final long READS_MEASURED_MIN = 1_000_000;
    /** Of so many rounds one may allocate without it being the reads: on a busy machine the compiler takes its time. */
    private static final int ROUNDS_PER_STRAY = 2;
    /** A sweep that is under way when the watch ends, and a full one more: the last count is of a state at rest. */
    private static final int SWEEPS_AT_REST = 2;
    /** Payload of a move: u32 hunter, u32 step, u64 Unix nanoseconds at which it was due. */
    private static final int PAYLOAD_BYTES = 16;
    private static final int STEP_OFFSET = 4;

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final SlotReader reader;
    private final int crossings;
    private final CountDownLatch stop = new CountDownLatch(1);
    private final Thread thread = new Thread(this::run, "hunter-watch");
    // All that follows is written by the thread alone, under the lock of this object, and read under it or after join.
    private final int[] steps = new int[HUNTERS_FOLLOWED];
    private final int[] places = new int[HUNTERS_FOLLOWED];
    private int nextCrossing;
    private long reads;
    private long occupied;
    private long occupiedThisSweep;
    private long busy;
    private long readsMeasured;
    private long bytesMeasured;
    private long roundsMeasured;
    private long roundsAllocating;
    private RuntimeException failure;

    HunterWatch(SlotReader reader, int crossings) {
        this.reader = reader;
        this.crossings = crossings;
        Arrays.fill(steps, -1);
        thread.setDaemon(true);
        thread.start();
    }

    private void run() {
        try {
            while (!stop.await(REST_MILLIS, TimeUnit.MILLISECONDS)) {
                round();
            }
            long readsEnd = reads + (long) SWEEPS_AT_REST * crossings;
            while (readsMeasured < READS_MEASURED_MIN || reads < readsEnd) {
                round();
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        } catch (RuntimeException bad) {
            failure = bad;
        }
    }

    private synchronized void round() {
        boolean measured = reads >= READS_WARM_UP;
        long before = THREADS.getCurrentThreadAllocatedBytes();
        readSome();
        long bytes = THREADS.getCurrentThreadAllocatedBytes() - before;
        if (measured) {
            readsMeasured += READS_PER_ROUND;
            bytesMeasured += bytes;
            roundsMeasured++;
            roundsAllocating += bytes == 0 ? 0 : 1;
        }
        reads += READS_PER_ROUND;
    }

    private void readSome() {
        for (int i = 0; i < READS_PER_ROUND; i++) {
            if (nextCrossing == crossings) {
                nextCrossing = 0;
                occupied = occupiedThisSweep;
                occupiedThisSweep = 0;
            }
            readOne(nextCrossing++);
        }
    }

    private void readOne(int crossing) {
        try {
            if (reader.read(crossing)) {
                occupiedThisSweep++;
                follow();
            }
        } catch (SlotBusyException rewrittenAllTheTime) {
            busy++;
        }
    }

    /** The slot tells who left this crossing last and where to; the highest step of a hunter is where he is now. */
    private void follow() {
        if (reader.payloadLength() < PAYLOAD_BYTES) {
            return;
        }
        int hunter = reader.payloadInt(0);
        int step = reader.payloadInt(STEP_OFFSET);
        if (hunter >= 0 && hunter < HUNTERS_FOLLOWED && step > steps[hunter]) {
            steps[hunter] = step;
            places[hunter] = reader.target();
        }
    }

    /** One of the hunters followed, another one for each number; empty before any of them was seen. Any thread. */
    synchronized Optional<Sighting> sighting(long number) {
        for (int i = 0; i < HUNTERS_FOLLOWED; i++) {
            int hunter = Math.floorMod(number + i, HUNTERS_FOLLOWED);
            if (steps[hunter] >= 0) {
                return Optional.of(new Sighting(hunter, steps[hunter], places[hunter]));
            }
        }
        return Optional.empty();
    }

    /**
     * Ends the watch, after enough reads for a good measurement.
     *
     * @return what the reads cost
     * @throws InterruptedException when the caller is interrupted
     */
    ReadCost finish() throws InterruptedException {
        stop.countDown();
        thread.join();
        if (failure != null) {
            throw failure;
        }
        return new ReadCost(reads, busy, occupied, readsMeasured, bytesMeasured, roundsMeasured, roundsAllocating);
    }

    @Override
    public void close() {
        stop.countDown();
        thread.interrupt();
        try {
            thread.join();
        } catch (InterruptedException again) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * A hunter seen.
     *
     * @param hunter his number
     * @param step steps he had taken before this one
     * @param crossing where he is
     */
    record Sighting(int hunter, int step, int crossing) {}

    /**
     * What reading cost.
     *
     * @param reads slots read in all
     * @param busy reads given up because the slot kept changing
     * @param occupied crossings that had a slot in the last full sweep
     * @param readsMeasured reads of which the allocation was counted
     * @param bytesAllocated bytes allocated on the thread meanwhile
     * @param rounds rounds of these reads
     * @param roundsAllocating rounds in which anything was allocated
     */
    record ReadCost(long reads, long busy, long occupied, long readsMeasured, long bytesAllocated, long rounds,
            long roundsAllocating) {
        /**
         * What a read allocates. Whatever reads allocate they allocate in every round of thousands. Rounds with some
         * bytes are the JVM's own: it takes compiled code back when a read meets a case for the first time, and its
         * interpreter allocates until that is compiled anew.
         */
        double bytesPerRead() {
            return byTheJvm() ? 0 : (double) bytesAllocated / readsMeasured;
        }

        private boolean byTheJvm() {
            return roundsAllocating * ROUNDS_PER_STRAY <= rounds;
        }

        /** What was counted, for people. */
        String describe() {
            String stray = byTheJvm() && bytesAllocated > 0
                    ? Console.text(" (the JVM itself: %,d bytes, in %d of %,d rounds)", bytesAllocated, roundsAllocating, rounds)
                    : "";
            return Console.text("Java read %,d slots meanwhile, %,d of them busy; %,d crossings have one%s", reads, busy,
                    occupied, stray);
        }
    }
}
