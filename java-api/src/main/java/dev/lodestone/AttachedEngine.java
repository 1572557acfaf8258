package dev.lodestone;

import dev.lodestone.internal.Attachment;
import dev.lodestone.internal.Calls;
import dev.lodestone.internal.Sleeper;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import java.util.Optional;

/**
 * An engine of another process, seen through its shared region: {@code lodestoned}, or one that another JVM has opened.
 * Reading and commands are the same code as for an {@link Engine} of this process, and cost the same: no call, no allocation.
 * Calls ({@link #rollback}, {@link #stateHash(long)}, {@link #revisionBefore}, {@link AttachedGraph#route}) go through shared
 * memory too and are waited for.
 *
 * <pre>{@code
 * try (AttachedEngine engine = Engine.attach(Path.of("/dev/shm"), AttachMode.READ_ONLY)) {
 *     SlotReader slot = engine.slotReader();
 *     slot.read(1);
 *     System.out.println(slot.target());
 * }
 * }</pre>
 *
 * <p>Who may open the file may do what its mode allows, on every tenant's quota and in every node: there is no other gate than
 * the permissions of the file, which is its owner's alone unless changed. With {@link AttachMode#READ_ONLY} nothing here can
 * change the engine, and what would throws an {@link EngineException} with {@link Status#READ_ONLY}.
 *
 * <p>Neither process can stop or crash the other. What this one has committed is decided also when it dies right after; a claim
 * that it died in is repaired, its lane and place come free. The engine never waits for a reader: one that was stopped for a
 * while is told how many events it missed. When the engine is closed, reading throws {@link EngineClosedException}. When its
 * process ends without closing it, what it left stays readable, {@link #isAlive()} is false and {@link #state()} is
 * {@link EngineState#GONE}; the next engine of the same folder is another one, to be attached to anew.
 *
 * <p>Whoever may write the file of the region may also cut it short. Reading what is not there any more throws
 * {@link EngineGoneException}; as a JVM may notice that a moment late, it can also be an {@link InternalError} at the code that
 * called.
 *
 * <p>Any thread. The memory of the region is held until {@link #close()}, also when the engine is gone.
 */
public final class AttachedEngine extends RegionEngine {
    private static final long LOOK_MS = 10;

    private final Attachment attachment;
    private final EngineMetrics metrics;
    private final Calls calls;
    private final AttachedGraph graph;

    AttachedEngine(Attachment attachment) {
        super(attachment.region());
        this.attachment = attachment;
        this.metrics = new EngineMetrics(region());
        this.calls = new Calls(region());
        this.graph = new AttachedGraph(region(), calls);
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
        Instant opened = Instant.ofEpochMilli(region().startUnixMs());
        region().requireOpen();
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
        Duration age = Duration.ofMillis(Math.max(0, System.currentTimeMillis() - region().heartbeatUnixMs()));
        region().requireOpen();
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

    @Override
    Sleeper sleeper() {
        region().requireAlive();
        return Sleeper.ofSystem();
    }

    @Override
    StateHash hashOf(long revision) {
        return calls.hash(revision);
    }

    @Override
    long revisionBeforeMs(long ageMs) {
        return calls.revisionBefore(ageMs);
    }

    /**
     * {@inheritDoc}
     *
     * @throws EngineException also when the engine did not answer within 60 s ({@link Status#TIMEOUT}) or the waiting thread was
     *     interrupted ({@link Status#INTERRUPTED}): it may then still go back. When the engine ends meanwhile
     *     ({@link EngineGoneException}) what it had done by then is gone with it
     */
    @Override
    public RollbackReport rollback(long revision) {
        return calls.rollback(revision);
    }

    @Override
    public AttachedGraph graph() {
        return graph;
    }

    /**
     * The distances from a source that somebody, of whichever process, watches in this engine.
     *
     * @param source the node, unsigned
     * @return the distances, for reading: closing them ends only the reading here; empty when nobody watches that source
     * @throws EngineClosedException when the engine is closed
     */
    public Optional<WatchedDistances> watchedDistances(int source) {
        region().requireOpen();
        try {
            return WatchedDistances.find(region(), source);
        } catch (InternalError fault) {
            throw region().fault(fault);
        }
    }

    @Override
    public Optional<Path> regionPath() {
        return Optional.of(attachment.path());
    }

    @Override
    public EngineMetrics metrics() {
        return metrics;
    }

    /**
     * Lets go of the engine's memory; the engine goes on. Readers and commands made here get {@link EngineClosedException}, also
     * those at work in other threads; what commands have sent is still decided, a batch that is open is given up, watches begun
     * here end. A second close does nothing.
     */
    @Override
    public void close() {
        calls.close();
        attachment.close();
    }

    @Override
    public String toString() {
        return "AttachedEngine[" + attachment.path() + ", pid=" + pid() + ", state=" + state() + "]";
    }
}
