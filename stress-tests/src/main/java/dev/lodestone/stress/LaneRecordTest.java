package dev.lodestone.stress;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.I_Result;

/** A record of a lane, taken while it is sent. */
@JCStressTest
@Outcome(id = {"0", "1"}, expect = Expect.ACCEPTABLE, desc = "whole, and in order")
@State
public class LaneRecordTest {
    private final Stage stage = Stage.next();

    /** Sends it. */
    @Actor
    public void producer() {
        Steps.send(stage.rings[0], 1, stage.round);
    }

    /**
     * Takes what is there.
     *
     * @param result what was seen
     */
    @Actor
    public void engine(I_Result result) {
        result.r1 = stage.laneEnd.take(stage.round);
    }
}
