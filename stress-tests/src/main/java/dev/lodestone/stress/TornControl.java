package dev.lodestone.stress;

import dev.lodestone.internal.Words;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Proves that the run could see a torn slot: it reads one without looking at the sequence. */
@JCStressTest
@Outcome(id = {"0, 0", "1, 1", "2, 2"}, expect = Expect.ACCEPTABLE, desc = "whole, and in order")
@Outcome(expect = Expect.ACCEPTABLE_INTERESTING, desc = "what the product rules out")
@State
public class TornControl {
    private final Stage stage = Stage.next();

    /** Two changes. */
    @Actor
    public void engine() {
        Steps.changeSlot(stage, 1);
        Steps.changeSlot(stage, 2);
    }

    /**
     * The first and the last word.
     *
     * @param result what was seen
     */
    @Actor
    public void reader(II_Result result) {
        result.r1 = (int) Words.opaque(stage.region.slots());
        result.r2 = (int) Words.opaque(stage.region.slots() + 248);
    }
}
