package dev.lodestone.benchmarks;

import dev.lodestone.Engine;
import dev.lodestone.EngineConfig;
import dev.lodestone.MoveBatch;
import dev.lodestone.SlotReader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What a checked slot read costs beside an unchecked one of the same bytes.
 *
 * <p>Two pairs: a whole slot (256 bytes copied under the seqlock, against a plain copy of 256 bytes) and one word (the
 * node's version, against a plain acquire get). The plain side reads a segment of its own in a {@code static final}
 * field, the fastest form there is; it checks nothing and cannot notice a torn or closed slot.
 *
 * <p>Left out: writers. Nothing changes a slot while this runs, so no read is repeated; the 512 slots stay in the second
 * level cache. Nodes are visited in a fixed scattered order.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class SlotReaderBenchmark {
    private static final int SLOTS = 512;
    private static final int SLOT_BYTES = 256;
    private static final int VERSION_OFFSET = 16;
    /** Odd, so that adding it visits every slot; large, so that neighbours in time are not neighbours in memory. */
    private static final int STRIDE = 197;

    private static final VarHandle VERSION =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    private static final MemorySegment PLAIN = Arena.global().allocate((long) SLOTS * SLOT_BYTES, 64);

    private final MemorySegment copy = Arena.global().allocate(SLOT_BYTES, 64);
    private Engine engine;
    private SlotReader reader;
    private int node;

    /** Creates the state of one benchmark thread; JMH does. */
    public SlotReaderBenchmark() {}

    /** Opens an engine and gives {@value #SLOTS} nodes a slot each. */
    @Setup(Level.Trial)
    public void open() {
        engine = Engine.open(EngineConfig.builder().set("transport.listen", "127.0.0.1:0").build());
        MoveBatch batch = engine.moveBatch(128);
        for (int first = 0; first < SLOTS; first += 128) {
            batch.clear();
            for (int each = first; each < first + 128; each++) {
                batch.add(each, each + 1, 0x1_0001, 0L);
            }
            batch.submit();
        }
        reader = engine.slotReader();
    }

    /** Closes the engine. */
    @TearDown(Level.Trial)
    public void close() {
        engine.close();
    }

    private int next() {
        node = (node + STRIDE) & (SLOTS - 1);
        return node;
    }

    /**
     * Reads a whole slot under the seqlock.
     *
     * @return a word of it, so that the read is not optimised away
     */
    @Benchmark
    public long slotRead() {
        reader.read(next());
        return reader.version();
    }

    /**
     * Copies as many bytes without any check.
     *
     * @return a word of it, so that the copy is not optimised away
     */
    @Benchmark
    public long slotCopyPlain() {
        MemorySegment.copy(PLAIN, (long) next() * SLOT_BYTES, copy, 0L, SLOT_BYTES);
        return (long) VERSION.get(copy, (long) VERSION_OFFSET);
    }

    /**
     * Reads the version of one node, checked.
     *
     * @return the version
     */
    @Benchmark
    public long versionRead() {
        return reader.version(next());
    }

    /**
     * Reads one word with acquire semantics, unchecked.
     *
     * @return the word
     */
    @Benchmark
    public long versionGetPlain() {
        return (long) VERSION.getAcquire(PLAIN, (long) next() * SLOT_BYTES + VERSION_OFFSET);
    }
}
