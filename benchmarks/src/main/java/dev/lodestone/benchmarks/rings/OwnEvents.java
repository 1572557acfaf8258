package dev.lodestone.benchmarks.rings;

import dev.lodestone.AttachMode;
import dev.lodestone.AttachedEngine;
import dev.lodestone.Engine;
import dev.lodestone.EventHandler;
import dev.lodestone.EventReader;
import dev.lodestone.internal.BridgeLayout;
import dev.lodestone.internal.Producer;
import dev.lodestone.internal.Words;
import java.io.IOException;

/** Our events, from their writer in another process on the other core, through the public API of an attached engine. */
final class OwnEvents implements Contender {
    private static final int POLL_MAX = 512;
    private static final int FOURTH = 3;

    private final OwnTaker writer;
    private final AttachedEngine engine;
    private final EventReader events;
    private final EventHandler handler = this::take;
    private final Producer producer;
    private final long readWord;
    private long sum;
    private long first;

    /**
     * Attaches to the writer.
     *
     * @param program path of lodestone-bench
     * @param folder where the region's file goes
     * @throws IOException when it does not start
     */
    OwnEvents(String program, String folder) throws IOException {
        writer = new OwnTaker(program, "events", folder);
        engine = Engine.attach(writer.file(), AttachMode.READ_ONLY);
        events = engine.events(0);
        producer = writer.producer(true);
        readWord = writer.region().producers() + producer.entry() * BridgeLayout.PRODUCER_BYTES + BridgeLayout.PRODUCER_FULL;
        Words.release(readWord, 0);
    }

    @Override
    public String row() {
        return "events_32";
    }

    @Override
    public String name() {
        return "ours";
    }

    @Override
    public long run(int count) {
        sum = 0;
        first = events.position();
        long missed = events.missed();
        writer.order("events " + producer.entry() + " " + count);
        long begun = Clock.begin();
        for (int taken = 0; taken < count;) {
            int polled = events.poll(handler, POLL_MAX);
            if (polled == 0) {
                Thread.onSpinWait();
            } else {
                taken += polled;
                Words.release(readWord, events.position());
            }
        }
        long took = Clock.end() - begun;
        if (events.missed() != missed) {
            throw new IllegalStateException("the reader was overtaken");
        }
        Message.check("ours", sum, count, false);
        return took;
    }

    /** Three words of the body, and the position: four words, as in the records of the peers. */
    private void take(int type, int session, long position, EventReader event) {
        sum += event.bodyLong(0) + event.bodyLong(1) + event.bodyLong(2) + position - first + FOURTH;
    }

    @Override
    public void close() {
        engine.close();
        writer.close();
    }
}
