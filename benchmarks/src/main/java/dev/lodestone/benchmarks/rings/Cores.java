package dev.lodestone.benchmarks.rings;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** Which core a thread runs on, and what a call of C costs. */
final class Cores {
    /** The core of whoever sends. */
    static final int SENDER = 0;
    /** The core of whoever takes. */
    static final int TAKER = 1;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle SET_AFFINITY = handle("sched_setaffinity", FunctionDescriptor.of(
            ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS));
    private static final FunctionDescriptor LONG_TO_LONG =
            FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG);
    private static final MethodHandle PLAIN = handle("labs", LONG_TO_LONG);
    private static final MethodHandle CRITICAL = handle("labs", LONG_TO_LONG, Linker.Option.critical(false));

    private Cores() {}

    private static MethodHandle handle(String name, FunctionDescriptor descriptor, Linker.Option... options) {
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), descriptor, options);
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

    /** A downcall of a C function that does next to nothing, as the linker makes it by default. */
    static final class Plain implements Contender {
        @Override
        public String row() {
            return "downcall";
        }

        @Override
        public String name() {
            return "plain";
        }

        @Override
        public long run(int count) {
            long begun = System.nanoTime();
            long sum = 0;
            try {
                for (long call = 0; call < count; call++) {
                    sum += (long) PLAIN.invokeExact(-call);
                }
            } catch (Throwable failure) {
                throw new IllegalStateException("labs", failure);
            }
            return checked(begun, sum, count);
        }
    }

    /** The same with {@code Linker.Option.critical}: without a transition of the thread's state. */
    static final class Critical implements Contender {
        @Override
        public String row() {
            return "downcall";
        }

        @Override
        public String name() {
            return "critical";
        }

        @Override
        public long run(int count) {
            long begun = System.nanoTime();
            long sum = 0;
            try {
                for (long call = 0; call < count; call++) {
                    sum += (long) CRITICAL.invokeExact(-call);
                }
            } catch (Throwable failure) {
                throw new IllegalStateException("labs", failure);
            }
            return checked(begun, sum, count);
        }
    }

    private static long checked(long begun, long sum, long count) {
        long took = System.nanoTime() - begun;
        if (sum != count * (count - 1) / 2) {
            throw new IllegalStateException("labs gave a sum of " + sum);
        }
        return took;
    }
}
