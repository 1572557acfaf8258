package dev.lodestone;

/** Takes events from an {@link EventReader}. */
@FunctionalInterface
public interface EventHandler {
    /**
     * Takes one event. Called on the thread that polls. An exception leaves the poll; the event counts as taken.
     *
     * @param type one of {@link EventType}; skip types that you do not know
     * @param session the session concerned, 0 when none is
     * @param position the event's position, rising by one
     * @param body the reader, whose {@code body} methods show this event during the call
     */
    void onEvent(int type, int session, long position, EventReader body);
}
