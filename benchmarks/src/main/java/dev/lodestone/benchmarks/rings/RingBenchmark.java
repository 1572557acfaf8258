package dev.lodestone.benchmarks.rings;

import dev.lodestone.benchmarks.rings.CoreToCore.Placement;
import dev.lodestone.internal.CommandRing;
import dev.lodestone.internal.NativeLibrary;
import dev.lodestone.internal.Producer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Lanes and ring beside the queues that a Java team would take, record for record and batch for batch.
 *
 * <p>One thread sends on core 0, one takes on core 1; both are pinned, and the clock starts once the taker runs. Everything
 * written is read and added up, and a trial whose sum is wrong ends the run. Contenders take turns, a trial each, for as many
 * rounds as time allows. Virtual cores move: before and after each trial a cache line goes to and fro for 2.5 ms, and the
 * trial counts as near (below 220 ns), as far (above 300 ns), or not at all. Trials take about 4 ms; how many records that
 * are is found in rounds before, which are not kept.
 *
 * <p>Ours goes to another process through a file in shared memory; the peers stay in this JVM, which spares them nothing but
 * the mapping. Chronicle Queue and our ring take turns in a JVM of their own, since it needs flags that would be everybody's.
 * Left out: more than one sender at a time, for which a machine with two cores has no room, and what the engine does with a
 * command. Peers run without checks of bounds, ours has none to leave out.
 */
public final class RingBenchmark {
    private static final int WARM_UP_ROUNDS = 8;
    private static final int NEAR_TRIALS_WANTED = 40;
    /** Short, for everybody: a long trial nearly always meets a moment in which the host takes a processor away. */
    private static final double TRIAL_NS = 4e6;
    private static final int COUNT_START = 1_280;
    private static final int COUNT_MAX = 20_000_000;
    private static final int QUICK_ROUNDS = 3;
    private static final int QUICK_WARM_UP_ROUNDS = 2;
    private static final double QUICK_TRIAL_NS = 1e6;
    /** Longer than the time given: something hangs. */
    private static final long GRACE_MS = 60_000;

    private final List<Contender> contenders = new ArrayList<>();
    private final Partner partner = new Partner();
    private final CoreToCore coreToCore = new CoreToCore(partner);
    private final Results results = new Results();
    private final boolean quick;
    private final boolean chronicle;
    private final double trialNs;
    private int[] counts;

    private RingBenchmark(String option) {
        this.quick = option.equals("--quick");
        this.chronicle = option.equals("--chronicle");
        this.trialNs = quick ? QUICK_TRIAL_NS : TRIAL_NS;
    }

    /**
     * Measures, and writes the raw results.
     *
     * @param arguments the file to write, path of lodestone-bench, a folder in memory, seconds; then --quick,
     *     --chronicle or nothing, and the begins of the figures wanted ({@code spsc_32.ours mpsc_32}), all of them when there
     *     are none
     * @throws IOException when the file cannot be written, or the other process does not start
     */
    public static void main(String[] arguments) throws IOException {
        long seconds = Long.parseLong(arguments[3]);
        String option = arguments.length > 4 && arguments[4].startsWith("--") ? arguments[4] : "";
        watch(seconds * 1_000 + GRACE_MS);
        Cores.pin(Cores.SENDER);
        NativeLibrary.require();
        RingBenchmark benchmark = new RingBenchmark(option);
        List<String> wanted = Arrays.asList(arguments).subList(option.isEmpty() ? 4 : 5, arguments.length);
        long endNs = System.nanoTime() + seconds * 1_000_000_000L;
        try (OwnTaker taker = new OwnTaker(arguments[1], arguments[2])) {
            if (benchmark.chronicle) {
                benchmark.besideChronicle(taker, Path.of(arguments[2]), wanted, endNs);
            } else {
                benchmark.besideAll(taker, wanted, endNs);
            }
        }
        Files.writeString(Path.of(arguments[0]), benchmark.results.toJson());
    }

    private void besideAll(OwnTaker taker, List<String> wanted, long endNs) {
        try (AeronPeers aeron = new AeronPeers()) {
            enterAll(taker, aeron);
            keep(wanted);
            measure(endNs);
        }
    }

    private void besideChronicle(OwnTaker taker, Path folder, List<String> wanted, long endNs) {
        Producer producer = taker.producer(false);
        CommandRing ring = new CommandRing(taker.region(), producer);
        try (ChroniclePeers narrow = new ChroniclePeers(partner, "chronicle_32", false, folder);
                ChroniclePeers wide = new ChroniclePeers(partner, "chronicle_64", true, folder)) {
            contenders.add(new OwnRings.Stream(taker, producer, ring, "chronicle_32", false, false));
            contenders.add(narrow);
            contenders.add(new OwnRings.Stream(taker, producer, ring, "chronicle_64", true, false));
            contenders.add(wide);
            keep(wanted);
            measure(endNs);
        }
    }

    static void watch(long milliseconds) {
        Thread.ofPlatform().daemon().start(() -> {
            try {
                Thread.sleep(milliseconds);
            } catch (InterruptedException interrupted) {
                return;
            }
            System.err.println("a trial hangs: no end after " + milliseconds / 1_000 + " s");
            Runtime.getRuntime().halt(1);
        });
    }

    private void enterAll(OwnTaker taker, AeronPeers aeron) {
        Producer laneProducer = taker.producer(true);
        Producer ringProducer = taker.producer(false);
        CommandRing lane = new CommandRing(taker.region(), laneProducer);
        CommandRing ring = new CommandRing(taker.region(), ringProducer);
        contenders.add(new OwnRings.Stream(taker, laneProducer, lane, "spsc_32", false, false));
        contenders.add(new DisruptorPeers.Stream(partner, "spsc_32", false, false, false));
        contenders.add(new AgronaPeers.Stream(partner, "spsc_32", false, false));
        contenders.add(aeron.new Stream(partner, "spsc_32", true, false));
        contenders.add(new QueuePeers.Jctools(partner, "spsc_32", false, false, false));
        for (boolean wide : new boolean[] {false, true}) {
            String row = wide ? "mpsc_64" : "mpsc_32";
            contenders.add(new OwnRings.Stream(taker, ringProducer, ring, row, wide, false));
            contenders.add(new AgronaPeers.Stream(partner, row, true, wide));
            contenders.add(aeron.new Stream(partner, row, false, wide));
            contenders.add(new DisruptorPeers.Stream(partner, row, true, wide, false));
            contenders.add(new QueuePeers.Jctools(partner, row, true, wide, false));
            contenders.add(new QueuePeers.Jdk(partner, row, true, wide));
            contenders.add(new QueuePeers.Jdk(partner, row, false, wide));
        }
        contenders.add(new OwnRings.Stream(taker, ringProducer, ring, "mpsc_batch", false, true));
        contenders.add(new DisruptorPeers.Stream(partner, "mpsc_batch", true, false, true));
        contenders.add(new QueuePeers.Jctools(partner, "mpsc_batch", true, false, true));
        contenders.add(new OwnRings.RoundTrips(taker, laneProducer, lane, false));
        contenders.add(new AgronaPeers.RoundTrips(partner));
        contenders.add(aeron.new RoundTrips(partner));
        contenders.add(new DisruptorPeers.RoundTrips(partner));
        contenders.add(new QueuePeers.JctoolsTrips(partner));
        contenders.add(new OwnRings.RoundTrips(taker, laneProducer, lane, true));
        contenders.add(new QueuePeers.JdkTrips(partner));
        contenders.add(new Cores.Plain());
        contenders.add(new Cores.Critical());
    }

    private void keep(List<String> wanted) {
        contenders.removeIf(one -> !wanted.isEmpty() && wanted.stream().noneMatch(figure(one)::startsWith));
    }

    private void measure(long endNs) {
        counts = new int[contenders.size()];
        Arrays.fill(counts, COUNT_START);
        for (int round = quick ? -QUICK_WARM_UP_ROUNDS : -WARM_UP_ROUNDS; round < 0; round++) {
            for (int index = 0; index < counts.length; index++) {
                adapt(index, contenders.get(index).run(counts[index]));
            }
        }
        int rounds = 0;
        while (quick ? rounds < QUICK_ROUNDS : !isEnough() && System.nanoTime() < endNs) {
            // Another one begins each round, so that what a round's first trial suffers is not always the same one's.
            for (int step = 0; step < counts.length; step++) {
                trial((rounds + step) % counts.length);
            }
            rounds++;
        }
        System.out.printf("%d rounds of %d contenders, %d values dropped: cores moved%n", rounds, counts.length,
                results.mixed());
    }

    private boolean isEnough() {
        return contenders.stream().filter(one -> !isCall(one))
                .allMatch(one -> results.count(figure(one), Placement.NEAR) >= NEAR_TRIALS_WANTED);
    }

    private static boolean isCall(Contender contender) {
        return contender.row().equals("downcall");
    }

    private static boolean isTrips(Contender contender) {
        return contender.row().endsWith("_trip");
    }

    private static String figure(Contender contender) {
        return contender.row() + "." + contender.name() + (isTrips(contender) ? ".p50" : "");
    }

    private void adapt(int index, long tookNs) {
        double wanted = counts[index] * trialNs / Math.max(1, tookNs);
        int most = isTrips(contenders.get(index)) ? Trips.MAX : COUNT_MAX;
        // At most eightfold at once: the first trials run in the interpreter.
        double bounded = Math.clamp(wanted, Contender.BATCH, Math.min(most, 8.0 * counts[index]));
        counts[index] = (int) bounded / Contender.BATCH * Contender.BATCH;
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
        if (isCall(contender)) {
            results.add(figure(contender), (double) took / count);
            return;
        }
        for (Placement placement : placements(before, after)) {
            // Of the other JVM's trials, where round trips stand beside it.
            if (!chronicle) {
                results.add("core_to_core.limit", placement, (before + after) / 2);
            }
            if (isTrips(contender)) {
                results.add(figure(contender), placement, p50);
                results.add(contender.row() + "." + contender.name() + ".p99", placement, p99);
            } else {
                results.add(figure(contender), placement, count * 1e3 / took);
            }
        }
    }

    /** A quick try counts every trial as both, so that every figure is there; none means anything. */
    private List<Placement> placements(double before, double after) {
        return quick ? List.of(Placement.NEAR, Placement.FAR) : List.of(CoreToCore.placement(before, after));
    }
}
