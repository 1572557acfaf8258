package dev.lodestone;

import dev.lodestone.internal.Attachment;
import dev.lodestone.internal.Region;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import java.util.Optional;

/**
 * An engine of another process, seen through its shared region: {@code lodestoned}, or one that another JVM has opened.
 * Reading is the same code as for an {@link Engine} of this process, and costs the same: no call, no allocation.
 *
 * <pre>{@code
 * try (AttachedEngine engine = Engine.attach(Path.of("/dev/shm"), AttachMode.READ_ONLY)) {
 *     SlotReader slot = engine.slotReader();
 *     slot.read(1);
 *     System.out.println(slot.target());
 * }
 * }</pre>
 *
 * <p>Neither process can stop or crash the other. The engine never waits for a reader: one that was stopped for a while is told
 * how many events it missed. When the engine is closed, reading throws {@link EngineClosedException}. When its process ends
 * without closing it, what it left stays readable, {@link #isAlive()} is false and {@link #state()} is
 * {@link EngineState#GONE}; the next engine of the same folder is another one, to be attached to anew.
 *
 * <p>Whoever may write the file of the region may also cut it short. Reading what is not there any more throws
 * {@link EngineGoneException}; as a JVM may notice that a moment late, it can also be an {@link InternalError} at the code that
 * called.
 *
 * <p>Any thread. The memory of the region is held until {@link #close()}, also when the engine is gone.
 */
public final class AttachedEngine implements EngineView {
    private static final long LOOK_MS = 10;

    private final Attachment attachment;
    private final Region region;
    private final EngineMetrics metrics;

    AttachedEngine(Attachment attachment) {
        this.attachment = attachment;
        this.region = attachment.region();
        this.metrics = new EngineMetrics(region);
    }

    /**
     * The process that the engine lives in.
     *
     * @return its number
     */
    public long pid() {
        return attachment.pid();
    }

    /**
     * When the engine was opened, by this machine's clock.
     *
     * @return the time
     * @throws EngineClosedException when the engine is closed
     */
    public Instant openedAt() {
        Instant opened = Instant.ofEpochMilli(region.startUnixMs());
        region.requireOpen();
        return opened;
    }

    /**
     * Whether the engine is open and its process lives. A process that is stopped or stuck lives: {@link #heartbeatAge()} tells
     * it from one that works.
     *
     * @return false once it is closed or gone, or after the close here
     */
    public boolean isAlive() {
        return switch (state()) {
            case STARTING, RUNNING, POISONED, CLOSING -> true;
            case CLOSED, GONE -> false;
        };
    }

    /**
     * How long ago the engine gave a sign of life, by this machine's clock. A running engine gives one every 100 ms; a failed
     * one gives none.
     *
     * @return the time, not negative
     * @throws EngineClosedException when the engine is closed
     */
    public Duration heartbeatAge() {
        Duration age = Duration.ofMillis(Math.max(0, System.currentTimeMillis() - region.heartbeatUnixMs()));
        region.requireOpen();
        return age;
    }

    /**
     * Waits until the engine is not alive any more. Looks every 10 ms.
     *
     * @param timeout how long at most
     * @return false when the time was up before
     * @throws InterruptedException when the thread is interrupted
     */
    public boolean awaitEnd(Duration timeout) throws InterruptedException {
        Objects.requireNonNull(timeout, "timeout");
        long start = System.nanoTime();
        while (isAlive()) {
            if (Duration.ofNanos(System.nanoTime() - start).compareTo(timeout) >= 0) {
                return false;
            }
            Thread.sleep(LOOK_MS);
        }
        return true;
    }

    /**
     * The distances from a source that somebody watches in this engine.
     *
     * @param source the node, unsigned
     * @return the distances, for reading; empty when nobody watches that source
     * @throws EngineClosedException when the engine is closed
     */
    public Optional<WatchedDistances> watchedDistances(int source) {
        region.requireOpen();
        try {
            return WatchedDistances.find(region, source);
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    @Override
    public long instance() {
        return region.generation();
    }

    @Override
    public EngineState state() {
        return region.state();
    }

    @Override
    public String poisonText() {
        return region.poisonText();
    }

    @Override
    public Optional<Path> regionPath() {
        return Optional.of(attachment.path());
    }

    @Override
    public long revision() {
        long revision = region.revision();
        region.requireOpen();
        return revision;
    }

    @Override
    public Commit commit() {
        return region.commit();
    }

    @Override
    public SlotReader slotReader() {
        region.requireOpen();
        return new SlotReader(region);
    }

    @Override
    public EventReader events() {
        return EventReader.ofNext(region);
    }

    @Override
    public EventReader events(long instance, long from) {
        return EventReader.from(region, instance, from);
    }

    @Override
    public LogReader logs() {
        return LogReader.ofNext(region);
    }

    @Override
    public LogReader logs(long instance, long from) {
        return LogReader.from(region, instance, from);
    }

    @Override
    public EngineMetrics metrics() {
        return metrics;
    }

    /**
     * Lets go of the engine's memory. The engine is not told and goes on. Readers made here get {@link EngineClosedException}.
     * A second close does nothing.
     */
    @Override
    public void close() {
        attachment.close();
    }

    @Override
    public String toString() {
        return "AttachedEngine[" + attachment.path() + ", pid=" + pid() + ", state=" + state() + "]";
    }
}
