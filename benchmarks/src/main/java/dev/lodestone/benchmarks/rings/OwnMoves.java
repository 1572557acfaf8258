package dev.lodestone.benchmarks.rings;

import dev.lodestone.AttachMode;
import dev.lodestone.AttachedEngine;
import dev.lodestone.Commands;
import dev.lodestone.Engine;

/** Moves without payload through the public API, with all that it checks, over a lane. */
final class OwnMoves implements Contender {
    private static final long LANE = 0;

    private final OwnTaker taker;
    private final AttachedEngine engine;
    private final Commands commands;

    OwnMoves(OwnTaker taker) {
        this.taker = taker;
        engine = Engine.attach(taker.file(), AttachMode.READ_WRITE);
        commands = engine.commands();
        if (!commands.hasLane()) {
            throw new IllegalStateException("the first producer has the first lane");
        }
    }

    @Override
    public String row() {
        return "spsc_move";
    }

    @Override
    public String name() {
        return "ours";
    }

    @Override
    public long run(int count) {
        taker.order("lane " + LANE + " " + count + " 4");
        long begun = Clock.begin();
        for (int record = 0; record < count; record++) {
            while (commands.tryMove(record, 0, 1, record) == Commands.FULL) {
                Thread.onSpinWait();
            }
        }
        while (commands.decided() < commands.sent()) {
            Thread.onSpinWait();
        }
        long took = Clock.end() - begun;
        // Source and expected version count, the mask is 1.
        if (commands.revision() != (long) count * (count - 1) + count) {
            throw new IllegalStateException("moves: the sum of " + count + " is " + commands.revision());
        }
        return took;
    }

    @Override
    public void close() {
        engine.close();
        taker.close();
    }
}
