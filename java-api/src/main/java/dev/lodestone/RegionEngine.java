package dev.lodestone;

import dev.lodestone.internal.Region;
import dev.lodestone.internal.RollbackWindow;
import dev.lodestone.internal.Sleeper;
import java.time.Duration;

/** What both kinds of engine do in the same way: everything that goes through the shared region alone. */
abstract sealed class RegionEngine implements EngineView permits Engine, AttachedEngine {
    private static final long REVISION_NOW = -1;

    private final Region region;

    RegionEngine(Region region) {
        this.region = region;
    }

    final Region region() {
        return region;
    }

    /** How commands sleep and wake; one for each that is made. */
    abstract Sleeper sleeper();

    /** The hash recorded with a revision, which is not -1. */
    abstract StateHash hashOf(long revision);

    /** The newest revision of at least this age. */
    abstract long revisionBeforeMs(long ageMs);

    @Override
    public final long instance() {
        return region.generation();
    }

    @Override
    public final EngineState state() {
        return region.state();
    }

    @Override
    public final String poisonText() {
        return region.poisonText();
    }

    @Override
    public final long revision() {
        long revision = region.revision();
        region.requireOpen();
        return revision;
    }

    @Override
    public final Commit commit() {
        return region.commit();
    }

    @Override
    public final StateHash stateHash(long revision) {
        if (revision == REVISION_NOW) {
            throw RollbackWindow.refusal(region, revision);
        }
        return hashOf(revision);
    }

    @Override
    public final RollbackReport rollback(Duration age) {
        return rollback(revisionBefore(age));
    }

    @Override
    public final long revisionBefore(Duration age) {
        return revisionBeforeMs(RollbackWindow.ageMs(age));
    }

    @Override
    public final SlotReader slotReader() {
        region.requireOpen();
        return new SlotReader(region);
    }

    @Override
    public final EventReader events() {
        return EventReader.ofNext(region);
    }

    @Override
    public final EventReader events(long instance, long from) {
        return EventReader.from(region, instance, from);
    }

    @Override
    public final LogReader logs() {
        return LogReader.ofNext(region);
    }

    @Override
    public final LogReader logs(long instance, long from) {
        return LogReader.from(region, instance, from);
    }

    @Override
    public final Commands commands() {
        return commands(0);
    }

    @Override
    public final Commands commands(int tenant) {
        region.requireOpen();
        try {
            return new Commands(region, sleeper(), tenant);
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }
}
