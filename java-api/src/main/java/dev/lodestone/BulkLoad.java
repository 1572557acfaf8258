package dev.lodestone;

import dev.lodestone.internal.NativeEngine;
import dev.lodestone.internal.NativeLoad;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;

/**
 * Sets many edges that come one after the other, from wherever they come: they go through a buffer of fixed size outside the
 * heap, and the engine sets them while the next are added. Moves go on meanwhile.
 *
 * <pre>{@code
 * try (BulkLoad load = engine.graph().bulkLoad()) {
 *     while (rows.next()) {
 *         load.add(rows.source(), rows.target(), 0x1_0000 | rows.weight());
 *     }
 *     System.out.println(load.finish().edges());
 * }
 * }</pre>
 *
 * <p>What is set stays set, however the load ends. One load belongs to the thread that began it: another one's call throws
 * {@link WrongThreadException}. An engine has room for several at once. Close it also after {@link #finish}: its buffer is
 * memory outside the heap that no collector gives back.
 */
public final class BulkLoad implements AutoCloseable {
    /** Bytes of an arc in memory and in files: source, target and mask, 32 bits each, little-endian. */
    public static final int ARC_BYTES = 12;

    /** 96 KiB: one call for so many that its price vanishes. */
    private static final int BUFFER_ARCS = 8_192;

    private static final long TELL_EVERY_NS = 100_000_000;
    private static final ValueLayout.OfInt NUMBER = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final NativeLoad load;
    private final LoadProgress progress;
    private final MemorySegment buffer;
    private final long startNs = System.nanoTime();
    private long toldNs = startNs;
    private int bufferedBytes;
    private boolean ended;
    private boolean over;

    BulkLoad(NativeEngine engine, long arcsTotal, LoadProgress progress) {
        this.progress = progress;
        this.load = NativeLoad.ofArcs(engine, arcsTotal);
        this.buffer = load.allocate(BUFFER_ARCS * (long) ARC_BYTES);
    }

    /**
     * Adds an edge. Every 8,192 edges the call waits until the engine has room for them.
     *
     * @param source first node, unsigned
     * @param target last node, unsigned
     * @param mask the edge's mask: weight = low byte XOR second byte, upper 16 bits free; not 0
     * @return false when the progress callback has ended the load: nothing was taken
     * @throws EngineException when an arc before was refused: its message tells its number, from 0 on, and what would do; or
     *     when the graph is full ({@link Status#GRAPH_FULL}). The load is over then
     * @throws IllegalStateException when the load is over
     */
    public boolean add(int source, int target, int mask) {
        requireOpen();
        if (ended) {
            return false;
        }
        buffer.set(NUMBER, bufferedBytes, source);
        buffer.set(NUMBER, bufferedBytes + Integer.BYTES, target);
        buffer.set(NUMBER, bufferedBytes + 2L * Integer.BYTES, mask);
        bufferedBytes += ARC_BYTES;
        return bufferedBytes < buffer.byteSize() || flush();
    }

    /**
     * Adds edges from memory, heap or not.
     *
     * @param arcs {@link #ARC_BYTES} bytes an arc: source, target and mask, little-endian
     * @return false when the progress callback has ended the load: not all was taken
     * @throws IllegalArgumentException when that are not whole arcs
     * @throws EngineException as {@link #add(int, int, int)}
     * @throws IllegalStateException when the load is over
     */
    public boolean add(MemorySegment arcs) {
        requireOpen();
        long bytes = Objects.requireNonNull(arcs, "arcs").byteSize();
        if (bytes % ARC_BYTES != 0) {
            throw new IllegalArgumentException(bytes + " bytes are no whole arcs of " + ARC_BYTES + " bytes");
        }
        for (long from = 0; from < bytes && !ended;) {
            long part = Math.min(bytes - from, buffer.byteSize() - bufferedBytes);
            MemorySegment.copy(arcs, from, buffer, bufferedBytes, part);
            from += part;
            bufferedBytes += (int) part;
            if (bufferedBytes == buffer.byteSize()) {
                flush();
            }
        }
        return !ended;
    }

    /** Adds triples of numbers. */
    boolean add(int[] numbers) {
        for (int from = 0; from < numbers.length && !ended;) {
            int part = Math.min(numbers.length - from, (int) (buffer.byteSize() - bufferedBytes) / Integer.BYTES);
            MemorySegment.copy(numbers, from, buffer, NUMBER, bufferedBytes, part);
            from += part;
            bufferedBytes += part * Integer.BYTES;
            if (bufferedBytes == buffer.byteSize()) {
                flush();
            }
        }
        return !ended;
    }

    private boolean flush() {
        long bytes = bufferedBytes;
        bufferedBytes = 0;
        load.put(buffer, bytes / ARC_BYTES);
        long nowNs = System.nanoTime();
        if (nowNs - toldNs >= TELL_EVERY_NS) {
            toldNs = nowNs;
            ended = !tell(load.done());
        }
        return !ended;
    }

    private boolean tell(long done) {
        return progress.onProgress(done, load.total(), Duration.ofNanos(System.nanoTime() - startNs));
    }

    /**
     * Waits until everything added is set, and ends the load.
     *
     * @return what it did
     * @throws EngineException as {@link #add(int, int, int)}
     * @throws IllegalStateException when the load is over
     */
    public LoadReport finish() {
        requireOpen();
        if (!ended && bufferedBytes > 0) {
            load.put(buffer, bufferedBytes / ARC_BYTES);
        }
        over = true;
        LoadReport report = load.finish(!ended);
        if (!ended) {
            tell(report.arcs());
        }
        return report;
    }

    private void requireOpen() {
        if (over) {
            throw new IllegalStateException("the load is over: begin a new one");
        }
    }

    /** Ends a load that was not finished: what is set stays, what the engine has not got yet is dropped. */
    @Override
    public void close() {
        over = true;
        load.close();
    }

    /** Loads a whole file. */
    static LoadReport file(NativeEngine engine, Path file, LoadProgress progress) {
        long startNs = System.nanoTime();
        try (NativeLoad load = NativeLoad.ofFile(engine, file)) {
            boolean goOn = true;
            while (goOn && !load.step(Duration.ofNanos(TELL_EVERY_NS).toMillis())) {
                goOn = progress.onProgress(load.done(), load.total(), Duration.ofNanos(System.nanoTime() - startNs));
            }
            LoadReport report = load.finish(goOn);
            if (goOn) {
                progress.onProgress(report.arcs(), load.total(), Duration.ofNanos(System.nanoTime() - startNs));
            }
            return report;
        }
    }
}
