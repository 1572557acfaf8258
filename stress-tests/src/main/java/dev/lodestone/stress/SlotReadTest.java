package dev.lodestone.stress;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/** A slot that is read while the engine changes it twice. */
@JCStressTest
@Outcome(id = {"0, 0, 0", "1, 1, 1", "2, 2, 2"}, expect = Expect.ACCEPTABLE, desc = "whole, and in order")
@State
public class SlotReadTest {
    private final Stage stage = Stage.next();

    /** Two changes. */
    @Actor
    public void engine() {
        Steps.changeSlot(stage, 1);
        Steps.changeSlot(stage, 2);
    }

    /**
     * One look at the first, a middle and the last word.
     *
     * @param result what was seen
     */
    @Actor
    public void reader(III_Result result) {
        stage.slots.read(0);
        result.r1 = (int) stage.slots.version();
        result.r2 = (int) stage.slots.payloadLong(0);
        result.r3 = (int) stage.slots.payloadLong(224);
    }
}
