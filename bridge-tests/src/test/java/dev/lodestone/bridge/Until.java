package dev.lodestone.bridge;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** Waits for what another thread or process brings about; however slow the machine is, and never for ever. */
final class Until {
    /** Nothing here takes long on a machine of its own; what still does on one that is shared stands still. */
    static final Duration LONG = Duration.ofSeconds(120);
    private static final long PAUSE_NANOS = TimeUnit.MICROSECONDS.toNanos(200);

    private Until() {}

    /** Looks until the condition holds. */
    static void holds(String what, BooleanSupplier condition) {
        holds(() -> what, condition);
    }

    /** Looks until the condition holds; what is said when it never does is found out then. */
    static void holds(Supplier<String> what, BooleanSupplier condition) {
        long begun = System.nanoTime();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - begun > LONG.toNanos()) {
                throw new AssertionError("stands still: " + what.get());
            }
            LockSupport.parkNanos(PAUSE_NANOS);
        }
    }
}
