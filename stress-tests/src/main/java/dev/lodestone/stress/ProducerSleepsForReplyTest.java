package dev.lodestone.stress;

import dev.lodestone.internal.BridgeLayout;
import dev.lodestone.internal.StressSleeps;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** A producer that is about to sleep while its call is replied to: it sees that, or is woken. */
@JCStressTest
@Outcome(id = {"0, 0", "0, 1", "1, 1"}, expect = Expect.ACCEPTABLE, desc = "seen in time, or woken")
@State
public class ProducerSleepsForReplyTest {
    private final Stage stage = Stage.next();

    /**
     * Replies, and wakes the producer if need be.
     *
     * @param result whether the producer was woken
     */
    @Actor
    public void engine(II_Result result) {
        Steps.reply(stage, stage.round);
        result.r2 = Steps.ring(stage) ? 1 : 0;
    }

    /**
     * Waits for it.
     *
     * @param result whether it fell asleep
     */
    @Actor
    public void producer(II_Result result) {
        try {
            StressSleeps.unlessReplied(stage.producers[0], stage.reply(), stage.round, BridgeLayout.SLEEP_NS_MAX);
        } catch (Stage.Asleep asleep) {
            result.r1 = 1;
        }
    }
}
