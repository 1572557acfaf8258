package dev.lodestone.examples.hunt;

import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** What the load generator says on one line of its output. */
sealed interface LoadEvent {
    /**
     * Connections are being opened.
     *
     * @param done open now
     * @param total wanted
     */
    record Connecting(long done, long total) implements LoadEvent {}

    /**
     * A second has passed.
     *
     * @param second seconds since the start
     * @param movesSent so far
     * @param movesAcked so far
     * @param movesRejected so far
     * @param p50Micros of this second
     * @param p99Micros of this second
     */
    record Tick(long second, long movesSent, long movesAcked, long movesRejected, double p50Micros, double p99Micros)
            implements LoadEvent {}

    /**
     * The run is over.
     *
     * @param connections opened
     * @param movesSent in all
     * @param movesAcked in all, without the rejected ones
     * @param movesRejected in all
     * @param rejectedByStatus the rejected ones by status
     * @param endToEnd from the instant a move was due to its acknowledgement, microseconds
     * @param handshake to open a connection, microseconds
     */
    record Done(long connections, long movesSent, long movesAcked, long movesRejected, Map<String, Long> rejectedByStatus,
            Percentiles endToEnd, Percentiles handshake) implements LoadEvent {}

    /**
     * Reads a line.
     *
     * @param line one line of the load generator's output
     * @return what it says; empty for an event of a later version
     * @throws JsonException when the line is not what it should be
     */
    static Optional<LoadEvent> parse(String line) throws JsonException {
        JsonObject object = JsonParser.parse(line);
        return switch (object.text("event")) {
            case "connecting" -> Optional.of(new Connecting(object.number("done"), object.number("total")));
            case "tick" -> Optional.of(new Tick(object.number("second"), object.number("moves_sent"),
                    object.number("moves_acked"), object.number("moves_rejected"),
                    object.decimal("p50_us"), object.decimal("p99_us")));
            case "done" -> Optional.of(done(object));
            default -> Optional.empty();
        };
    }

    private static Done done(JsonObject object) throws JsonException {
        JsonObject rejected = object.object("rejected_by_status");
        Map<String, Long> byStatus = new TreeMap<>();
        for (String status : rejected.names()) {
            byStatus.put(status, rejected.number(status));
        }
        return new Done(object.number("connections"), object.number("moves_sent"), object.number("moves_acked"),
                object.number("moves_rejected"), byStatus, Percentiles.of(object.object("end_to_end_us")),
                Percentiles.of(object.object("handshake_us")));
    }
}
