package dev.lodestone.internal;

import dev.lodestone.Commit;
import dev.lodestone.RollbackException;
import dev.lodestone.Status;
import java.time.Duration;
import java.util.Objects;

/** What is said of revisions outside the rollback window, and of times before it. Any thread. */
public final class RollbackWindow {
    private static final Duration AGE_MAX = Duration.ofDays(36_500);

    private RollbackWindow() {}

    /**
     * What to throw for a revision outside the rollback window.
     *
     * @param region the engine's region
     * @param revision the revision that was asked for, unsigned
     * @return the exception, which names the window
     */
    public static RollbackException refusal(Region region, long revision) {
        Commit commit = region.commit();
        return new RollbackException(Status.OUT_OF_WINDOW, "revision " + Long.toUnsignedString(revision)
                + " is not in the rollback window, which reaches from " + Long.toUnsignedString(commit.oldestRevision()) + " to "
                + Long.toUnsignedString(commit.revision())
                + ". What to do: choose a revision of the window, or raise rollback.window_mib to keep more.");
    }

    /**
     * An age in milliseconds.
     *
     * @param age how long ago
     * @return the milliseconds
     * @throws IllegalArgumentException when it is negative
     */
    public static long ageMs(Duration age) {
        if (Objects.requireNonNull(age, "age").isNegative()) {
            throw new IllegalArgumentException("age " + age + " lies in the future");
        }
        // Further back than any window reaches it is all the same, and more milliseconds would not fit.
        return age.compareTo(AGE_MAX) > 0 ? AGE_MAX.toMillis() : age.toMillis();
    }
}
