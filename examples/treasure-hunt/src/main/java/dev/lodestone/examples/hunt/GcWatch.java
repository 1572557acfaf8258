package dev.lodestone.examples.hunt;

import com.sun.management.GarbageCollectionNotificationInfo;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import javax.management.ListenerNotFoundException;
import javax.management.Notification;
import javax.management.NotificationEmitter;
import javax.management.NotificationListener;
import javax.management.openmbean.CompositeData;

/** Counts the pauses of the garbage collector. The JVM gives their length in whole milliseconds. */
final class GcWatch implements AutoCloseable {
    private final List<NotificationEmitter> emitters = new ArrayList<>();
    private final NotificationListener listener = this::onNotification;
    private long pauses;
    private long pauseMaxMillis;

    GcWatch() {
        for (GarbageCollectorMXBean bean : ManagementFactory.getGarbageCollectorMXBeans()) {
            // Collectors that work beside the program report whole cycles too; those are no pauses.
            if (!bean.getName().endsWith("Cycles") && bean instanceof NotificationEmitter emitter) {
                emitter.addNotificationListener(listener, null, null);
                emitters.add(emitter);
            }
        }
    }

    private void onNotification(Notification notification, Object unused) {
        if (notification.getType().equals(GarbageCollectionNotificationInfo.GARBAGE_COLLECTION_NOTIFICATION)) {
            CompositeData data = (CompositeData) notification.getUserData();
            count(GarbageCollectionNotificationInfo.from(data).getGcInfo().getDuration());
        }
    }

    private synchronized void count(long millis) {
        pauses++;
        pauseMaxMillis = Math.max(pauseMaxMillis, millis);
    }

    synchronized Pauses pauses() {
        return new Pauses(pauses, pauseMaxMillis);
    }

    @Override
    public void close() {
        for (NotificationEmitter emitter : emitters) {
            try {
                emitter.removeNotificationListener(listener);
            } catch (ListenerNotFoundException alreadyGone) {
                // Nothing is left to remove.
            }
        }
    }

    /**
     * What was seen.
     *
     * @param count pauses
     * @param maxMillis the longest, milliseconds
     */
    record Pauses(long count, long maxMillis) {}
}
