package dev.lodestone.internal;

import static dev.lodestone.bindings.NativeAccess.ALL;

import dev.lodestone.Commit;
import dev.lodestone.EngineClosedException;
import dev.lodestone.EnginePoisonedException;
import dev.lodestone.EngineState;
import dev.lodestone.NativeLibraryException;
import dev.lodestone.SlotBusyException;
import dev.lodestone.StateHash;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Objects;

/**
 * The shared region as this JVM sees it, layout version 3 (docs/shared-memory.md). Any thread.
 *
 * <p>The addresses stay mapped for ever: when the engine closes, the native side puts zero pages there, and a zero
 * generation is how a late reader learns of it. So nothing here can fault.
 */
public final class Region {
    /** Bytes of a node table entry: u32 slot, u32 sequence, u64 version. */
    public static final long NODE_BYTES = 16;
    /** Bytes of a slot. */
    public static final long SLOT_BYTES = 256;
    /** Bytes of an event cell: u64 sequence, 16-byte record header, 40-byte body. */
    public static final long EVENT_BYTES = 64;
    /** Bytes of the head of a watch: sequence, source and state, id, revision, branch; its labels follow. */
    public static final long WATCH_HEAD_BYTES = 64;
    /** Words of one histogram. */
    public static final int HISTOGRAM_BUCKETS = 1_056;
    /** The slot number that says: no slot. */
    public static final int SLOT_NONE = -1;
    /**
     * How often a reader looks again without giving up the processor. A change takes the engine well under a microsecond,
     * so this only runs out when the engine thread lost its processor in mid-change.
     */
    public static final int LOOKS_SPINNING_MAX = 1_000;
    /** How often a reader looks again, giving up the processor in between, before it reports that the word is busy. */
    public static final int LOOKS_YIELDING_MAX = 100_000;

    private static final long MAGIC = 0x314E_5453_4544_4F4CL;
    private static final int LAYOUT_VERSION = 3;
    private static final int HEADER_BYTES = 4_096;
    private static final long AT_VERSION = 8;
    private static final long AT_GENERATION = 24;
    private static final long AT_STATE = 32;
    private static final long AT_SECTION_COUNT = 56;
    private static final long AT_SECTIONS = 64;
    private static final long AT_COMMIT = 1_024;
    private static final long AT_POISON = 2_048;
    private static final int COMMIT_WORDS = 9;
    private static final int POISON_BYTES_MAX = 1_020;
    private static final int SECTIONS_MAX = 16;
    private static final long SECTION_ENTRY_BYTES = 32;
    private static final int KINDS = 11;
    private static final int KIND_WATCHED = 6;
    private static final int KIND_PRODUCERS = 7;
    private static final int KIND_LANES = 8;
    private static final int KIND_RING = 9;
    private static final int KIND_REPLIES = 10;
    private static final long AT_BELL = 1_536;
    private static final long AT_ORDER = 1_540;
    /** What sections begin at a multiple of, so that every cell is a cache line. */
    private static final long ALIGNMENT = 64;

    private final long base;
    private final long bytes;
    private final long generation;
    private final long[] offsets = new long[KINDS];
    private final long[] items = new long[KINDS];
    private final long[] itemBytes = new long[KINDS];

    /**
     * Looks at a region and checks that it is one.
     *
     * @param base its address
     * @param bytes its size
     * @param generation its generation, as the native side reported it
     * @throws NativeLibraryException when it has another layout
     */
    public Region(long base, long bytes, long generation) {
        this.base = base;
        this.bytes = bytes;
        this.generation = generation;
        if (bytes < HEADER_BYTES || Words.acquire(base) != MAGIC || Words.intAt(base + AT_VERSION) != LAYOUT_VERSION) {
            throw mismatch("the shared region has an unknown layout");
        }
        int count = Math.min(Words.intAt(base + AT_SECTION_COUNT), SECTIONS_MAX);
        for (int index = 0; index < count; index++) {
            section(base + AT_SECTIONS + index * SECTION_ENTRY_BYTES);
        }
        for (int kind = 1; kind < KINDS; kind++) {
            if (offsets[kind] == 0) {
                throw mismatch("the shared region lacks section " + kind);
            }
        }
    }

    private void section(long entry) {
        int kind = Words.intAt(entry);
        long found = Integer.toUnsignedLong(Words.intAt(entry + 4));
        long offset = Words.longAt(entry + 8);
        long count = Words.longAt(entry + 16);
        if (kind <= 0 || kind >= KINDS) {
            return;
        }
        long wanted = switch (kind) {
            case 1 -> Long.BYTES;
            case 2 -> (long) HISTOGRAM_BUCKETS * Long.BYTES;
            case 3 -> NODE_BYTES;
            case 4 -> SLOT_BYTES;
            case 5 -> EVENT_BYTES;
            case KIND_WATCHED -> watchBytes();
            case KIND_PRODUCERS -> BridgeLayout.PRODUCER_BYTES;
            case KIND_REPLIES -> BridgeLayout.REPLY_BYTES;
            default -> BridgeLayout.isRing(found) ? found : BridgeLayout.RING_CELLS;
        };
        boolean some = count > 0 || kind == KIND_WATCHED && count == 0;
        boolean placed = offset % ALIGNMENT == 0 && offset >= HEADER_BYTES && offset <= bytes;
        boolean inside = some && placed && count <= (bytes - offset) / wanted;
        if (found != wanted || !inside) {
            throw mismatch("section " + kind + " of the shared region has items of " + found + " bytes, or leaves it");
        }
        itemBytes[kind] = found;
        offsets[kind] = base + offset;
        items[kind] = count;
    }

    /** Bytes of one watch. The node table stands before the watches in the table of sections. */
    private long watchBytes() {
        return WATCH_HEAD_BYTES + (items[3] * Long.BYTES + WATCH_HEAD_BYTES - 1) / WATCH_HEAD_BYTES * WATCH_HEAD_BYTES;
    }

    private static NativeLibraryException mismatch(String what) {
        return new NativeLibraryException(what, "use the jars of one version together", null);
    }

    /**
     * Address of the node table.
     *
     * @return the address of node 0
     */
    public long nodes() {
        return offsets[3];
    }

    /**
     * Length of the node table.
     *
     * @return number of nodes
     */
    public long nodesMax() {
        return items[3];
    }

    /**
     * Address of the slots.
     *
     * @return the address of slot 0
     */
    public long slots() {
        return offsets[4];
    }

    /**
     * Length of the slot arena.
     *
     * @return number of slots
     */
    public long slotsMax() {
        return items[4];
    }

    /**
     * Address of the event ring.
     *
     * @return the address of cell 0
     */
    public long events() {
        return offsets[5];
    }

    /**
     * Length of the event ring.
     *
     * @return number of cells
     */
    public long eventsMax() {
        return items[5];
    }

    /**
     * Address of a watch.
     *
     * @param watch its place
     * @return the address of its head
     * @throws IndexOutOfBoundsException when there is no such watch
     */
    public long watch(int watch) {
        return offsets[KIND_WATCHED] + Objects.checkIndex(watch, items[KIND_WATCHED]) * watchBytes();
    }

    /**
     * Number of watches.
     *
     * @return the number, 0 to 64
     */
    public long watchesMax() {
        return items[KIND_WATCHED];
    }

    /**
     * Address of the table of producers.
     *
     * @return the address of entry 0
     */
    public long producers() {
        return offsets[KIND_PRODUCERS];
    }

    /**
     * Length of the table of producers.
     *
     * @return number of entries
     */
    public int producersMax() {
        return (int) items[KIND_PRODUCERS];
    }

    /**
     * Address of a lane.
     *
     * @param lane its number
     * @return the address of its first word
     */
    public long lane(int lane) {
        return offsets[KIND_LANES] + Objects.checkIndex(lane, items[KIND_LANES]) * itemBytes[KIND_LANES];
    }

    /**
     * Number of lanes.
     *
     * @return the number
     */
    public int lanes() {
        return (int) items[KIND_LANES];
    }

    /**
     * Size of a lane's cells.
     *
     * @return bytes, a power of two
     */
    public long laneBytes() {
        return itemBytes[KIND_LANES] - BridgeLayout.RING_CELLS;
    }

    /**
     * Address of the ring that producers share.
     *
     * @return the address of its first word
     */
    public long ring() {
        return offsets[KIND_RING];
    }

    /**
     * Size of the ring's cells.
     *
     * @return bytes, a power of two
     */
    public long ringBytes() {
        return itemBytes[KIND_RING] - BridgeLayout.RING_CELLS;
    }

    /**
     * Address of a producer's reply area.
     *
     * @param entry the producer's entry
     * @return the address of its first word
     */
    public long reply(int entry) {
        return offsets[KIND_REPLIES] + Objects.checkIndex(entry, items[KIND_REPLIES]) * BridgeLayout.REPLY_BYTES;
    }

    /**
     * Address of the half word on which the engine thread sleeps.
     *
     * @return the address
     */
    public long bell() {
        return base + AT_BELL;
    }

    /**
     * Who has to have a barrier of its own before it looks at that half word.
     *
     * @return 0 everyone, 1 processes that did not sign up for the engine's barrier, 2 nobody
     */
    int order() {
        return Words.opaqueInt(base + AT_ORDER);
    }

    /**
     * A counter's value.
     *
     * @param place its place, from 0
     * @return the value, 0 for a place that the region does not have
     */
    public long counter(int place) {
        return place < items[1] ? Words.opaque(offsets[1] + (long) place * Long.BYTES) : 0;
    }

    /**
     * Copies the counts of a histogram.
     *
     * @param place its place, from 0
     * @return one count a bucket
     */
    public long[] histogram(int place) {
        if (place >= items[2]) {
            return new long[HISTOGRAM_BUCKETS];
        }
        long address = offsets[2] + (long) place * HISTOGRAM_BUCKETS * Long.BYTES;
        long[] counts = new long[HISTOGRAM_BUCKETS];
        MemorySegment.copy(ALL, ValueLayout.JAVA_LONG, address, counts, 0, HISTOGRAM_BUCKETS);
        return counts;
    }

    /**
     * Whether the engine that this region belongs to is open.
     *
     * @return false from its close on
     */
    public boolean isOpen() {
        return Words.acquire(base + AT_GENERATION) == generation;
    }

    /**
     * Refuses to go on after the close.
     *
     * @throws EngineClosedException when the engine is closed
     */
    public void requireOpen() {
        if (!isOpen()) {
            throw new EngineClosedException();
        }
    }

    /**
     * Refuses to go on when nobody will do any work here any more.
     *
     * @throws EngineClosedException when the engine is closed
     * @throws EnginePoisonedException when it has failed
     */
    public void requireAlive() {
        if (state() == EngineState.POISONED) {
            throw new EnginePoisonedException(poisonText());
        }
        requireOpen();
    }

    /**
     * What the engine is doing.
     *
     * @return the state
     */
    public EngineState state() {
        int number = (int) Words.acquire(base + AT_STATE);
        if (!isOpen()) {
            return EngineState.CLOSED;
        }
        return switch (number) {
            case 1 -> EngineState.STARTING;
            case 2 -> EngineState.RUNNING;
            case 3 -> EngineState.POISONED;
            case 4 -> EngineState.CLOSING;
            default -> EngineState.CLOSED;
        };
    }

    /**
     * Why the engine failed.
     *
     * @return the text, empty when it did not fail
     */
    public String poisonText() {
        int length = Words.intAt(base + AT_POISON);
        if (length <= 0 || length > POISON_BYTES_MAX) {
            return "";
        }
        byte[] text = new byte[length];
        MemorySegment.copy(ALL, ValueLayout.JAVA_BYTE, base + AT_POISON + 4, text, 0, length);
        return new String(text, StandardCharsets.UTF_8);
    }

    /**
     * The published revision, alone.
     *
     * @return the revision
     */
    public long revision() {
        return Words.acquire(base + AT_COMMIT + Long.BYTES);
    }

    /**
     * The last commit as one consistent whole.
     *
     * @return the commit
     * @throws EngineClosedException when the engine is closed
     * @throws SlotBusyException when the commit line kept changing
     */
    public Commit commit() {
        long line = base + AT_COMMIT;
        long[] words = new long[COMMIT_WORDS];
        for (int looks = 0; looks < LOOKS_SPINNING_MAX + LOOKS_YIELDING_MAX; looks++) {
            long before = Words.acquire(line);
            if ((before & 1) == 0) {
                for (int index = 0; index < COMMIT_WORDS; index++) {
                    words[index] = Words.opaque(line + (index + 1L) * Long.BYTES);
                }
                VarHandle.acquireFence();
                if (Words.opaque(line) == before) {
                    requireOpen();
                    return commit(words);
                }
            }
            pause(looks);
        }
        throw new SlotBusyException("the commit line kept changing");
    }

    private static Commit commit(long[] words) {
        return new Commit(words[0], words[7], new StateHash(words[1], words[2]), words[3], words[4], words[5],
                Instant.ofEpochMilli(words[6]), words[8]);
    }

    /**
     * Waits a little before the next look.
     *
     * @param looks how many looks there have been
     */
    public static void pause(int looks) {
        if (looks < LOOKS_SPINNING_MAX) {
            Thread.onSpinWait();
        } else {
            Thread.yield();
        }
    }
}
