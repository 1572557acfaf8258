package dev.lodestone;

import java.time.Duration;

/**
 * What a rollback did.
 *
 * @param fromRevision the revision before
 * @param toRevision the revision now
 * @param revisions how many revisions were undone
 * @param records how many before-images were put back
 * @param elapsed how long the engine worked on it
 * @param hash the hash of the state now
 * @param branch the branch now
 * @param edges edges in the graph now
 * @param withinSla whether it took no longer than {@code rollback.sla_ms}
 */
public record RollbackReport(long fromRevision, long toRevision, long revisions, long records, Duration elapsed,
        StateHash hash, long branch, long edges, boolean withinSla) {}
