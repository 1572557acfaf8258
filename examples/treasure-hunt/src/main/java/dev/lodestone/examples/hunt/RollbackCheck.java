package dev.lodestone.examples.hunt;

import dev.lodestone.Commit;
import dev.lodestone.Engine;
import dev.lodestone.RollbackReport;
import dev.lodestone.StateHash;
import java.time.Duration;
import java.time.Instant;

/** Takes the last seconds of the hunt back and compares the state's hash with the one recorded back then. */
final class RollbackCheck {
    private RollbackCheck() {}

    /**
     * Goes back.
     *
     * @param engine the engine, at rest
     * @param history how far, counted from the last commit
     * @return what happened
     */
    static Result run(Engine engine, Duration history) {
        Commit last = engine.commit();
        Duration sinceLast = Duration.between(last.time(), Instant.now());
        long wanted = engine.revisionBefore(history.plus(sinceLast.isNegative() ? Duration.ZERO : sinceLast));
        long target = Math.max(wanted, last.oldestRevision());
        StateHash recorded = engine.stateHash(target);
        RollbackReport report = engine.rollback(target);
        return new Result(report, target > wanted, recorded, engine.stateHash(), engine.verifyHash());
    }

    /**
     * What happened.
     *
     * @param report what the engine says
     * @param shortened whether the rollback window did not reach as far back as wanted
     * @param recorded hash recorded when that revision was committed
     * @param now hash after the rollback
     * @param recomputed hash computed from scratch over the state after the rollback
     */
    record Result(RollbackReport report, boolean shortened, StateHash recorded, StateHash now, StateHash recomputed) {
        boolean hashEqual() {
            return recorded.equals(now) && recorded.equals(recomputed) && recorded.equals(report.hash());
        }

        double millis() {
            return report.elapsed().toNanos() / 1e6;
        }
    }
}
