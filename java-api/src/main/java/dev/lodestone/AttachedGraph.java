package dev.lodestone;

import dev.lodestone.internal.Calls;
import dev.lodestone.internal.NativeRoutes;
import dev.lodestone.internal.Region;
import java.time.Duration;
import java.util.Objects;

/**
 * The graph of an engine in another process. Questions go to that engine through shared memory and cost it what those of its
 * own process cost; distances that are watched are read without asking. Any thread; of more than four that ask at once some
 * wait for their turn.
 *
 * <p>A question sees what is decided: await the decision of {@link Commands} that it is to see. It takes
 * {@link AttachMode#READ_WRITE}; distances that somebody else watches can be read without ({@link
 * AttachedEngine#watchedDistances}).
 */
public final class AttachedGraph implements GraphView {
    private final Region region;
    private final Calls calls;

    AttachedGraph(Region region, Calls calls) {
        this.region = region;
        this.calls = calls;
    }

    @Override
    public Route route(int source, int target, Duration timeout) {
        if (!Objects.requireNonNull(timeout, "timeout").isPositive()) {
            throw new IllegalArgumentException("timeout " + timeout + " is not more than zero");
        }
        NativeRoutes.Answer answer = calls.route(source, target, timeout);
        return new RouteBatch.Answer(source, target, answer.status(), answer.route(), region.nodesMax()).get();
    }

    /**
     * {@inheritDoc}
     *
     * <p>The watch ends with its close, with that of the {@link AttachedEngine}, or with this process, however that ends.
     */
    @Override
    public WatchedDistances watch(int source) {
        long watch = calls.watch(source);
        return new WatchedDistances(region, () -> calls.unwatch(watch), watch, source);
    }
}
