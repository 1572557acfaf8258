package dev.lodestone.benchmarks;

import com.sun.management.ThreadMXBean;
import dev.lodestone.Engine;
import dev.lodestone.EngineConfig;
import dev.lodestone.EventHandler;
import dev.lodestone.EventReader;
import dev.lodestone.MoveBatch;
import dev.lodestone.SlotReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntSupplier;
import java.util.stream.Collectors;

/**
 * What a read allocates, exact to the byte: the JVM's own count for this thread, before and after many reads. JMH's profiler
 * counts what its harness allocates around them, too.
 *
 * <p>Also times how events are read, which JMH cannot: they exist only when something happened, so each round first makes
 * them (a rollback to the present revision is one). Left out: a writer that is at work meanwhile.
 */
public final class ExactReads {
    private static final int ROUNDS = 12;
    private static final int WARM_UP_ROUNDS = 4;
    /** Fewer than the 16,384 that the ring holds. */
    private static final int EVENTS = 12_000;
    private static final int READS = 1_000_000;
    private static final int NODES = 128;

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private final Map<String, List<Double>> bytes = new TreeMap<>();
    private final Map<String, List<Double>> nanoseconds = new TreeMap<>();
    private long sum;

    private ExactReads() {}

    /**
     * Measures, and writes the raw results.
     *
     * @param arguments the file to write
     * @throws IOException when it cannot be written
     */
    public static void main(String[] arguments) throws IOException {
        ExactReads reads = new ExactReads();
        try (Engine engine = Engine.open(EngineConfig.builder().set("transport.listen", "127.0.0.1:0").build())) {
            reads.measure(engine);
        }
        Files.writeString(Path.of(arguments[0]), reads.toJson());
    }

    private void measure(Engine engine) {
        MoveBatch batch = engine.moveBatch(NODES);
        for (int node = 0; node < NODES; node++) {
            batch.add(node, node + 1, 0x1_0001, 0L);
        }
        batch.submit();
        SlotReader slots = engine.slotReader();
        EventReader events = engine.events();
        EventHandler handler = (type, session, position, body) -> sum += body.bodyLong(0) + position;
        for (int round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
            for (int event = 0; event < EVENTS; event++) {
                engine.rollback(engine.revision());
            }
            round(round, "event", () -> events.poll(handler, EVENTS), EVENTS);
            round(round, "slot", () -> readSlots(slots), READS);
            round(round, "version", () -> readVersions(slots), READS);
        }
        if (sum == 0) {
            throw new IllegalStateException("nothing was read");
        }
    }

    private int readSlots(SlotReader slots) {
        for (int read = 0; read < READS; read++) {
            slots.read(read % NODES);
            sum += slots.target();
        }
        return READS;
    }

    private int readVersions(SlotReader slots) {
        for (int read = 0; read < READS; read++) {
            sum += slots.version(read % NODES);
        }
        return READS;
    }

    /** Rounds below 0 warm up and are not kept. */
    private void round(int round, String what, IntSupplier reads, int expected) {
        long bytesBefore = threads.getCurrentThreadAllocatedBytes();
        long started = System.nanoTime();
        int taken = reads.getAsInt();
        long ended = System.nanoTime();
        long bytesAfter = threads.getCurrentThreadAllocatedBytes();
        if (taken != expected) {
            throw new IllegalStateException(what + ": " + taken + " read instead of " + expected);
        }
        if (round >= 0) {
            nanoseconds.computeIfAbsent(what, name -> new ArrayList<>()).add((double) (ended - started) / taken);
            bytes.computeIfAbsent(what, name -> new ArrayList<>()).add((double) (bytesAfter - bytesBefore) / taken);
        }
    }

    private String toJson() {
        return Map.of("ns", nanoseconds, "B/op", bytes).entrySet().stream()
                .flatMap(unit -> unit.getValue().entrySet().stream().map(metric -> String.format(Locale.ROOT,
                        " \"ExactReads.%s.%s\": {\"unit\": \"%s\", \"rounds\": [%s]}", metric.getKey(),
                        unit.getKey().equals("ns") ? "time" : "allocated", unit.getKey(), joined(metric.getValue()))))
                .collect(Collectors.joining(",\n", "{\"metrics\": {\n", "\n}}\n"));
    }

    private static String joined(List<Double> values) {
        return values.stream().map(value -> String.format(Locale.ROOT, "%.6f", value)).collect(Collectors.joining(", "));
    }
}
