package dev.lodestone;

import java.time.Instant;

/**
 * What the last commit published, all of it belonging to one revision.
 *
 * @param revision the revision
 * @param branch number of rollbacks before it
 * @param hash the hash of the state
 * @param edges edges in the graph
 * @param slotsUsed slots in use
 * @param oldestRevision oldest revision that a rollback can reach
 * @param time when it was committed, by the engine's clock
 * @param movesAccepted moves and releases accepted since the start
 */
public record Commit(long revision, long branch, StateHash hash, long edges, long slotsUsed, long oldestRevision,
        Instant time, long movesAccepted) {}
