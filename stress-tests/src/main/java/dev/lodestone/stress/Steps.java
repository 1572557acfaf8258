package dev.lodestone.stress;

import dev.lodestone.internal.BridgeLayout;
import dev.lodestone.internal.CommandRing;
import dev.lodestone.internal.Region;
import dev.lodestone.internal.Words;
import java.lang.invoke.VarHandle;

/** What the engine writes, step by step as docs/shared-memory.md and {@code native/memory} have it, and what producers send. */
final class Steps {
    private static final int SLOT_WORDS = 32;
    private static final int COMMIT_WORDS = 9;
    private static final int BODY_WORDS = 4;
    private static final long MOVE = 0x10;

    private Steps() {}

    /** A change of node 0, whose slot is 0: every word of it becomes the value. */
    static void changeSlot(Stage stage, long value) {
        long entry = stage.region.nodes();
        long sequence = Words.opaque(entry) >>> Integer.SIZE;
        Words.putOpaque(entry, sequence + 1 << Integer.SIZE);
        VarHandle.releaseFence();
        for (int word = 0; word < SLOT_WORDS; word++) {
            Words.putOpaque(stage.region.slots() + (long) word * Long.BYTES, value);
        }
        Words.putOpaque(entry + Long.BYTES, value);
        Words.release(entry, sequence + 2 << Integer.SIZE);
    }

    /** A commit whose every word is the value. */
    static void commit(Stage stage, long value) {
        line(stage.commitWord(0), COMMIT_WORDS, value);
    }

    /** Says of the first producer that all is decided up to the counter; the other words are the same number. */
    static void acknowledge(Stage stage, long counter) {
        line(stage.entry(BridgeLayout.PRODUCER_ANSWERS), BODY_WORDS, counter);
    }

    private static void line(long sequenceWord, int words, long value) {
        long sequence = Words.opaque(sequenceWord);
        Words.putOpaque(sequenceWord, sequence + 1);
        VarHandle.releaseFence();
        for (int word = 2; word <= words; word++) {
            Words.putOpaque(sequenceWord + (long) word * Long.BYTES, value);
        }
        // The first word comes last of all: of the acknowledgement line it is looked at alone, too.
        Words.release(sequenceWord + Long.BYTES, value);
        Words.release(sequenceWord, sequence + 2);
    }

    /** Replies to a call of the first producer: the counter alone, which comes last. */
    static void reply(Stage stage, long counter) {
        Words.release(stage.reply(), counter);
    }

    /**
     * Rings the first producer's doorbell, after something was published for it.
     *
     * @return whether it has to be woken, and so is
     */
    static boolean ring(Stage stage) {
        long bell = stage.entry(BridgeLayout.PRODUCER_BELL);
        VarHandle.fullFence();
        return Words.opaqueInt(bell) == BridgeLayout.BELL_ASLEEP
                && Words.replaceInt(bell, BridgeLayout.BELL_ASLEEP, BridgeLayout.BELL_AWAKE);
    }

    /** Refuses a command of the first producer; the node is the low half of the counter. */
    static void reject(Stage stage, long counter) {
        long rejectedWord = stage.entry(BridgeLayout.PRODUCER_REJECTED);
        long number = Words.opaque(rejectedWord);
        Words.putOpaque(stage.entry(BridgeLayout.PRODUCER_REJECTING), number + 1);
        VarHandle.releaseFence();
        long place = stage.entry(BridgeLayout.PRODUCER_REJECTIONS)
                + number % BridgeLayout.REJECTIONS_MAX * BridgeLayout.REJECTION_BYTES;
        Words.putOpaque(place, counter);
        Words.putOpaque(place + Long.BYTES, counter & 0xffff_ffffL);
        Words.release(rejectedWord, number + 1);
    }

    /** Publishes the event of a position; every word of its body is the value. */
    static void publish(Stage stage, long position, long value) {
        long cell = stage.region.events() + (position & Stage.EVENTS - 1) * Region.EVENT_BYTES;
        Words.putOpaque(cell, 0);
        VarHandle.releaseFence();
        for (int word = 1; word < Region.EVENT_BYTES / Long.BYTES; word++) {
            Words.putOpaque(cell + (long) word * Long.BYTES, value);
        }
        Words.release(cell, position + 1);
    }

    /** Sends records in one claim; every word of their bodies is the value. */
    static void send(CommandRing ring, int records, long value) {
        long body = (long) BODY_WORDS * Long.BYTES;
        if (!ring.claim(records * CommandRing.spanOf(body))) {
            throw new IllegalStateException("a ring that was emptied has no room");
        }
        for (int record = 0; record < records; record++) {
            long at = ring.put(MOVE, body);
            for (int word = 0; word < BODY_WORDS; word++) {
                Words.putLong(at + (long) word * Long.BYTES, value);
            }
        }
        ring.commit();
    }
}
