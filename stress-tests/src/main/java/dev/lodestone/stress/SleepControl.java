package dev.lodestone.stress;

import dev.lodestone.internal.BridgeLayout;
import dev.lodestone.internal.Words;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Proves that the run could see a lost wake-up: neither side has a fence. */
@JCStressTest
@Outcome(id = {"0, 1", "1, 0", "1, 1"}, expect = Expect.ACCEPTABLE, desc = "whole, and in order")
@Outcome(expect = Expect.ACCEPTABLE_INTERESTING, desc = "what the product rules out")
@State
public class SleepControl {
    private final Stage stage = Stage.next();

    /**
     * Announces its sleep and looks once more.
     *
     * @param result what was seen
     */
    @Actor
    public void engine(II_Result result) {
        Words.putOpaqueInt(stage.region.bell(), BridgeLayout.BELL_ASLEEP);
        result.r1 = Words.opaque(stage.commitWord(1)) != 0 ? 1 : 0;
    }

    /**
     * Publishes and looks at the bell.
     *
     * @param result what was seen
     */
    @Actor
    public void producer(II_Result result) {
        Words.putOpaque(stage.commitWord(1), 1);
        result.r2 = Words.opaqueInt(stage.region.bell()) == BridgeLayout.BELL_ASLEEP ? 1 : 0;
    }
}
