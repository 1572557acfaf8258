package dev.lodestone.stress;

import dev.lodestone.internal.BridgeLayout;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** A refusal that is read while it is written over is the old one whole, or the new one whole. */
@JCStressTest
@Outcome(id = {"0, 0", "1, 1"}, expect = Expect.ACCEPTABLE, desc = "whole, and in order")
@State
public class RefusalOvertakenTest {
    private final Stage stage = Stage.next();

    /** As many refusals as fit, and one more. */
    @Actor
    public void engine() {
        for (int refusal = 0; refusal <= BridgeLayout.REJECTIONS_MAX; refusal++) {
            Steps.reject(stage, stage.round << 8 | refusal);
        }
    }

    /**
     * One of them.
     *
     * @param result what was seen
     */
    @Actor
    public void producer(II_Result result) {
        if (stage.producers[0].nextRejection(stage.refusal)) {
            result.r1 = 1;
            result.r2 = stage.refusal[0] == stage.refusal[1] && stage.refusal[0] >>> 8 == stage.round ? 1 : -1;
        }
    }
}
