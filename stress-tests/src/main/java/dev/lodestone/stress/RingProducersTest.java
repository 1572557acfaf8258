package dev.lodestone.stress;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.I_Result;

/** Two producers that claim in the ring at once: each has cells of its own, and nothing is lost. */
@JCStressTest
@Outcome(id = {"5"}, expect = Expect.ACCEPTABLE, desc = "whole, and in order")
@State
public class RingProducersTest {
    private final Stage stage = Stage.next();

    /** Two records in one claim. */
    @Actor
    public void one() {
        Steps.send(stage.rings[1], 2, stage.round);
    }

    /** Three records in one claim. */
    @Actor
    public void other() {
        Steps.send(stage.rings[2], 3, stage.round);
    }

    /**
     * All of them, after both.
     *
     * @param result what was seen
     */
    @Arbiter
    public void engine(I_Result result) {
        result.r1 = stage.ringEnd.take(stage.round);
    }
}
