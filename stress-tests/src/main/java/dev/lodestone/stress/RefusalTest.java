package dev.lodestone.stress;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** A refusal is there, whole, once the command is said to be decided. */
@JCStressTest
@Outcome(id = {"0, 0", "0, 1", "1, 1"}, expect = Expect.ACCEPTABLE, desc = "whole, and in order")
@State
public class RefusalTest {
    private final Stage stage = Stage.next();

    /** Refuses, then says that it is decided. */
    @Actor
    public void engine() {
        Steps.reject(stage, stage.round);
        Steps.acknowledge(stage, stage.round);
    }

    /**
     * Decided, then the refusal.
     *
     * @param result what was seen
     */
    @Actor
    public void producer(II_Result result) {
        result.r1 = stage.producers[0].decided() == stage.round ? 1 : 0;
        if (stage.producers[0].nextRejection(stage.refusal)) {
            result.r2 = stage.refusal[0] == stage.round && stage.refusal[1] == stage.round ? 1 : -1;
        }
    }
}
