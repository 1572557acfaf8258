package dev.lodestone;

import java.time.Duration;

/**
 * What a bulk load did.
 *
 * @param revision the revision that holds it
 * @param nodes nodes of the file; 0 for arcs given directly
 * @param arcs arcs set
 * @param edges edges in the graph now
 * @param elapsed how long it took
 * @param unitMm millimetres of one unit of weight; 0 for arcs given directly
 */
public record LoadReport(long revision, long nodes, long arcs, long edges, Duration elapsed, int unitMm) {}
