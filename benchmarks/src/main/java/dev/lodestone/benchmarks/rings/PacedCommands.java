package dev.lodestone.benchmarks.rings;

import dev.lodestone.internal.CommandRing;
import dev.lodestone.internal.Producer;
import dev.lodestone.internal.Words;
import java.util.Locale;

/**
 * What the bridge adds to a command: 80,000 commands a second on a fixed schedule through a lane, each answered by the engine's
 * end, which spins, or sleeps until it is rung, or does as the engine does: looks 2,000 times, then sleeps. A command counts from
 * the instant it was due until the sender sees its answer, and none waits for the answer of another.
 */
final class PacedCommands implements Contender {
    private static final long INTERVAL_NS = 12_500;
    private static final long KIND = 0x10;
    private static final int WORDS = 4;
    private static final int ANSWER_SUM = 2;

    private final OwnTaker taker;
    private final Producer producer;
    private final CommandRing lane;
    private final Idle idle;

    /** What the engine's end does while nothing is there. */
    enum Idle {
        /** It looks all the time. */
        TRIPS,
        /** It sleeps each time. */
        PARKED,
        /** It looks for a while, then sleeps. */
        RESTS
    }

    PacedCommands(OwnTaker taker, Idle idle) {
        this.taker = taker;
        this.producer = taker.producer(true);
        this.lane = CommandRing.of(taker.region(), producer);
        this.idle = idle;
    }

    @Override
    public String row() {
        return switch (idle) {
            case TRIPS -> "paced_trip";
            case PARKED -> "paced_parked_trip";
            case RESTS -> "paced_rests_trip";
        };
    }

    @Override
    public String name() {
        return "ours";
    }

    @Override
    public long run(int count) {
        taker.order(idle.name().toLowerCase(Locale.ROOT) + " " + producer.lane() + " " + count + " " + WORDS);
        long before = lane.counter();
        long begun = Clock.begin();
        int sent = 0;
        int answered = 0;
        while (answered < count) {
            if (sent < count && System.nanoTime() - begun >= sent * INTERVAL_NS) {
                send(sent++);
            }
            long decided = producer.decided() - before;
            if (answered < decided) {
                long now = System.nanoTime() - begun;
                while (answered < decided) {
                    Trips.keep(answered, now - answered * INTERVAL_NS);
                    answered++;
                }
            }
        }
        long took = Clock.end() - begun;
        Message.check("ours", producer.answer(ANSWER_SUM), count, false);
        return took;
    }

    private void send(long value) {
        while (!lane.claim(CommandRing.spanOf(WORDS * Long.BYTES))) {
            Thread.onSpinWait();
        }
        long body = lane.put(KIND, WORDS * Long.BYTES);
        for (int word = 0; word < WORDS; word++) {
            Words.putLong(body + (long) word * Long.BYTES, value + word);
        }
        lane.commit();
    }

    @Override
    public void close() {
        taker.close();
    }
}
