package dev.lodestone.stress;

import dev.lodestone.Counter;
import dev.lodestone.EventReader;
import dev.lodestone.SlotReader;
import dev.lodestone.StressReaders;
import dev.lodestone.internal.BridgeLayout;
import dev.lodestone.internal.CommandRing;
import dev.lodestone.internal.LogLayout;
import dev.lodestone.internal.Producer;
import dev.lodestone.internal.Region;
import dev.lodestone.internal.RegionLayout;
import dev.lodestone.internal.Sleeper;
import dev.lodestone.internal.Words;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A region without an engine, with what a test needs in it. Stages are made once and used in turn; there are more of them than
 * states of a test are alive at once (ci/jcstress.sh says how many).
 */
final class Stage {
    /** Number of stages. */
    static final int STAGES = 512;
    /** Events that the ring holds. */
    static final long EVENTS = 64;

    private static final long PAGE_BYTES = 4_096;
    /** The replies lie over everything else: they are the largest section, and their first words alone are used. */
    private static final long REPLIES_PAGES = 33;
    private static final long REGION_BYTES = (1 + REPLIES_PAGES) * PAGE_BYTES;
    private static final long MAGIC = 0x314E_5453_4544_4F4CL;
    private static final long GENERATION = 77;
    private static final long RUNNING = 2;
    private static final long AT_COMMIT = 1_024;

    private static final Asleep ASLEEP = new Asleep();

    private static final Stage[] ALL = new Stage[STAGES];
    private static final AtomicInteger NEXT = new AtomicInteger();

    /** The region. */
    final Region region;
    /** Its first address. */
    final long base;
    /** The product's reader of slots; the reader's thread uses it. */
    final SlotReader slots;
    /** The product's reader of events. */
    final EventReader events;
    /** Producers: the first has the lane, the two others share the ring. */
    final Producer[] producers = new Producer[3];
    /** Their rings. */
    final CommandRing[] rings = new CommandRing[3];
    /** The engine's end of the first one's lane and of the ring. */
    final EngineEnd laneEnd;
    /** The same of the ring. */
    final EngineEnd ringEnd;

    /** Different for each use, so that what an earlier use left is not taken for what this one wrote. */
    long round;
    /** Where the reader of events stands when a use begins. */
    long position;
    /** Room for a refusal, of the producer's thread. */
    final long[] refusal = new long[2];
    /** Whether somebody woke the engine. Written by the producer's thread. */
    int woken;

    private Stage() {
        MemorySegment memory = Arena.global().allocate(REGION_BYTES, PAGE_BYTES);
        base = memory.address();
        writeHeader();
        region = new Region(base, REGION_BYTES, GENERATION);
        Words.putLong(region.nodes(), 0);
        Words.putLong(base + PAGE_BYTES + (long) Counter.EVENTS_PUBLISHED.ordinal() * Long.BYTES, 1);
        slots = StressReaders.slots(region);
        events = StressReaders.events(region);
        for (int index = 0; index < producers.length; index++) {
            producers[index] = Producer.register(region, new Recorder(), 0, index == 0);
            rings[index] = CommandRing.of(region, producers[index]);
        }
        laneEnd = new EngineEnd(region.lane(0), region.laneBytes());
        ringEnd = new EngineEnd(region.ring(), region.ringBytes());
    }

    private void writeHeader() {
        Words.putLong(base, MAGIC);
        Words.putLong(base + 8, PAGE_BYTES << Integer.SIZE | RegionLayout.VERSION);
        Words.putLong(base + 24, GENERATION);
        Words.putLong(base + 32, RUNNING);
        Words.putLong(base + 48, REGION_BYTES);
        Words.putLong(base + 56, 11);
        long ringBytes = BridgeLayout.RING_CELLS + 16 * BridgeLayout.CELL_BYTES;
        // Kind, page, bytes of an item, items.
        long[][] sections = {
            {1, 1, Long.BYTES, 128}, {2, 1, Region.HISTOGRAM_BUCKETS * (long) Long.BYTES, 1}, {3, 2, Region.NODE_BYTES, 4},
            {4, 3, Region.SLOT_BYTES, 4}, {5, 4, Region.EVENT_BYTES, EVENTS}, {6, 5, 2 * Region.WATCH_HEAD_BYTES, 1},
            {7, 6, BridgeLayout.PRODUCER_BYTES, 4}, {8, 8, ringBytes, 1}, {9, 9, ringBytes, 1},
            {10, 1, BridgeLayout.REPLY_BYTES, 4}, {11, 20, LogLayout.CELLS + LogLayout.CELL_BYTES, 1},
        };
        for (int index = 0; index < sections.length; index++) {
            long entry = base + 64 + index * 32L;
            Words.putLong(entry, sections[index][2] << Integer.SIZE | sections[index][0]);
            Words.putLong(entry + 8, sections[index][1] * PAGE_BYTES);
            Words.putLong(entry + 16, sections[index][3]);
        }
    }

    /**
     * The next stage, as good as new.
     *
     * @return the stage
     */
    static Stage next() {
        int index = Math.floorMod(NEXT.getAndIncrement(), STAGES);
        synchronized (ALL) {
            if (ALL[index] == null) {
                ALL[index] = new Stage();
            }
        }
        return ALL[index].renewed();
    }

    private Stage renewed() {
        round++;
        woken = 0;
        Words.putLong(region.nodes(), Words.longAt(region.nodes()) & -1L << Integer.SIZE + 1);
        Words.putLong(region.nodes() + Long.BYTES, 0);
        Words.clear(region.slots(), Region.SLOT_BYTES);
        Words.clear(base + AT_COMMIT, 10 * Long.BYTES);
        Words.putOpaqueInt(region.bell(), BridgeLayout.BELL_AWAKE);
        Words.putOpaqueInt(entry(BridgeLayout.PRODUCER_BELL), BridgeLayout.BELL_AWAKE);
        laneEnd.takeAll();
        ringEnd.takeAll();
        while (producers[0].nextRejection(refusal)) {
            Thread.onSpinWait();
        }
        position = events.position();
        Words.putLong(region.events() + (position & EVENTS - 1) * Region.EVENT_BYTES, 0);
        return this;
    }

    /**
     * Address of a word of the commit line.
     *
     * @param index which word, 0 its sequence
     * @return the address
     */
    long commitWord(int index) {
        return base + AT_COMMIT + (long) index * Long.BYTES;
    }

    /**
     * Address in the entry of the first producer.
     *
     * @param offset from the entry's begin
     * @return the address
     */
    long entry(long offset) {
        return region.producers() + producers[0].entry() * BridgeLayout.PRODUCER_BYTES + offset;
    }

    /**
     * Address of the first producer's reply area.
     *
     * @return the address
     */
    long reply() {
        return region.reply(producers[0].entry());
    }

    /** Ends the steps of a producer where it falls asleep: the word stays as it is until somebody wakes it. */
    static final class Asleep extends RuntimeException {
        private static final long serialVersionUID = 1;

        private Asleep() {
            super("asleep", null, false, false);
        }
    }

    /** Puts down what the system would be asked for. */
    private final class Recorder implements Sleeper {
        @Override
        public void sleep(MemorySegment word, int expected, long nanoseconds) {
            // The system compares once more, and lets nobody sleep whose word was changed. Who sleeps does nothing more.
            if (Words.opaqueInt(word.address()) == expected) {
                throw ASLEEP;
            }
        }

        @Override
        public void wake(MemorySegment word) {
            woken = 1;
        }

        @Override
        public boolean isOrdered() {
            return false;
        }
    }
}
