package dev.lodestone.stress;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** A word of the acknowledgement line is never older than what was seen to be decided before. */
@JCStressTest
@Outcome(id = {"0, 0", "0, 1", "1, 1"}, expect = Expect.ACCEPTABLE, desc = "whole, and in order")
@State
public class AnswerTest {
    private final Stage stage = Stage.next();

    /** Says that it is decided. */
    @Actor
    public void engine() {
        Steps.acknowledge(stage, stage.round);
    }

    /**
     * Decided, then the number of those accepted.
     *
     * @param result what was seen
     */
    @Actor
    public void producer(II_Result result) {
        result.r1 = stage.producers[0].decided() == stage.round ? 1 : 0;
        result.r2 = stage.producers[0].answer(3) == stage.round ? 1 : 0;
    }
}
