package dev.lodestone.bridge;

import dev.lodestone.Engine;
import dev.lodestone.EventReader;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** The events of an engine, collected; for tests that wait for one. */
final class Events {
    private static final long LIMIT_NANOS = Until.LONG.toNanos();
    private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    /** One event with the words of its body. */
    record Event(int type, int session, List<Long> body) {}

    private final EventReader reader;
    private final List<Event> unclaimed = new ArrayList<>();

    Events(Engine engine) {
        reader = engine.events();
    }

    /** The next event of this type and session; those of others stay. */
    Event await(int type, int session) {
        long start = System.nanoTime();
        while (true) {
            for (Event event : unclaimed) {
                if (event.type() == type && event.session() == session) {
                    unclaimed.remove(event);
                    return event;
                }
            }
            if (System.nanoTime() - start > LIMIT_NANOS) {
                throw new AssertionError("no event " + type + " of session " + session + " but " + unclaimed);
            }
            if (reader.poll(this::take, 100) == 0) {
                // The ring has no bell: looking again is how it is read.
                LockSupport.parkNanos(PAUSE_NANOS);
            }
        }
    }

    private void take(int type, int session, long position, EventReader body) {
        unclaimed.add(new Event(type, session, List.of(body.bodyLong(0), body.bodyLong(1), body.bodyLong(2))));
    }
}
