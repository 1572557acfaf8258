package dev.lodestone.benchmarks.rings;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** Which core a thread runs on. */
final class Cores {
    /** The core of whoever sends. */
    static final int SENDER = 0;
    /** The core of whoever takes. */
    static final int TAKER = 1;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle SET_AFFINITY = handle("sched_setaffinity", FunctionDescriptor.of(
            ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS));

    private Cores() {}

    private static MethodHandle handle(String name, FunctionDescriptor descriptor) {
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), descriptor);
    }

    /**
     * Binds the calling thread to a core. Where the system refuses, figures mean nothing, and it says so.
     *
     * @param core the core
     */
    static void pin(int core) {
        try (Arena lifetime = Arena.ofConfined()) {
            MemorySegment mask = lifetime.allocate(ValueLayout.JAVA_LONG);
            mask.set(ValueLayout.JAVA_LONG, 0, 1L << core);
            if ((int) SET_AFFINITY.invokeExact(0, mask.byteSize(), mask) != 0) {
                System.err.println("cannot pin a thread to core " + core + ": the figures mean nothing");
            }
        } catch (Throwable failure) {
            throw new IllegalStateException("sched_setaffinity", failure);
        }
    }
}
