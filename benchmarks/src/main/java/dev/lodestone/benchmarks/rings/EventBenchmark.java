package dev.lodestone.benchmarks.rings;

import dev.lodestone.benchmarks.rings.CoreToCore.Placement;
import dev.lodestone.internal.CommandRing;
import dev.lodestone.internal.NativeLibrary;
import dev.lodestone.internal.Producer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Events from the engine's side to Java beside Agrona's ring of one producer, and what the bridge adds to a command at a fixed
 * rate. The method is that of {@link RingBenchmark}: two pinned threads, contenders in turn, sums checked, each trial told
 * near from far by the round trip of a cache line before and after it.
 *
 * <p>An event is a cell of 64 bytes of which 32 are read: three words of its body and its position. Records of the peer have 32
 * bytes. Ours come from another process; the reader copies each and checks that it was not overtaken meanwhile, as always.
 */
public final class EventBenchmark {
    private static final int WARM_UP_ROUNDS = 12;
    private static final int NEAR_TRIALS_WANTED = 40;
    /** Short, for everybody: a long trial nearly always meets a moment in which the host takes a processor away. */
    private static final double TRIAL_NS = 4e6;
    private static final int COUNT_START = 1_280;
    private static final int COUNT_MAX = 20_000_000;
    /** 50 ms of commands. */
    private static final int PACED_COUNT = 4_000;
    private static final int QUICK_ROUNDS = 3;
    private static final int QUICK_WARM_UP_ROUNDS = 2;
    private static final int QUICK_COUNT_MAX = 20_000;
    /** Longer than the time given: something hangs. */
    private static final long GRACE_MS = 60_000;

    private final Partner partner = new Partner();
    private final CoreToCore coreToCore = new CoreToCore(partner);
    private final Results results = new Results();
    private final List<Contender> contenders = new ArrayList<>();
    private final boolean quick;
    private int[] counts;

    private EventBenchmark(boolean quick) {
        this.quick = quick;
    }

    /**
     * Measures, and writes the raw results.
     *
     * @param arguments the file to write, path of lodestone-bench, a folder in memory, seconds; then --quick or nothing
     * @throws IOException when the file cannot be written, or the other process does not start
     */
    public static void main(String[] arguments) throws IOException {
        long seconds = Long.parseLong(arguments[3]);
        RingBenchmark.watch(seconds * 1_000 + GRACE_MS);
        Cores.pin(Cores.SENDER);
        NativeLibrary.require();
        EventBenchmark benchmark = new EventBenchmark(arguments.length > 4 && arguments[4].equals("--quick"));
        try (OwnTaker taker = new OwnTaker(arguments[1], arguments[2]);
                OwnEvents events = new OwnEvents(arguments[1], arguments[2])) {
            Producer producer = taker.producer(true);
            CommandRing lane = new CommandRing(taker.region(), producer);
            benchmark.contenders.add(events);
            benchmark.contenders.add(new AgronaPeers.Stream(benchmark.partner, "events_32", false, false));
            for (PacedCommands.Idle idle : PacedCommands.Idle.values()) {
                benchmark.contenders.add(new PacedCommands(taker, producer, lane, idle));
            }
            benchmark.measure(System.nanoTime() + seconds * 1_000_000_000L);
        }
        Files.writeString(Path.of(arguments[0]), benchmark.results.toJson());
    }

    private static boolean isTrips(Contender contender) {
        return contender.row().endsWith("_trip");
    }

    private static String figure(Contender contender) {
        return contender.row() + "." + contender.name();
    }

    private void measure(long endNs) {
        counts = contenders.stream().mapToInt(one -> isTrips(one) ? PACED_COUNT : COUNT_START).toArray();
        for (int round = quick ? -QUICK_WARM_UP_ROUNDS : -WARM_UP_ROUNDS; round < 0; round++) {
            for (int index = 0; index < counts.length; index++) {
                adapt(index, contenders.get(index).run(counts[index]));
            }
        }
        int rounds = 0;
        while (quick ? rounds < QUICK_ROUNDS : !isEnough() && System.nanoTime() < endNs) {
            for (int step = 0; step < counts.length; step++) {
                trial((rounds + step) % counts.length);
            }
            rounds++;
        }
        System.out.printf("%d rounds of %d contenders, %d values dropped: cores moved%n", rounds, counts.length,
                results.mixed());
    }

    private boolean isEnough() {
        return contenders.stream().allMatch(one ->
                results.count(figure(one) + (isTrips(one) ? ".p50" : ""), Placement.NEAR) >= NEAR_TRIALS_WANTED);
    }

    private void adapt(int index, long tookNs) {
        if (!isTrips(contenders.get(index))) {
            double wanted = counts[index] * TRIAL_NS / Math.max(1, tookNs);
            // At most eightfold at once: the first trials run in the interpreter.
            double most = Math.min(quick ? QUICK_COUNT_MAX : COUNT_MAX, 8.0 * counts[index]);
            counts[index] = (int) Math.clamp(wanted, Contender.BATCH, most) / Contender.BATCH * Contender.BATCH;
        }
    }

    private void trial(int index) {
        Contender contender = contenders.get(index);
        int count = counts[index];
        double before = coreToCore.roundTripNs();
        long took = contender.run(count);
        double p50 = 0;
        double p99 = 0;
        if (isTrips(contender)) {
            Trips.sort(count);
            p50 = Trips.percentile(count, 0.5);
            p99 = Trips.percentile(count, 0.99);
        }
        double after = coreToCore.roundTripNs();
        for (Placement placement : quick ? List.of(Placement.NEAR, Placement.FAR)
                : List.of(CoreToCore.placement(before, after))) {
            if (isTrips(contender)) {
                results.add(figure(contender) + ".p50", placement, p50);
                results.add(figure(contender) + ".p99", placement, p99);
            } else {
                results.add(figure(contender), placement, count * 1e3 / took);
            }
        }
    }
}
