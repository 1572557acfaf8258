package dev.lodestone.benchmarks;

import com.sun.management.ThreadMXBean;
import dev.lodestone.CommandBatch;
import dev.lodestone.Commands;
import dev.lodestone.Engine;
import dev.lodestone.EngineConfig;
import dev.lodestone.EventHandler;
import dev.lodestone.EventReader;
import dev.lodestone.LogHandler;
import dev.lodestone.LogReader;
import dev.lodestone.MoveBatch;
import dev.lodestone.SlotReader;
import dev.lodestone.WatchedDistances;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntSupplier;
import java.util.stream.Collectors;

/**
 * What a read or a command allocates, exact to the byte: the JVM's own count for this thread, before and after many of them.
 * JMH's profiler counts what its harness allocates around them, too.
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
    private static final int COMMANDS = 128 * 1_000;
    private static final int NODES = 128;
    private static final Duration PATIENCE = Duration.ofSeconds(60);

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
     * @throws InterruptedException when it is interrupted
     */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        ExactReads reads = new ExactReads();
        try (Engine engine = Engine.open(EngineConfig.builder().set("transport.listen", "127.0.0.1:0").build())) {
            reads.measure(engine);
            reads.measureCommands(engine);
            reads.measureLogsAndDistances(engine);
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

    private void measureCommands(Engine engine) {
        try (Commands commands = engine.commands()) {
            CommandBatch batch = commands.batch();
            for (int round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
                round(round, "command", () -> send(commands), COMMANDS);
                round(round, "command_batch", () -> sendBatches(batch), COMMANDS);
                if (!commands.awaitDecided(commands.sent(), PATIENCE)) {
                    throw new IllegalStateException("the engine decides nothing");
                }
            }
        }
    }

    private static int send(Commands commands) {
        for (int sent = 0; sent < COMMANDS;) {
            if (commands.tryMove(sent % NODES, 1 + sent % NODES, 0x1_0001, 0) == Commands.FULL) {
                Thread.onSpinWait();
            } else {
                sent++;
            }
        }
        return COMMANDS;
    }

    private static int sendBatches(CommandBatch batch) {
        for (int sent = 0; sent < COMMANDS; sent += NODES) {
            while (!batch.tryClaim(NODES, 0)) {
                Thread.onSpinWait();
            }
            for (int node = 0; node < NODES; node++) {
                batch.move(node, node + 1, 0x1_0001, 0);
            }
            batch.commit();
        }
        return COMMANDS;
    }

    /** Looks for log records when there are none, and distances of a watched source. */
    private void measureLogsAndDistances(Engine engine) throws InterruptedException {
        LogReader logs = engine.logs();
        LogHandler handler = (level, position, record) -> sum += position;
        try (WatchedDistances distances = engine.graph().watch(0)) {
            if (!distances.awaitLive(PATIENCE)) {
                throw new IllegalStateException("the distances do not come");
            }
            for (int round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
                round(round, "log_look", () -> lookForLogs(logs, handler), READS);
                round(round, "distance", () -> readDistances(distances), READS);
            }
        }
    }

    private int lookForLogs(LogReader logs, LogHandler handler) {
        for (int look = 0; look < READS; look++) {
            sum += logs.poll(handler, 1);
        }
        return READS;
    }

    private int readDistances(WatchedDistances distances) {
        for (int read = 0; read < READS; read++) {
            sum += distances.distance(read % NODES);
        }
        return READS;
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
