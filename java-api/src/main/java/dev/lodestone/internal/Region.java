package dev.lodestone.internal;

import static dev.lodestone.bindings.NativeAccess.ALL;

import dev.lodestone.Commit;
import dev.lodestone.EngineClosedException;
import dev.lodestone.EngineException;
import dev.lodestone.EngineGoneException;
import dev.lodestone.EnginePoisonedException;
import dev.lodestone.EngineState;
import dev.lodestone.NativeLibraryException;
import dev.lodestone.SlotBusyException;
import dev.lodestone.StateHash;
import dev.lodestone.Status;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * The shared region as this JVM sees it, layout version 4 (docs/shared-memory.md): that of an engine in this process, or one
 * that is mapped from the file of an engine elsewhere. Any thread.
 *
 * <p>The addresses stay mapped for ever: at the close zero pages are put there, and a zero generation is how a late reader
 * learns of it. So nothing here can fault, with one exception: somebody may cut the file of another process's engine short.
 * The JVM then throws an InternalError at the reader, and {@link #fault} says what that means.
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

    /** Offset of the generation in the header page. */
    static final long AT_GENERATION = 24;
    /** Offset of the process id. */
    static final long AT_PID = 36;

    private static final long AT_STATE = 32;
    private static final long AT_START = 40;
    private static final long AT_HEARTBEAT = 1_280;
    private static final long AT_COMMIT = 1_024;
    private static final long AT_BELL = 1_536;
    private static final long AT_ORDER = 1_540;
    private static final long AT_NAMESPACE = 1_544;
    private static final long AT_POISON = 2_048;
    private static final int COMMIT_WORDS = 9;
    private static final int POISON_BYTES_MAX = 1_020;
    private static final int POISONED = 3;

    private final long base;
    private final RegionLayout layout;
    private final long generation;
    private final RegionOwner owner;
    private final List<Producer> producersHere = new ArrayList<>();
    private volatile boolean lost;
    private volatile boolean shut;

    /**
     * Looks at the region of an engine in this process and checks that it is one.
     *
     * @param base its address
     * @param bytes its size
     * @param generation its generation, as the native side reported it
     * @throws NativeLibraryException when it has another layout
     */
    public Region(long base, long bytes, long generation) {
        this(base, layout(base, bytes), generation, null);
    }

    /** A region mapped from a file; its layout was read before. */
    Region(long base, RegionLayout layout, long generation, RegionOwner owner) {
        this.base = base;
        this.layout = layout;
        this.generation = generation;
        this.owner = owner;
    }

    private static RegionLayout layout(long base, long bytes) {
        try {
            return RegionLayout.of(base, bytes);
        } catch (RegionLayout.Problem bad) {
            throw new NativeLibraryException("the shared region " + bad.getMessage(), "use the jars of one version together",
                    bad);
        }
    }

    /**
     * Address of the node table.
     *
     * @return the address of node 0
     */
    public long nodes() {
        return base + layout.offset(RegionLayout.NODES);
    }

    /**
     * Length of the node table.
     *
     * @return number of nodes
     */
    public long nodesMax() {
        return layout.items(RegionLayout.NODES);
    }

    /**
     * Address of the slots.
     *
     * @return the address of slot 0
     */
    public long slots() {
        return base + layout.offset(RegionLayout.SLOTS);
    }

    /**
     * Length of the slot arena.
     *
     * @return number of slots
     */
    public long slotsMax() {
        return layout.items(RegionLayout.SLOTS);
    }

    /**
     * Address of the event ring.
     *
     * @return the address of cell 0
     */
    public long events() {
        return base + layout.offset(RegionLayout.EVENTS);
    }

    /**
     * Length of the event ring.
     *
     * @return number of cells, a power of two
     */
    public long eventsMax() {
        return layout.items(RegionLayout.EVENTS);
    }

    /**
     * Address of a watch.
     *
     * @param watch its place
     * @return the address of its head
     * @throws IndexOutOfBoundsException when there is no such watch
     */
    public long watch(int watch) {
        return base + layout.offset(RegionLayout.WATCHED)
                + Objects.checkIndex(watch, layout.items(RegionLayout.WATCHED)) * layout.watchBytes();
    }

    /**
     * Number of watches.
     *
     * @return the number, 0 to 64
     */
    public long watchesMax() {
        return layout.items(RegionLayout.WATCHED);
    }

    /**
     * Address of the table of producers.
     *
     * @return the address of entry 0
     */
    public long producers() {
        return base + layout.offset(RegionLayout.PRODUCERS);
    }

    /**
     * Length of the table of producers.
     *
     * @return number of entries
     */
    public int producersMax() {
        return (int) layout.items(RegionLayout.PRODUCERS);
    }

    /**
     * The producers that this process has registered through this object, and that have not left. Whoever registers, leaves or
     * takes the memory away holds its monitor: so none is forgotten.
     *
     * @return the list itself
     */
    List<Producer> producersHere() {
        return producersHere;
    }

    /**
     * Refuses to go on where writing would end this process.
     *
     * @throws EngineException when the engine was attached to for reading only
     */
    void requireWritable() {
        if (owner != null && !owner.isWritable()) {
            throw new EngineException(Status.READ_ONLY, "this engine was attached to for reading only");
        }
    }

    /**
     * Address of a lane.
     *
     * @param lane its number
     * @return the address of its first word
     */
    public long lane(int lane) {
        return base + layout.offset(RegionLayout.LANES)
                + Objects.checkIndex(lane, layout.items(RegionLayout.LANES)) * layout.itemBytes(RegionLayout.LANES);
    }

    /**
     * Number of lanes.
     *
     * @return the number
     */
    public int lanes() {
        return (int) layout.items(RegionLayout.LANES);
    }

    /**
     * Size of a lane's cells.
     *
     * @return bytes, a power of two
     */
    public long laneBytes() {
        return layout.itemBytes(RegionLayout.LANES) - BridgeLayout.RING_CELLS;
    }

    /**
     * Address of the ring that producers share.
     *
     * @return the address of its first word
     */
    public long ring() {
        return base + layout.offset(RegionLayout.RING);
    }

    /**
     * Size of the ring's cells.
     *
     * @return bytes, a power of two
     */
    public long ringBytes() {
        return layout.itemBytes(RegionLayout.RING) - BridgeLayout.RING_CELLS;
    }

    /**
     * Address of a producer's reply area.
     *
     * @param entry the producer's entry
     * @return the address of its first word
     */
    public long reply(int entry) {
        return base + layout.offset(RegionLayout.REPLIES)
                + Objects.checkIndex(entry, layout.items(RegionLayout.REPLIES)) * BridgeLayout.REPLY_BYTES;
    }

    /**
     * Address of the log ring.
     *
     * @return the address of its first word
     */
    public long log() {
        return base + layout.offset(RegionLayout.LOG);
    }

    /**
     * Length of the log ring.
     *
     * @return number of cells, a power of two
     */
    public long logRecordsMax() {
        return (layout.itemBytes(RegionLayout.LOG) - LogLayout.CELLS) / LogLayout.CELL_BYTES;
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

    /** The namespace in which the engine's process has its number, 0 where the system does not tell. */
    long namespace() {
        return Words.opaque(base + AT_NAMESPACE);
    }

    /**
     * A counter's value.
     *
     * @param place its place, from 0
     * @return the value, 0 for a place that the region does not have
     */
    public long counter(int place) {
        try {
            return place < layout.items(RegionLayout.COUNTERS)
                    ? Words.opaque(base + layout.offset(RegionLayout.COUNTERS) + (long) place * Long.BYTES)
                    : 0;
        } catch (InternalError fault) {
            throw fault(fault);
        }
    }

    /**
     * Copies the counts of a histogram.
     *
     * @param place its place, from 0
     * @return one count a bucket
     */
    public long[] histogram(int place) {
        if (place >= layout.items(RegionLayout.HISTOGRAMS)) {
            return new long[HISTOGRAM_BUCKETS];
        }
        long address = base + layout.offset(RegionLayout.HISTOGRAMS) + (long) place * HISTOGRAM_BUCKETS * Long.BYTES;
        long[] counts = new long[HISTOGRAM_BUCKETS];
        try {
            MemorySegment.copy(ALL, ValueLayout.JAVA_LONG, address, counts, 0, HISTOGRAM_BUCKETS);
            return counts;
        } catch (InternalError fault) {
            throw fault(fault);
        }
    }

    /**
     * The number that no other engine has.
     *
     * @return the generation that the region had at first
     */
    public long generation() {
        return generation;
    }

    /**
     * When the engine was opened.
     *
     * @return Unix milliseconds
     */
    public long startUnixMs() {
        try {
            return Words.longAt(base + AT_START);
        } catch (InternalError fault) {
            throw fault(fault);
        }
    }

    /**
     * When the engine gave its last sign of life.
     *
     * @return Unix milliseconds, 0 when there was none
     */
    public long heartbeatUnixMs() {
        try {
            return Words.opaque(base + AT_HEARTBEAT);
        } catch (InternalError fault) {
            throw fault(fault);
        }
    }

    /**
     * Whether the engine that this region belongs to is open, as far as the region says.
     *
     * @return false from its close on
     */
    public boolean isOpen() {
        try {
            return !shut && Words.acquire(base + AT_GENERATION) == generation;
        } catch (InternalError fault) {
            fault(fault);
            return false;
        }
    }

    /** From now on it counts as closed, whatever its memory holds. */
    void shut() {
        shut = true;
    }

    /**
     * Refuses to go on after the close.
     *
     * @throws EngineClosedException when the engine is closed
     * @throws EngineGoneException when the region was lost by a fault
     */
    public void requireOpen() {
        if (!isOpen()) {
            throw lost ? gone(null) : new EngineClosedException();
        }
    }

    /**
     * What to throw when something kept changing: a process that died in mid-change leaves it so for ever.
     *
     * @param busy what it is while the engine lives
     * @return that, or the exception of an engine that is closed or gone
     */
    public EngineException stuck(EngineException busy) {
        requireOpen();
        return isGone() ? new EngineGoneException(
                "the engine's process ended in the middle of a change, so this can never be read whole") : busy;
    }

    /**
     * What to throw when the JVM found no memory where the region is mapped.
     *
     * @param fault what the JVM threw
     * @return the exception of an engine that is gone
     */
    public EngineException fault(InternalError fault) {
        if (owner == null) {
            throw fault;
        }
        lost = true;
        owner.giveUp();
        return gone(fault);
    }

    private static EngineGoneException gone(InternalError fault) {
        return new EngineGoneException("the file of the shared region was cut short by somebody", fault);
    }

    /**
     * Refuses to go on when nobody will do any work here any more.
     *
     * @throws EngineClosedException when the engine is closed
     * @throws EnginePoisonedException when it has failed
     * @throws EngineGoneException when its process ended
     */
    public void requireAlive() {
        EngineState state = state();
        if (state == EngineState.POISONED) {
            throw new EnginePoisonedException(poisonText());
        }
        if (state == EngineState.GONE && !lost) {
            throw new EngineGoneException("the engine's process ended without closing it");
        }
        requireOpen();
    }

    /**
     * What to throw when another process has written what no engine or producer writes.
     *
     * @param what what it is
     * @return the exception, or that of an engine that is closed
     */
    EngineException damaged(String what) {
        requireOpen();
        return new EngineException(Status.DAMAGED, "the shared region holds " + what);
    }

    /**
     * What the engine is doing.
     *
     * @return the state
     */
    public EngineState state() {
        try {
            boolean gone = isGone();
            int number = (int) Words.acquire(base + AT_STATE);
            if (!isOpen()) {
                return lost ? EngineState.GONE : EngineState.CLOSED;
            }
            return gone ? EngineState.GONE : state(number);
        } catch (InternalError fault) {
            fault(fault);
            return EngineState.GONE;
        }
    }

    private boolean isGone() {
        // Open still: an engine that closes in between lets go of everything in an orderly way.
        return owner != null && owner.isGone() && isOpen();
    }

    private static EngineState state(int number) {
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
        try {
            int length = Words.intAt(base + AT_POISON);
            if (length <= 0 || length > POISON_BYTES_MAX || (int) Words.acquire(base + AT_STATE) != POISONED) {
                return "";
            }
            byte[] text = new byte[length];
            MemorySegment.copy(ALL, ValueLayout.JAVA_BYTE, base + AT_POISON + 4, text, 0, length);
            return new String(text, StandardCharsets.UTF_8);
        } catch (InternalError fault) {
            throw fault(fault);
        }
    }

    /**
     * The published revision, alone.
     *
     * @return the revision
     */
    public long revision() {
        try {
            return Words.acquire(base + AT_COMMIT + Long.BYTES);
        } catch (InternalError fault) {
            throw fault(fault);
        }
    }

    /**
     * The last commit as one consistent whole.
     *
     * @return the commit
     * @throws EngineClosedException when the engine is closed
     * @throws SlotBusyException when the commit line kept changing
     */
    public Commit commit() {
        long[] words = new long[COMMIT_WORDS];
        try {
            for (int looks = 0; looks < LOOKS_SPINNING_MAX + LOOKS_YIELDING_MAX; looks++) {
                if (commitWords(words)) {
                    requireOpen();
                    return commit(words);
                }
                pause(looks);
            }
        } catch (InternalError fault) {
            throw fault(fault);
        }
        throw stuck(new SlotBusyException("the commit line kept changing"));
    }

    private boolean commitWords(long[] words) {
        long line = base + AT_COMMIT;
        long before = Words.acquire(line);
        for (int index = 0; index < COMMIT_WORDS; index++) {
            words[index] = Words.opaque(line + (index + 1L) * Long.BYTES);
        }
        VarHandle.acquireFence();
        return (before & 1) == 0 && Words.opaque(line) == before;
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
