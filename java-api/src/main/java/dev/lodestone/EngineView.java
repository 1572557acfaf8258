package dev.lodestone;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * What any engine shows and does, whichever process it lives in: an {@link Engine} of this one, or an {@link AttachedEngine} of
 * another. What shows something is read from shared memory, without a call. Any thread.
 */
public sealed interface EngineView extends AutoCloseable permits RegionEngine {
    /**
     * The number of this engine, which no other engine of this machine has had: it tells one engine from its successor after
     * a restart.
     *
     * @return a number other than 0
     */
    long instance();

    /**
     * What the engine is doing.
     *
     * @return the state, {@link EngineState#CLOSED} after the close
     */
    EngineState state();

    /**
     * Why the engine failed.
     *
     * @return the text, empty when it did not fail
     */
    String poisonText();

    /**
     * The file of the shared region, through which other processes see this engine.
     *
     * @return the file, empty with {@code runtime.shared_region: anonymous}
     */
    Optional<Path> regionPath();

    /**
     * The present revision.
     *
     * @return the revision
     * @throws EngineClosedException when the engine is closed
     */
    long revision();

    /**
     * The last commit, all of it of one revision.
     *
     * @return the commit
     * @throws EngineClosedException when the engine is closed
     */
    Commit commit();

    /**
     * How many rollbacks lie before the present revision.
     *
     * @return the branch
     * @throws EngineClosedException when the engine is closed
     */
    default long branch() {
        return commit().branch();
    }

    /**
     * The hash of the present state.
     *
     * @return the hash
     * @throws EngineClosedException when the engine is closed
     */
    default StateHash stateHash() {
        return commit().hash();
    }

    /**
     * The hash recorded with a revision.
     *
     * @param revision a revision in the rollback window
     * @return the hash
     * @throws RollbackException when the revision is not in the window
     */
    StateHash stateHash(long revision);

    /**
     * Goes back to a revision: every later move is undone, connected clients are told.
     *
     * @param revision a revision in the rollback window
     * @return what was done
     * @throws RollbackException when the revision is not in the window; nothing is changed then
     * @throws EnginePoisonedException when the state is found damaged, by what is counted always or, with
     *     {@code rollback.verify}, by a hash of the whole state: it is never gone on with
     */
    RollbackReport rollback(long revision);

    /**
     * Goes back in time, as {@link #rollback(long)} to {@link #revisionBefore(Duration)}: what was committed less than this
     * long ago is undone.
     *
     * @param age how far
     * @return what was done
     * @throws IllegalArgumentException when the age is negative
     */
    RollbackReport rollback(Duration age);

    /**
     * The newest revision in the rollback window that is at least this old.
     *
     * @param age how old
     * @return the revision; the oldest in the window when none is old enough
     * @throws IllegalArgumentException when the age is negative
     */
    long revisionBefore(Duration age);

    /**
     * The graph.
     *
     * @return always the same object
     */
    GraphView graph();

    /**
     * Makes commands: moves and releases through shared memory, without a call and without waiting.
     *
     * @return commands for one thread; close them
     * @throws EngineException when all 64 producers are taken, or the engine was attached to for reading only
     *     ({@link Status#READ_ONLY})
     */
    Commands commands();

    /**
     * Makes commands whose moves count on the quota of a tenant.
     *
     * @param tenant the tenant, unsigned; 0 for none in particular
     * @return commands for one thread; close them
     * @throws EngineException as {@link #commands()}
     */
    Commands commands(int tenant);

    /**
     * Makes a reader of slots.
     *
     * @return a reader for one thread
     * @throws EngineClosedException when the engine is closed
     */
    SlotReader slotReader();

    /**
     * Makes a reader of events, beginning with the next one.
     *
     * @return a reader for one thread
     * @throws EngineClosedException when the engine is closed
     */
    EventReader events();

    /**
     * Makes a reader of events that goes on where an earlier one was, perhaps in a process that has ended. What the ring no
     * longer holds is counted as {@linkplain EventReader#missed() missed}.
     *
     * @param instance the {@link #instance()} of the engine that the earlier reader read
     * @param from the earlier reader's {@link EventReader#position()}; 0 begins with the engine's first event
     * @return a reader for one thread
     * @throws EngineGoneException when this is another engine: it was restarted, and its events began anew
     * @throws IllegalArgumentException when the engine has not come to this position
     * @throws EngineClosedException when the engine is closed
     */
    EventReader events(long instance, long from);

    /**
     * Makes a reader of events that goes on at a position of this same engine.
     *
     * @param from the position, 0 for the first event
     * @return a reader for one thread
     * @throws IllegalArgumentException when the engine has not come to this position
     * @throws EngineClosedException when the engine is closed
     */
    default EventReader events(long from) {
        return events(instance(), from);
    }

    /**
     * Makes a reader of log records, beginning with the next one.
     *
     * @return a reader for one thread
     * @throws EngineClosedException when the engine is closed
     */
    LogReader logs();

    /**
     * Makes a reader of log records that goes on where an earlier one was, perhaps in a process that has ended. What the ring no
     * longer holds is counted as {@linkplain LogReader#missed() missed}.
     *
     * @param instance the {@link #instance()} of the engine that the earlier reader read
     * @param from the earlier reader's {@link LogReader#position()}; 0 begins with the engine's first record
     * @return a reader for one thread
     * @throws EngineGoneException when this is another engine: it was restarted, and its log began anew
     * @throws IllegalArgumentException when the engine has not come to this position
     * @throws EngineClosedException when the engine is closed
     */
    LogReader logs(long instance, long from);

    /**
     * Makes a reader of log records that goes on at a position of this same engine.
     *
     * @param from the position, 0 for the first record
     * @return a reader for one thread
     * @throws IllegalArgumentException when the engine has not come to this position
     * @throws EngineClosedException when the engine is closed
     */
    default LogReader logs(long from) {
        return logs(instance(), from);
    }

    /**
     * Counters and histograms.
     *
     * @return always the same object
     */
    EngineMetrics metrics();

    /** Closes it; a second close does nothing. */
    @Override
    void close();
}
