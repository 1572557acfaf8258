package dev.lodestone.benchmarks.rings;

import dev.lodestone.internal.NativeLibrary;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Which contenders stand in which row, and how one of them is made. */
final class Rows {
    /** Calls of C: rows without another core. */
    static final String CALLS = "downcall";
    private static final String TRIPS = "_trip";

    private Rows() {}

    /**
     * A contender of a row.
     *
     * @param row the row
     * @param name who it is
     */
    record Seat(String row, String name) {
        String figure() {
            return row + "." + name;
        }

        boolean isCall() {
            return row.equals(CALLS);
        }

        boolean isTrips() {
            return row.endsWith(TRIPS);
        }

        /** Whether how long a trial takes is given by a schedule. */
        boolean isPaced() {
            return row.startsWith("paced");
        }
    }

    private static List<Seat> seats(String row, String... names) {
        List<Seat> seats = new ArrayList<>();
        for (String name : names) {
            seats.add(new Seat(row, name));
        }
        return seats;
    }

    /** All rows, each with ours, its limit where there is one, and its peers. */
    static List<List<Seat>> all() {
        String[] many = {"ours", "agrona_many_to_one", "aeron_concurrent", "disruptor_multi", "jctools_mpsc",
            "array_blocking_queue", "linked_blocking_queue"};
        return List.of(
                seats("spsc_32", "ours", "limit_stream", "disruptor_single", "agrona_one_to_one", "aeron_exclusive",
                        "jctools_spsc"),
                seats("spsc_move", "ours"),
                seats("mpsc_32", with("limit_compare_and_set", many)),
                seats("mpsc_64", many),
                seats("mpsc_batch", "ours", "limit_stream", "disruptor_multi", "jctools_mpsc"),
                seats("round_trip", "ours", "agrona_one_to_one", "aeron_exclusive", "disruptor_single", "jctools_spsc"),
                seats("parked_trip", "ours", "limit_futex", "limit_eventfd", "array_blocking_queue"),
                seats("events_32", "ours", "agrona_one_to_one"),
                seats("paced_trip", "ours"),
                seats("paced_rests_trip", "ours"),
                seats("paced_parked_trip", "ours", "limit_futex"),
                seats(CALLS, "plain", "critical", "wake_plain", "wake_critical"));
    }

    private static String[] with(String name, String... names) {
        List<String> all = new ArrayList<>(List.of(names));
        all.add(1, name);
        return all.toArray(String[]::new);
    }

    /** Chronicle Queue and our ring: it needs flags that would be everybody's. */
    static List<List<Seat>> chronicle() {
        return List.of(seats("chronicle_32", "ours", "chronicle_queue"), seats("chronicle_64", "ours", "chronicle_queue"));
    }

    /**
     * Makes a contender.
     *
     * @param seat which
     * @param partner the thread on the other core
     * @param program path of lodestone-bench
     * @param folder a folder in memory
     * @return the contender
     * @throws IOException when its other process does not start
     */
    static Contender make(Seat seat, Partner partner, String program, String folder) throws IOException {
        boolean wide = seat.row.endsWith("_64");
        boolean many = seat.row.startsWith("mpsc");
        boolean batches = seat.row.endsWith("_batch");
        return switch (seat.name) {
            case "ours" -> ours(seat, wide, batches, program, folder);
            case "limit_stream", "limit_compare_and_set" -> new PlainStream(program, folder, seat, batches);
            case "limit_futex", "limit_eventfd" -> new BareWakes(program, folder, seat);
            case "agrona_many_to_one", "agrona_one_to_one" -> seat.isTrips() ? new AgronaPeers.RoundTrips(partner)
                    : new AgronaPeers.Stream(partner, seat.row, many, wide);
            case "aeron_exclusive", "aeron_concurrent" -> aeron(seat, partner, many, wide);
            case "disruptor_single", "disruptor_multi" -> seat.isTrips() ? new DisruptorPeers.RoundTrips(partner)
                    : new DisruptorPeers.Stream(partner, seat.row, many, wide, batches);
            case "jctools_spsc", "jctools_mpsc" -> seat.isTrips() ? new QueuePeers.JctoolsTrips(partner)
                    : new QueuePeers.Jctools(partner, seat.row, many, wide, batches);
            case "array_blocking_queue" -> seat.isTrips() ? new QueuePeers.JdkTrips(partner)
                    : new QueuePeers.Jdk(partner, seat.row, true, wide);
            case "linked_blocking_queue" -> new QueuePeers.Jdk(partner, seat.row, false, wide);
            case "chronicle_queue" -> new ChroniclePeers(partner, seat.row, wide, Path.of(folder));
            default -> Calls.of(seat.name);
        };
    }

    private static Contender aeron(Seat seat, Partner partner, boolean many, boolean wide) {
        AeronPeers aeron = new AeronPeers();
        return seat.isTrips() ? aeron.new RoundTrips(partner) : aeron.new Stream(partner, seat.row, !many, wide);
    }

    private static Contender ours(Seat seat, boolean wide, boolean batches, String program, String folder) throws IOException {
        NativeLibrary.require();
        if (seat.row.startsWith("events")) {
            return new OwnEvents(program, folder);
        }
        OwnTaker taker = new OwnTaker(program, folder);
        return switch (seat.row) {
            case "spsc_move" -> new OwnMoves(taker);
            case "round_trip" -> new OwnRings.RoundTrips(taker, false);
            case "parked_trip" -> new OwnRings.RoundTrips(taker, true);
            case "paced_trip" -> new PacedCommands(taker, PacedCommands.Idle.TRIPS);
            case "paced_rests_trip" -> new PacedCommands(taker, PacedCommands.Idle.RESTS);
            case "paced_parked_trip" -> new PacedCommands(taker, PacedCommands.Idle.PARKED);
            default -> new OwnRings.Stream(taker, seat.row, wide, batches, seat.row.startsWith("spsc"));
        };
    }
}
