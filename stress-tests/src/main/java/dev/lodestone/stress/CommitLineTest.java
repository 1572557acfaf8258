package dev.lodestone.stress;

import dev.lodestone.Commit;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/** The commit line, read while it changes twice. */
@JCStressTest
@Outcome(id = {"0, 0, 0", "1, 1, 1", "2, 2, 2"}, expect = Expect.ACCEPTABLE, desc = "whole, and in order")
@State
public class CommitLineTest {
    private final Stage stage = Stage.next();

    /** Two commits. */
    @Actor
    public void engine() {
        Steps.commit(stage, 1);
        Steps.commit(stage, 2);
    }

    /**
     * One look.
     *
     * @param result what was seen
     */
    @Actor
    public void reader(III_Result result) {
        Commit commit = stage.region.commit();
        result.r1 = (int) commit.revision();
        result.r2 = (int) commit.edges();
        result.r3 = (int) commit.movesAccepted();
    }
}
