package dev.lodestone;

/** The types of events. An event's body holds 64-bit words as listed, read with {@link EventReader#bodyLong(int)}. */
public final class EventType {
    /** A session was welcomed. Body: tenant. */
    public static final int SESSION_OPENED = 0x80;
    /** A session ended. Body: status number, 0 when the client left. */
    public static final int SESSION_CLOSED = 0x81;
    /** The state went back. Body: revision now, branch now, number of revisions undone. */
    public static final int ROLLED_BACK = 0x82;
    /** A move found no slot; told once until a slot comes back. Body: tenant. */
    public static final int SLOTS_EXHAUSTED = 0x83;
    /** Free slots below the highest used one passed {@code arena.fragmentation_threshold}. Body: their number. */
    public static final int FRAGMENTED = 0x84;
    /** The engine failed and is frozen. No body. */
    public static final int POISONED = 0x85;

    private EventType() {}
}
