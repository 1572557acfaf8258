package dev.lodestone.benchmarks.rings;

import dev.lodestone.benchmarks.rings.Rows.Seat;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;

/**
 * A JVM of its own for one contender, so that what the just-in-time compiler saw of others is not in its code: it warms up, says
 * {@code ready}, and makes a trial for every line of its standard input. A trial is a line of numbers: round trip of a cache
 * line before and after it, nanoseconds, records, bytes that all threads of this JVM allocated, p50 and p99 of round trips.
 */
public final class Fork implements AutoCloseable {
    private static final int WARM_UP_ROUNDS_MIN = 12;
    private static final int WARM_UP_ROUNDS_QUICK = 2;
    private static final int WARM_UP_ROUNDS_MAX = 400;
    private static final int COUNT_START = 1_280;
    private static final int COUNT_MAX = 20_000_000;
    private static final double MIN_NS = 0.01;
    /** 50 ms of commands. */
    private static final int PACED_COUNT = 4_000;

    private final Partner partner = new Partner();
    private final CoreToCore coreToCore = new CoreToCore(partner);
    private final Seat seat;
    private final Contender contender;
    private final double trialNs;
    /** Nanoseconds a record in the last runs of the warming up. */
    private final double[] recent = {Double.MAX_VALUE, Double.MAX_VALUE, Double.MAX_VALUE, Double.MAX_VALUE};
    private int count;

    Fork(Seat seat, String program, String folder, double trialNs) throws IOException {
        this.seat = seat;
        this.trialNs = trialNs;
        this.contender = Rows.make(seat, partner, program, folder);
        this.count = seat.isPaced() ? PACED_COUNT : COUNT_START;
    }

    /**
     * Serves trials until standard input ends.
     *
     * @param arguments row, name, path of lodestone-bench, a folder in memory, nanoseconds of a trial, of the warming up, and
     *     milliseconds after which something must hang
     * @throws IOException when standard input cannot be read, or another process does not start
     */
    public static void main(String[] arguments) throws IOException {
        watch(Long.parseLong(arguments[6]));
        Cores.pin(Cores.SENDER);
        Fork fork = new Fork(new Seat(arguments[0], arguments[1]), arguments[2], arguments[3], Double.parseDouble(arguments[4]));
        fork.warmUp(Long.parseLong(arguments[5]));
        System.out.println("ready");
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        while (orders.readLine() != null) {
            System.out.println(fork.trial());
        }
        fork.close();
        // Threads of some peers would go on.
        System.exit(0);
    }

    private static void watch(long milliseconds) {
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

    /**
     * Runs until it is as fast as it gets.
     *
     * @param nanoseconds for how long at least; 0 only to find out how many records a trial has
     */
    void warmUp(long nanoseconds) {
        long begun = System.nanoTime();
        int least = nanoseconds == 0 ? WARM_UP_ROUNDS_QUICK : WARM_UP_ROUNDS_MIN;
        for (int round = 0; round < least || System.nanoTime() - begun < nanoseconds; round++) {
            if (round == WARM_UP_ROUNDS_MAX) {
                return;
            }
            recent[round % recent.length] = (double) contender.run(count) / count;
            coreToCore.roundTripNs();
            adapt();
        }
    }

    /** As many records as take the time of a trial, by the fastest of the last runs: in a slow one somebody else ran. */
    private void adapt() {
        if (!seat.isPaced()) {
            double fastest = Math.max(MIN_NS, Arrays.stream(recent).min().orElseThrow());
            // At most eightfold at once: the first trials run in the interpreter.
            double most = Math.min(seat.isTrips() ? Trips.MAX : COUNT_MAX, 8.0 * count);
            count = (int) Math.clamp(trialNs / fastest, Contender.BATCH, most) / Contender.BATCH * Contender.BATCH;
        }
    }

    /**
     * Makes a trial.
     *
     * @return its line
     */
    String trial() {
        double before = coreToCore.roundTripNs();
        long took = contender.run(count);
        long bytes = Clock.bytes();
        long p50 = 0;
        long p99 = 0;
        if (seat.isTrips()) {
            Trips.sort(count);
            p50 = Trips.percentile(count, 0.5);
            p99 = Trips.percentile(count, 0.99);
        }
        double after = coreToCore.roundTripNs();
        return String.format(Locale.ROOT, "%.1f %.1f %d %d %d %d %d", before, after, took, count, bytes, p50, p99);
    }

    @Override
    public void close() {
        contender.close();
    }
}
