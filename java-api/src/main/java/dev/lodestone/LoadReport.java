package dev.lodestone;

import java.time.Duration;

/**
 * What a bulk load did.
 *
 * @param revision the revision that holds it
 * @param nodes nodes of the file; 0 where the source does not tell them
 * @param arcs arcs set
 * @param edges edges in the graph now
 * @param elapsed how long it took
 * @param unitMm millimetres of one unit of weight; 0 where the source does not tell it
 * @param complete false when {@link LoadProgress} ended it early
 */
public record LoadReport(
        long revision, long nodes, long arcs, long edges, Duration elapsed, int unitMm, boolean complete) {}
