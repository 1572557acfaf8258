package dev.lodestone.bridge;

import com.sun.management.ThreadMXBean;
import dev.lodestone.CommandBatch;
import dev.lodestone.Commands;
import dev.lodestone.DistancesNotReadyException;
import dev.lodestone.Engine;
import dev.lodestone.EventHandler;
import dev.lodestone.EventReader;
import dev.lodestone.SlotBusyException;
import dev.lodestone.SlotReader;
import dev.lodestone.WatchedDistances;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import javax.management.JMException;
import javax.management.ObjectName;

/**
 * The program of a JVM that sends moves and reads what becomes of them, as many as the argument says, and looks at its own heap
 * before and after. It prints one line a finding; {@link HeapTest} judges them.
 */
public final class HeapRun {
    private static final int BATCH = 128;
    /** Batches between two rollbacks, which are what makes events here. A rollback is a call and has a report. */
    private static final int BATCHES_TO_ROLLBACK = 1_024;
    private static final int WARM_BATCHES = 4_096;
    private static final int PAUSES = 200;
    private static final int NODES = 100;
    private static final Duration LONG = Duration.ofSeconds(120);
    /** What the product's objects are made of, besides classes of its own. */
    private static final String OWN = "dev\\.lodestone\\.(?!bridge\\.).*|(jdk\\.internal|java\\.lang)\\.foreign\\..*";

    private final Engine engine;
    private final Commands commands;
    private final EventReader events;
    private final SlotReader slot;
    private final WatchedDistances distances;
    private final EventHandler handler = (type, session, position, body) -> taken(position, body.bodyLong(0));
    private long sum;
    private long eventsTaken;
    private long reads;
    private long rollbacks;
    private int value;

    private HeapRun(Engine engine) throws InterruptedException {
        this.engine = engine;
        this.commands = engine.commands();
        this.events = engine.events();
        this.slot = engine.slotReader();
        Engines.move(engine, 0, 1, 0x1_0001);
        this.distances = engine.graph().watch(0);
        distances.awaitLive(LONG);
    }

    private void taken(long position, long word) {
        eventsTaken++;
        sum += position + word;
    }

    /**
     * Runs.
     *
     * @param arguments how many moves
     * @throws JMException when the JVM does not tell about itself
     * @throws InterruptedException never
     */
    public static void main(String[] arguments) throws JMException, InterruptedException {
        long batches = Long.parseLong(arguments[0]) / BATCH;
        try (Engine engine = Engine.open(Engines.small().set("monitoring.gc_pause_alert_ms", 60_000).build())) {
            HeapRun run = new HeapRun(engine);
            run.warm();
            Map<String, String> before = histogram();
            long collections = collections();
            long allocated = allocated();
            run.move(batches);
            allocated = allocated() - allocated;
            collections = collections() - collections;
            Map<String, String> after = histogram();
            System.out.println("moves " + batches * BATCH + " reads " + run.reads + " events " + run.eventsTaken + " missed "
                    + run.events.missed() + " rollbacks " + run.rollbacks + " sum " + (run.sum == 0 ? 0 : 1));
            System.out.println("collections " + collections);
            System.out.println("allocated " + allocated);
            System.out.println("objects " + before.size());
            before.forEach((name, size) -> {
                if (!size.equals(after.get(name))) {
                    System.out.println("changed " + name + " from " + size + " to " + after.get(name));
                }
            });
            after.keySet().stream().filter(name -> !before.containsKey(name))
                    .forEach(name -> System.out.println("changed " + name + " from nothing to " + after.get(name)));
        }
    }

    /** Everything once that happens once: code is compiled, calls are linked, the monitor has looked at the heap. */
    private void warm() throws JMException, InterruptedException {
        move(WARM_BATCHES);
        for (int pause = 0; pause < PAUSES; pause++) {
            // The engine sleeps meanwhile, so the next command has to wake it, and its decision wakes this thread.
            Thread.sleep(1);
            commands.tryMove(0, 1, 0x1_0001, 0);
            commands.awaitDecided(commands.sent(), LONG);
            engine.rollback(engine.revision());
        }
        while (engine.metrics().heapSamples() == 0) {
            Thread.sleep(1);
        }
        move(BATCHES_TO_ROLLBACK);
        // The first look links what a look needs.
        histogram();
        reads = 0;
        eventsTaken = 0;
        rollbacks = 0;
    }

    private void move(long batches) {
        for (long number = 1; number <= batches; number++) {
            batch();
            look();
            if (number % BATCHES_TO_ROLLBACK == 0) {
                engine.rollback(engine.revision());
                rollbacks++;
            }
            events.poll(handler, 16);
        }
        commands.awaitDecided(commands.sent(), LONG);
        while (events.poll(handler, 16) > 0) {
            Thread.onSpinWait();
        }
    }

    /** A batch in one claim, the last of it one by one. */
    private void batch() {
        CommandBatch batch = commands.batch();
        while (!batch.tryClaim(BATCH - 8, Long.BYTES)) {
            Thread.onSpinWait();
        }
        for (int command = 0; command < BATCH - 8; command++) {
            value++;
            int node = value % NODES;
            batch.move(node, node + 1, value & 0x7f | 0x1_0000, 0);
            batch.putLong(0, value);
        }
        batch.commit();
        for (int command = 0; command < 8; command++) {
            int node = command * 7 % NODES;
            while (commands.tryMove(node, node + 1, value & 0x7f | 0x1_0000, 0) == Commands.FULL) {
                Thread.onSpinWait();
            }
        }
    }

    /** As many reads as moves. */
    private void look() {
        for (int read = 0; read < BATCH; read++) {
            int node = read % NODES;
            try {
                if (slot.read(node)) {
                    sum += slot.target() + slot.version() + slot.payloadLong(0);
                }
            } catch (SlotBusyException engineStandsStill) {
                sum++;
            }
            reads++;
        }
        try {
            sum += distances.distance(NODES / 2) + distances.edgesOnPath(3);
        } catch (DistancesNotReadyException | SlotBusyException later) {
            sum++;
        }
        sum += commands.decided() + commands.revision() + engine.revision();
    }

    private static long allocated() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        return threads.getThreadAllocatedBytes(Thread.currentThread().threadId());
    }

    private static long collections() {
        return ManagementFactory.getGarbageCollectorMXBeans().stream()
                .mapToLong(GarbageCollectorMXBean::getCollectionCount).sum();
    }

    /** Instances and bytes of each class of the product's that has live objects; looking makes a full collection. */
    private static Map<String, String> histogram() throws JMException {
        String text = (String) ManagementFactory.getPlatformMBeanServer().invoke(
                new ObjectName("com.sun.management:type=DiagnosticCommand"), "gcClassHistogram", new Object[] {new String[0]},
                new String[] {String[].class.getName()});
        return text.lines().map(line -> line.strip().split("\\s+"))
                .filter(words -> words.length >= 4 && words[3].matches(OWN))
                .collect(Collectors.toMap(words -> words[3], words -> words[1] + " objects, " + words[2] + " bytes",
                        (one, other) -> one + ", " + other, TreeMap::new));
    }
}
