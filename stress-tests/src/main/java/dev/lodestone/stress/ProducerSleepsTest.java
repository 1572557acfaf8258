package dev.lodestone.stress;

import dev.lodestone.internal.BridgeLayout;
import dev.lodestone.internal.StressSteps;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** A producer that is about to sleep while its command is decided: it sees that, or is woken. */
@JCStressTest
@Outcome(id = {"0, 0", "0, 1", "1, 1"}, expect = Expect.ACCEPTABLE, desc = "whole, and in order")
@State
public class ProducerSleepsTest {
    private final Stage stage = Stage.next();

    /**
     * Decides, and wakes the producer if need be.
     *
     * @param result what was seen
     */
    @Actor
    public void engine(II_Result result) {
        Steps.acknowledge(stage, stage.round);
        result.r2 = Steps.ring(stage.entry(BridgeLayout.PRODUCER_BELL));
    }

    /**
     * 1: it would sleep.
     *
     * @param result what was seen
     */
    @Actor
    public void producer(II_Result result) {
        StressSteps.sleepUnlessDecided(stage.producers[0], stage.round);
        result.r1 = stage.slept;
    }
}
