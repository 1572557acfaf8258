package dev.lodestone.internal;

import dev.lodestone.bindings.SystemCalls;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.LockSupport;

/** Sleeps and wakes by calls of the system, for a process without the native library. One thread sleeps; any may wake. */
final class SystemSleeper implements Sleeper {
    private static final boolean ORDERED = SystemCalls.signUpForBarriers();
    /** Where nobody can be woken by another process: how often the sleeper looks by itself. */
    private static final long LOOK_NS = 100_000;

    private final MemorySegment time = Arena.ofAuto().allocate(SystemCalls.SLEEP_BYTES, Long.BYTES);

    @Override
    public void sleep(MemorySegment word, int expected, long nanoseconds) {
        if (SystemCalls.SLEEPS) {
            SystemCalls.sleep(word.address(), expected, nanoseconds, time);
        } else {
            LockSupport.parkNanos(Math.min(nanoseconds, LOOK_NS));
        }
    }

    @Override
    public void wake(MemorySegment word) {
        // Else the sleeper's time is over soon: nobody sleeps for longer than 50 ms.
        if (SystemCalls.SLEEPS) {
            SystemCalls.wake(word.address());
        }
    }

    @Override
    public boolean isOrdered() {
        return ORDERED;
    }
}
