package dev.lodestone.stress;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** An event that is polled while it is written, and written over a lap later. */
@JCStressTest
@Outcome(id = {"0, 0", "1, 1"}, expect = Expect.ACCEPTABLE, desc = "whole, and in order")
@State
public class EventPollTest {
    private final Stage stage = Stage.next();

    /** The event, then the one that takes its cell. */
    @Actor
    public void engine() {
        long position = stage.position;
        Steps.publish(stage, position, 2 * stage.round);
        Steps.publish(stage, position + Stage.EVENTS, 2 * stage.round + 1);
    }

    /**
     * One poll: the first event whole, or nothing.
     *
     * @param result what was seen
     */
    @Actor
    public void reader(II_Result result) {
        long first = 2 * stage.round;
        result.r1 = stage.events.poll((type, session, position, body) ->
                result.r2 = body.bodyLong(0) == first && body.bodyLong(4) == first ? 1 : -1, 1);
    }
}
