package dev.lodestone.benchmarks.rings;

import dev.lodestone.benchmarks.rings.CoreToCore.Placement;
import dev.lodestone.benchmarks.rings.Rows.Seat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Lanes, ring and events beside the queues that a Java team would take and beside what the machine allows, record for record
 * and batch for batch; and what the bridge adds to a command at a fixed rate.
 *
 * <p>One thread sends on core 0, one takes on core 1; both are pinned, and the clock starts once the taker runs. Everything
 * written is read and added up, and a trial whose sum is wrong ends the run. Each contender has a {@linkplain Fork JVM of its
 * own}, and a new one in each pass. Row by row, all contenders of the row take turns, a trial each. Virtual cores move: before
 * and after each trial a cache line goes to and fro for 2.5 ms, and the trial counts as near (below 220 ns), as far (above
 * 300 ns), or not at all. Trials take about 4 ms; how many records that are is found in rounds before, which are not kept.
 *
 * <p>Ours goes to another process through a file in shared memory; the peers stay in one JVM, which spares them nothing but
 * the mapping. Limits are what is left of a row when the queue is taken away ({@link PlainStream}, {@link BareWakes}).
 * Left out: more than one sender at a time, for which a machine with two cores has no room, and what the engine does with a
 * command. Peers run without checks of bounds, ours has none to leave out. An event is a cell of 64 bytes of which 32 are read.
 */
public final class RingBenchmark {
    private static final int ROUNDS_OF_PASS = 14;
    private static final int NEAR_TRIALS_WANTED = 40;
    /** Short, for everybody: a long trial nearly always meets a moment in which the host takes a processor away. */
    private static final long TRIAL_NS = 4_000_000;
    private static final long WARM_UP_NS = 400_000_000;
    private static final int QUICK_ROUNDS = 2;
    private static final long QUICK_TRIAL_NS = 1_000_000;
    /** Longer than the time given: something hangs. */
    private static final long GRACE_MS = 60_000;

    private final Results results = new Results();
    private final boolean quick;
    private final String[] forkArguments;
    private final long endNs;
    private int rounds;

    private RingBenchmark(String program, String folder, long seconds, boolean quick) {
        this.quick = quick;
        this.endNs = System.nanoTime() + seconds * 1_000_000_000L;
        this.forkArguments = new String[] {program, folder, Long.toString(TRIAL_NS), Long.toString(WARM_UP_NS),
            Long.toString(seconds * 1_000 + GRACE_MS)};
    }

    /**
     * Measures, and writes the raw results.
     *
     * @param arguments the file to write, path of lodestone-bench, a folder in memory, seconds after which no row is begun
     *     that was there; then --quick, --chronicle or nothing, and the begins of the figures wanted
     *     ({@code spsc_32.ours mpsc_32}), all of them when there are none
     * @throws IOException when the file cannot be written, or a contender does not start or fails
     */
    public static void main(String[] arguments) throws IOException {
        String option = arguments.length > 4 && arguments[4].startsWith("--") ? arguments[4] : "";
        List<String> wanted = Arrays.asList(arguments).subList(option.isEmpty() ? 4 : 5, arguments.length);
        List<List<Seat>> rows = wanted(option.equals("--chronicle") ? Rows.chronicle() : Rows.all(), wanted);
        RingBenchmark benchmark =
                new RingBenchmark(arguments[1], arguments[2], Long.parseLong(arguments[3]), option.equals("--quick"));
        benchmark.measure(rows, Path.of(arguments[0]));
    }

    private static List<List<Seat>> wanted(List<List<Seat>> rows, List<String> wanted) {
        List<List<Seat>> kept = new ArrayList<>();
        for (List<Seat> row : rows) {
            List<Seat> seats = row.stream()
                    .filter(seat -> wanted.isEmpty() || wanted.stream().anyMatch(seat.figure()::startsWith)).toList();
            if (!seats.isEmpty()) {
                kept.add(seats);
            }
        }
        return kept;
    }

    /** Passes until there is enough or the time is over; each row is there once. What there is by then is always in the file. */
    private void measure(List<List<Seat>> rows, Path file) throws IOException {
        boolean more = true;
        for (int pass = 0; more; pass++) {
            more = false;
            for (List<Seat> row : rows) {
                if (pass == 0 || !isEnough(row) && System.nanoTime() < endNs) {
                    pass(row);
                    Files.writeString(file, results.toJson());
                    more = !quick;
                }
            }
        }
        System.out.printf("%d rounds of %d rows, %d values dropped: cores moved%n", rounds, rows.size(), results.mixed());
    }

    private void pass(List<Seat> row) throws IOException {
        List<ForkedSeat> seats = new ArrayList<>();
        try {
            for (Seat seat : row) {
                seats.add(quick ? local(seat) : new ForkedSeat(seat, forkArguments));
            }
            for (int round = 0; round < (quick ? QUICK_ROUNDS : ROUNDS_OF_PASS); round++) {
                // Another one begins each round, so that what a round's first trial suffers is not always the same one's.
                for (int step = 0; step < seats.size(); step++) {
                    seats.get((round + step) % seats.size()).trial(results);
                }
                rounds++;
            }
        } finally {
            seats.forEach(ForkedSeat::close);
        }
    }

    private ForkedSeat local(Seat seat) throws IOException {
        Cores.pin(Cores.SENDER);
        Fork fork = new Fork(seat, forkArguments[0], forkArguments[1], QUICK_TRIAL_NS);
        fork.warmUp(0);
        return new ForkedSeat(seat, fork);
    }

    private boolean isEnough(List<Seat> row) {
        return row.stream().allMatch(seat -> seat.isCall()
                || results.count(seat.figure() + (seat.isTrips() ? ".p50" : ""), Placement.NEAR) >= NEAR_TRIALS_WANTED);
    }
}
