package dev.lodestone;

import dev.lodestone.internal.Region;
import dev.lodestone.internal.Words;
import java.lang.invoke.VarHandle;
import java.util.Objects;

/**
 * Polls the engine's events from shared memory, without a call or an allocation. It begins with the first event published
 * after it was made, or at a {@link #position()} that an earlier reader had.
 *
 * <p>The ring holds the last 16,384 events and waits for nobody: a reader that falls behind further skips to what is still
 * there and counts what it {@linkplain #missed() missed}. One reader belongs to one thread; readers do not disturb each other.
 */
public final class EventReader {
    /** Bytes of an event's body. */
    public static final int BODY_BYTES = 40;

    private static final int AT_HEADER = 8;
    private static final int TYPE_MASK = 0xFF;
    private static final int SESSION_SHIFT = 32;
    private static final int AT_BODY = 24;
    /** How far behind the newest event an overtaken reader goes on: a lap, less room for the writer to go on meanwhile. */
    private static final long MARGIN_EVENTS = 1_024;

    private final Region region;
    private final long events;
    private final long eventsMax;
    private final long cellMask;
    private long position;
    private long missed;
    /** The event at hand: its header, and its body in fields of their own, which take no check of an index to write. */
    private long header;
    private long body0;
    private long body1;
    private long body2;
    private long body3;
    private long body4;

    private EventReader(Region region, long position) {
        this.region = region;
        this.events = region.events();
        this.eventsMax = region.eventsMax();
        this.cellMask = eventsMax - 1;
        this.position = position;
    }

    /** A reader that begins with the next event. */
    static EventReader ofNext(Region region) {
        region.requireOpen();
        return new EventReader(region, region.counter(Counter.EVENTS_PUBLISHED.place()));
    }

    /** A reader that goes on at a position. */
    static EventReader from(Region region, long instance, long position) {
        region.requireOpen();
        if (instance != region.generation()) {
            throw new EngineGoneException("the position " + position + " belongs to another engine than this one: it was"
                    + " restarted, and its events began anew");
        }
        long published = region.counter(Counter.EVENTS_PUBLISHED.place());
        if (position < 0 || position > published) {
            throw new IllegalArgumentException("position " + position + " is not from 0 to " + published);
        }
        return new EventReader(region, position);
    }

    /**
     * Hands the events that are there to the handler, in order. Never waits.
     *
     * @param handler takes the events
     * @param limit most events to take
     * @return number of events handed over
     * @throws EngineClosedException when the engine is closed; what was published before the close may be lost then
     */
    public int poll(EventHandler handler, int limit) {
        Objects.requireNonNull(handler, "handler");
        int taken = 0;
        while (taken < limit && next()) {
            taken++;
            handler.onEvent((int) header & TYPE_MASK, (int) (header >>> SESSION_SHIFT), position - 1, this);
        }
        region.requireOpen();
        return taken;
    }

    /** Copies the next event and steps behind it; false when there is none yet. */
    private boolean next() {
        long cell = cell(position);
        long sequence = position + 1;
        try {
            if (Words.acquire(cell) == sequence && isCopied(cell, sequence)) {
                position = sequence;
                return true;
            }
            return look();
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    private long cell(long place) {
        // Masked, so that no position leads out of the ring, whatever wrote the words that it was computed from.
        return Words.line(events + (place & cellMask) * Region.EVENT_BYTES);
    }

    /** Copies an event, if it is still the one of this sequence then. */
    private boolean isCopied(long cell, long sequence) {
        // Word by word: for so few of them that takes half the time of a call that copies memory.
        long head = Words.longAt(cell + AT_HEADER);
        long first = Words.longAt(cell + AT_BODY);
        long second = Words.longAt(cell + AT_BODY + 8);
        long third = Words.longAt(cell + AT_BODY + 16);
        long fourth = Words.longAt(cell + AT_BODY + 24);
        long fifth = Words.longAt(cell + AT_BODY + 32);
        // Pairs with the writer's release fence: if a byte of a later event was seen, so is its changed sequence. At the close
        // zeros take the place of the ring, and they are no sequence either.
        VarHandle.acquireFence();
        if (Words.opaque(cell) != sequence) {
            return false;
        }
        header = head;
        body0 = first;
        body1 = second;
        body2 = third;
        body3 = fourth;
        body4 = fifth;
        return true;
    }

    /** Finds out why the next event was not there; true when an event is copied after all, and the position behind it. */
    private boolean look() {
        // A lap in which each cell is overtaken once is more than any engine does; what is behind it comes with the next poll.
        for (long looks = 0; looks <= eventsMax; looks++) {
            long cell = cell(position);
            long sequence = Words.acquire(cell);
            if (sequence > position + 1) {
                skipTo(sequence - eventsMax + MARGIN_EVENTS);
                continue;
            }
            if (sequence != position + 1) {
                return false;
            }
            if (isCopied(cell, sequence)) {
                position++;
                return true;
            }
            Thread.onSpinWait();
        }
        return false;
    }

    private void skipTo(long oldest) {
        long next = Math.max(oldest, position + 1);
        missed += next - position;
        position = next;
    }

    /**
     * The position of the next event: what a reader that is made later goes on with, in this process or in another one, as
     * long as the engine is the same. The event at hand has the position before it.
     *
     * @return the position; the first event of an engine has 0
     */
    public long position() {
        return position;
    }

    /**
     * How many events this reader was too late for.
     *
     * @return number of events, since it was made; those between a position that it was made with and the oldest one left
     *     are among them
     */
    public long missed() {
        return missed;
    }

    /**
     * A word of the body of the event at hand.
     *
     * @param index which word, from 0
     * @return the word
     * @throws IndexOutOfBoundsException when the body has no such word
     */
    public long bodyLong(int index) {
        return switch (Objects.checkIndex(index, BODY_BYTES / Long.BYTES)) {
            case 0 -> body0;
            case 1 -> body1;
            case 2 -> body2;
            case 3 -> body3;
            default -> body4;
        };
    }
}
