package dev.lodestone.examples.hunt;

import java.util.ArrayList;
import java.util.List;

/**
 * Everything that this run measured.
 *
 * @param options what was asked for
 * @param client what the client measured
 * @param clientStatus the client's exit status
 * @param queue a batch entered the channel until the engine took it
 * @param engine the engine took a batch until its revision was published
 * @param rollback the rollback
 * @param rssStartBytes resident memory before the hunt
 * @param rssEndBytes resident memory after it
 * @param pauses the garbage collector's pauses
 * @param reads what reading slots cost
 * @param nodes nodes of the road graph
 * @param edges edges of the engine's graph before the hunt
 * @param journeys routes
 */
record RunReport(HuntOptions options, LoadEvent.Done client, int clientStatus, Percentiles queue, Percentiles engine,
        RollbackCheck.Result rollback, long rssStartBytes, long rssEndBytes, GcWatch.Pauses pauses,
        HunterWatch.ReadCost reads, long nodes, long edges, List<RouteSurvey.Journey> journeys) {

    /** Answers later than this mean that moves waited for a processor, microseconds. */
    private static final double END_TO_END_KEPT_MICROS = 100_000;

    /** What keeps this run from having gone well; empty when all went well. */
    List<String> problems() {
        List<String> problems = new ArrayList<>();
        if (clientStatus != 0) {
            problems.add("the load generator " + LoadGenerator.ending(clientStatus));
        }
        if (client.movesAcked() != client.movesSent() - client.movesRejected()) {
            problems.add(Console.text("%,d moves were sent, but %,d acknowledged and %,d rejected", client.movesSent(),
                    client.movesAcked(), client.movesRejected()));
        }
        if (!rollback.hashEqual()) {
            problems.add("after the rollback the state is not the one of that revision: the hashes differ");
        }
        if (reads.bytesPerRead() != 0) {
            problems.add(Console.text("reading a slot allocated: %.6f bytes a read, over %,d reads", reads.bytesPerRead(),
                    reads.readsMeasured()));
        }
        for (RouteSurvey.Journey journey : journeys) {
            if (!journey.found()) {
                problems.add("no route from " + journey.from() + " to " + journey.to());
            }
        }
        return problems;
    }

    /** What makes the figures say less than they seem to; no reason to fail. */
    List<String> caveats() {
        double endToEnd = client.endToEnd().p99();
        return endToEnd <= END_TO_END_KEPT_MICROS
                ? List.of()
                : List.of(Console.text("the schedule was not kept: this machine's cores were saturated. One move in a hundred was"
                        + " answered more than %,.0f ms after it was due; a lower --rate shows what the engine takes.",
                        endToEnd / 1000));
    }

    /** The file {@code report.json}. */
    String json() {
        JsonWriter out = new JsonWriter();
        out.add("connections", client.connections());
        out.add("moves_sent", client.movesSent());
        out.add("moves_acked", client.movesAcked());
        out.add("moves_rejected", client.movesRejected());
        out.add("end_to_end_us", client.endToEnd().write(out.inner()));
        out.add("queue_us", queue.write(out.inner()));
        out.add("engine_us", engine.write(out.inner()));
        out.add("rollback_ms", rollback.millis(), 3);
        out.add("rollback_revisions", rollback.report().revisions());
        out.add("rollback_hash_equal", rollback.hashEqual());
        out.add("rss_start_bytes", rssStartBytes);
        out.add("rss_end_bytes", rssEndBytes);
        out.add("gc_pause_max_ms", pauses.maxMillis());
        out.add("java_bytes_per_read", reads.bytesPerRead(), 6);
        out.add("nodes", nodes);
        out.add("edges", edges);
        out.add("routes", journeys.stream().map(journey -> journey.write(out.inner())).toList());
        return out + "\n";
    }
}
