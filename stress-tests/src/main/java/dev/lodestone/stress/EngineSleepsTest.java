package dev.lodestone.stress;

import dev.lodestone.internal.BridgeLayout;
import dev.lodestone.internal.Words;
import java.lang.invoke.VarHandle;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** An engine that is about to sleep while a command is sent: it sees the command, or is woken. */
@JCStressTest
@Outcome(id = {"0, 1", "1, 0", "1, 1"}, expect = Expect.ACCEPTABLE, desc = "whole, and in order")
@State
public class EngineSleepsTest {
    private final Stage stage = Stage.next();

    /**
     * Announces its sleep and looks once more: 0, it would sleep.
     *
     * @param result what was seen
     */
    @Actor
    public void engine(II_Result result) {
        Words.putOpaqueInt(stage.region.bell(), BridgeLayout.BELL_ASLEEP);
        VarHandle.fullFence();
        result.r1 = stage.laneEnd.hasSome() ? 1 : 0;
    }

    /**
     * Sends, and wakes the engine if need be.
     *
     * @param result what was seen
     */
    @Actor
    public void producer(II_Result result) {
        Steps.send(stage.rings[0], 1, stage.round);
        result.r2 = stage.woken;
    }
}
