package dev.lodestone.internal;

import dev.lodestone.EngineException;
import dev.lodestone.Status;
import java.util.concurrent.locks.LockSupport;

/**
 * A producer that asks and waits: one call at a time, through the ring, answered in its reply area. Whatever stands there is
 * checked before use. One thread at a time.
 */
final class Caller {
    /** A call's argument is one word. */
    private static final long SPAN = CommandRing.spanOf(Long.BYTES);
    private static final int LOOKS_BEFORE_SLEEP = 2_000;
    /** How often a full ring is looked at again. */
    private static final long ROOM_LOOK_NS = 50_000;
    private static final int STATUS_MASK = 0xffff;

    private final Region region;
    private final Producer producer;
    private final CommandRing ring;
    private final long reply;
    private long asked;
    private long answered;

    private Caller(Region region, Producer producer) {
        this.region = region;
        this.producer = producer;
        this.ring = CommandRing.of(region, producer);
        this.reply = region.reply(producer.entry());
    }

    /**
     * Registers one.
     *
     * @param region the region
     * @return the caller
     * @throws EngineException when all producers are taken, or the region may not be written
     */
    static Caller register(Region region) {
        region.requireWritable();
        // Lanes are few and for those who send all the time. Without the ring there is nothing else.
        boolean ringClosed = Words.opaque(region.ring() + BridgeLayout.RING_CLOSED) != 0;
        Producer producer = Producer.register(region, Sleeper.ofSystem(), 0, ringClosed);
        try {
            return new Caller(region, producer);
        } catch (EngineException damaged) {
            producer.leave();
            throw damaged;
        }
    }

    /** Leaves; a call that is under way is given up, or done without anybody who hears of it. */
    void leave() {
        producer.leave();
    }

    /**
     * Asks and waits for the reply.
     *
     * @param kind type of the call
     * @param argument its argument
     * @param waitNs how long to wait at most
     * @return {@link Status#OK} when the reply is there; {@link Status#TIMEOUT} or {@link Status#INTERRUPTED} when it is not:
     *     this caller can then only {@link #await} it
     * @throws EngineException when the engine is closed, failed or gone, or will never take the call
     */
    Status ask(long kind, long argument, long waitNs) {
        long begun = System.nanoTime();
        while (!ring.claim(SPAN)) {
            requireTaken();
            Status given = givenUp(begun, waitNs);
            if (given != Status.OK) {
                return given;
            }
            LockSupport.parkNanos(ROOM_LOOK_NS);
        }
        Words.putLong(ring.put(kind, Long.BYTES), argument);
        ring.commit();
        asked = ring.counter();
        return await(waitNs - (System.nanoTime() - begun));
    }

    /**
     * Waits for the reply to what was asked last.
     *
     * @param waitNs how long to wait at most
     * @return as {@link #ask}
     */
    Status await(long waitNs) {
        long begun = System.nanoTime();
        long counter = asked;
        for (int looks = 0; looks < LOOKS_BEFORE_SLEEP && Words.acquire(reply) != counter; looks++) {
            Thread.onSpinWait();
        }
        Status given = Status.OK;
        while (Words.acquire(reply) != counter && given == Status.OK) {
            producer.sign();
            requireTaken();
            given = givenUp(begun, waitNs);
            if (given == Status.OK) {
                producer.sleepUnlessReplied(reply, counter, waitNs - (System.nanoTime() - begun));
            }
        }
        // An answer that is there by now is taken all the same.
        if (Words.acquire(reply) != counter) {
            return given;
        }
        answered = counter;
        return Status.OK;
    }

    /**
     * Whether a call was sent whose reply was not waited for.
     *
     * @return true until {@link #await} finds it
     */
    boolean isOwedAReply() {
        return asked != answered;
    }

    private static Status givenUp(long begun, long waitNs) {
        if (Thread.currentThread().isInterrupted()) {
            return Status.INTERRUPTED;
        }
        return System.nanoTime() - begun >= waitNs ? Status.TIMEOUT : Status.OK;
    }

    private void requireTaken() {
        region.requireAlive();
        if (ring.isClosed()) {
            throw region.damaged("commands that no producer writes, so the engine gave up the ring or lane of this call");
        }
    }

    /**
     * What became of the call.
     *
     * @return the status, {@link Status#INTERNAL} for a number that this version does not know
     */
    Status status() {
        return Status.of((int) Words.opaque(reply + BridgeLayout.REPLY_STATUS) & STATUS_MASK);
    }

    /**
     * A word of the reply.
     *
     * @param index its index, 0 to 11
     * @return the word
     */
    long word(int index) {
        return Words.opaque(reply + BridgeLayout.REPLY_WORDS + (long) index * Long.BYTES);
    }

    /**
     * The numbers listed in the reply.
     *
     * @return a copy
     * @throws EngineException when the reply says that they are more than it has room for
     */
    int[] list() {
        long count = Words.opaque(reply + BridgeLayout.REPLY_STATUS) >>> Integer.SIZE;
        if (count > BridgeLayout.REPLY_LIST_MAX) {
            throw region.damaged("a reply with " + count + " numbers, which has room for " + BridgeLayout.REPLY_LIST_MAX);
        }
        int[] list = new int[(int) count];
        for (int index = 0; index < list.length; index++) {
            list[index] = Words.opaqueInt(reply + BridgeLayout.REPLY_LIST + (long) index * Integer.BYTES);
        }
        return list;
    }
}
