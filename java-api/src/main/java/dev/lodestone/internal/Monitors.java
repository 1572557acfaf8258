package dev.lodestone.internal;

import com.sun.management.GarbageCollectionNotificationInfo;
import dev.lodestone.EngineState;
import dev.lodestone.HeapSample;
import java.lang.System.Logger.Level;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import javax.management.ListenerNotFoundException;
import javax.management.Notification;
import javax.management.NotificationEmitter;
import javax.management.NotificationListener;
import javax.management.openmbean.CompositeData;

/**
 * Watches this process for one engine, as {@code monitoring.*} asks: one daemon thread that samples the heap and the
 * resident memory, and a listener that the JVM calls after each garbage collection. Findings go to the logger
 * {@code dev.lodestone}.
 */
public final class Monitors implements AutoCloseable {
    /** How often the state is looked at, milliseconds: a failed engine is reported within this time. */
    private static final long LOOK_MS = 1_000;
    /** Resident samples to a flatness window. */
    private static final int WINDOW_SAMPLES = 10;
    /** Growth below this is not reported, bytes: a JVM that warms up grows by a few MiB without meaning anything. */
    private static final long GROWTH_BYTES_MIN = 16L << 20;
    /** Growth below this share of the window's first sample is not reported, percent. */
    private static final long GROWTH_PERCENT_MIN = 5;

    private static final System.Logger LOGGER = System.getLogger("dev.lodestone");

    /**
     * What to watch for.
     *
     * @param heapInterval time between heap samples
     * @param gcPauseAlertMs pauses longer than this are reported, milliseconds
     * @param flatnessWindow time over which resident memory should not grow
     */
    public record Limits(Duration heapInterval, long gcPauseAlertMs, Duration flatnessWindow) {}

    private final Limits limits;
    private final Region region;
    private final CountDownLatch stopped = new CountDownLatch(1);
    private final List<NotificationEmitter> collectors = new ArrayList<>();
    private final NotificationListener listener = this::onNotification;
    private final AtomicLong gcPauses = new AtomicLong();
    private final AtomicLong gcPauseMaxMs = new AtomicLong();
    private final AtomicLong heapSamples = new AtomicLong();
    private final ArrayDeque<Long> residents = new ArrayDeque<>();
    private volatile HeapSample latest;
    private boolean poisonReported;

    /**
     * Starts to watch.
     *
     * @param limits what to watch for
     * @param region the engine's region
     */
    public Monitors(Limits limits, Region region) {
        this.limits = limits;
        this.region = region;
        for (GarbageCollectorMXBean collector : ManagementFactory.getGarbageCollectorMXBeans()) {
            if (collector instanceof NotificationEmitter emitter && GcAlerts.countsPauses(collector.getName())) {
                emitter.addNotificationListener(listener, null, null);
                collectors.add(emitter);
            }
        }
        Thread.ofPlatform().daemon().name("lodestone-monitor").start(this::run);
    }

    private void run() {
        long heapEveryNs = limits.heapInterval().toNanos();
        long residentEveryNs = limits.flatnessWindow().toNanos() / WINDOW_SAMPLES;
        long now = System.nanoTime();
        long heapDue = now;
        long residentDue = now;
        try {
            do {
                now = System.nanoTime();
                if (now - heapDue >= 0) {
                    sampleHeap();
                    heapDue = now + heapEveryNs;
                }
                if (now - residentDue >= 0) {
                    sampleResident();
                    residentDue = now + residentEveryNs;
                }
                reportPoison();
                now = Math.min(Math.min(heapDue, residentDue) - System.nanoTime(), TimeUnit.MILLISECONDS.toNanos(LOOK_MS));
            } while (!stopped.await(Math.max(now, 1), TimeUnit.NANOSECONDS));
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }

    private void sampleHeap() {
        HeapSample sample = ProcessMemory.sample();
        latest = sample;
        heapSamples.incrementAndGet();
        LOGGER.log(Level.DEBUG, () -> String.format("heap %d MiB used of %d MiB, resident %d MiB, %d pauses, longest %d ms",
                sample.heapUsedBytes() >> 20, sample.heapCommittedBytes() >> 20, sample.rssBytes() >> 20,
                gcPauses(), gcPauseMaxMs()));
    }

    private void sampleResident() {
        long resident = ProcessMemory.rssBytes();
        residents.addLast(resident);
        if (residents.size() <= WINDOW_SAMPLES) {
            return;
        }
        long first = residents.removeFirst();
        long growth = resident - first;
        if (growth >= GROWTH_BYTES_MIN && growth * 100 >= first * GROWTH_PERCENT_MIN) {
            LOGGER.log(Level.WARNING, "resident memory grew by {0} MiB to {1} MiB within {2}",
                    growth >> 20, resident >> 20, Durations.format(limits.flatnessWindow()));
            residents.clear();
        }
    }

    private void reportPoison() {
        if (!poisonReported && region.state() == EngineState.POISONED) {
            poisonReported = true;
            LOGGER.log(Level.ERROR, "the engine failed, its state is frozen and readable: {0}", region.poisonText());
        }
    }

    private void onNotification(Notification notification, Object handback) {
        if (!notification.getType().equals(GarbageCollectionNotificationInfo.GARBAGE_COLLECTION_NOTIFICATION)) {
            return;
        }
        GarbageCollectionNotificationInfo info =
                GarbageCollectionNotificationInfo.from((CompositeData) notification.getUserData());
        long pauseMs = info.getGcInfo().getDuration();
        gcPauses.incrementAndGet();
        gcPauseMaxMs.accumulateAndGet(pauseMs, Math::max);
        if (pauseMs > limits.gcPauseAlertMs()) {
            GcAlerts.OF_THIS_JVM.alert(new GcAlerts.Pause(info.getGcName(), info.getGcInfo().getId(), info.getGcCause(), pauseMs),
                    System.nanoTime()).ifPresent(text -> LOGGER.log(Level.WARNING, text));
        }
    }

    /**
     * Garbage collection pauses seen.
     *
     * @return number of pauses
     */
    public long gcPauses() {
        return gcPauses.get();
    }

    /**
     * The longest of them.
     *
     * @return milliseconds
     */
    public long gcPauseMaxMs() {
        return gcPauseMaxMs.get();
    }

    /**
     * Heap samples taken.
     *
     * @return number of samples
     */
    public long heapSamples() {
        return heapSamples.get();
    }

    /**
     * The latest heap sample.
     *
     * @return the sample, empty before the first
     */
    public Optional<HeapSample> latestHeapSample() {
        return Optional.ofNullable(latest);
    }

    /** Stops watching. */
    @Override
    public void close() {
        stopped.countDown();
        for (NotificationEmitter collector : collectors) {
            try {
                collector.removeNotificationListener(listener);
            } catch (ListenerNotFoundException gone) {
                LOGGER.log(Level.DEBUG, "the collector forgot its listener", gone);
            }
        }
        collectors.clear();
    }
}
