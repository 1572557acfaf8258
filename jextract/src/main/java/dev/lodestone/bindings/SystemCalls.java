package dev.lodestone.bindings;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.ref.Reference;

/**
 * The few calls of the C library that attaching to another process's engine needs and Java has no method for. Linux only:
 * elsewhere each says that it can do nothing. Only sleeping and waking are ever on a hot path. Any thread.
 */
public final class SystemCalls {
    private static final boolean LINUX = System.getProperty("os.name").equals("Linux");

    // The numbers of Linux, the same on x86-64 and on AArch64.
    private static final int NOTHING = 0;
    private static final int READ_ONLY = 0x1;
    private static final int READ_WRITE = 0x1 | 0x2;
    private static final int SHARED = 0x1;
    private static final int FIXED = 0x10;
    private static final int PRIVATE_ANONYMOUS_NORESERVE = 0x2 | 0x20 | 0x4000;
    private static final int CLOSE_ON_EXEC = 0x80000;
    private static final int OPEN_TO_WRITE = 0x2;
    private static final int SHARED_NOT_BLOCKING = 0x1 | 0x4;
    private static final int UNLOCK = 0x8;
    private static final int FUTEX_WAIT = 0;
    private static final int FUTEX_WAKE = 1;
    private static final long BARRIER_GLOBAL_EXPEDITED = 0x2;
    private static final long BARRIER_REGISTER_GLOBAL_EXPEDITED = 0x4;
    private static final long NANOS_A_SECOND = 1_000_000_000;

    // These two differ; elsewhere there is neither.
    private static final boolean X86 = System.getProperty("os.arch").equals("amd64");
    private static final boolean ARM = System.getProperty("os.arch").equals("aarch64");
    private static final long NUMBER_FUTEX = X86 ? 202 : 98;
    private static final long NUMBER_MEMBARRIER = X86 ? 324 : 283;

    /**
     * Places of mappings are whole large pages. The system aligns what is larger than one to them, so that with any other size
     * there are gaps between places, and each stays a mapping of its own for ever. A process may have 65,530 of those.
     */
    private static final long PLACE_BYTES = 2 << 20;

    /** Bytes of the memory that {@link #sleep} needs. */
    public static final long SLEEP_BYTES = 16;
    /** Whether this system has {@link #sleep} and {@link #wake}. */
    public static final boolean SLEEPS = LINUX && (X86 || ARM);

    private SystemCalls() {}

    /** The calls, looked up once, and only where one is made. */
    private static final class Handles {
        private static final MethodHandle MMAP = handle("mmap", FunctionDescriptor.of(
                ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG));
        private static final MethodHandle MUNMAP = handle("munmap",
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
        private static final MethodHandle OPEN = handle("open",
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
                Linker.Option.firstVariadicArg(2));
        private static final MethodHandle FLOCK = handle("flock",
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
        private static final MethodHandle CLOSE = handle("close",
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));

        private static final MethodHandle FUTEX = handle("syscall", FunctionDescriptor.of(ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG), Linker.Option.firstVariadicArg(1));
        private static final MethodHandle MEMBARRIER = handle("syscall", FunctionDescriptor.of(ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG), Linker.Option.firstVariadicArg(1));

        private static MethodHandle handle(String name, FunctionDescriptor about, Linker.Option... options) {
            Linker linker = Linker.nativeLinker();
            return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), about, options);
        }
    }

    /**
     * Maps a part of a file, shared, at a place that is its own: {@link #replaceByZeros} makes it zero pages again, which lie
     * side by side with those of other places and count as one mapping to the system, however many there are.
     *
     * @param descriptor from {@link #open}
     * @param offset first byte, a multiple of 4,096
     * @param bytes how many, all of which the file must have
     * @param writable whether it may be written; the descriptor must be so, too
     * @return the address; negative where the system refuses
     */
    public static long map(int descriptor, long offset, long bytes, boolean writable) {
        try {
            long place = LINUX ? (long) Handles.MMAP.invokeExact(0L, placeBytes(bytes), NOTHING, PRIVATE_ANONYMOUS_NORESERVE,
                    -1, 0L) : -1;
            if (place < 0) {
                return -1;
            }
            long mapped = (long) Handles.MMAP.invokeExact(place, bytes, writable ? READ_WRITE : READ_ONLY, SHARED | FIXED,
                    descriptor, offset);
            // Refused, the place may be a hole by now that another thread has mapped something into: nothing is unmapped there,
            // and the addresses, which hold no memory, stay taken.
            return mapped == place ? place : -1;
        } catch (Throwable impossible) {
            throw unexpected(impossible);
        }
    }

    private static long placeBytes(long bytes) {
        return bytes + PLACE_BYTES - 1 & -PLACE_BYTES;
    }

    /**
     * Gives a place back to the system, with its addresses.
     *
     * @param address from {@link #map}; nobody reads or writes there any more
     * @param bytes as they were mapped
     */
    public static void unmap(long address, long bytes) {
        try {
            // The range is whole pages of this process, so that there is nothing to refuse.
            int answer = (int) Handles.MUNMAP.invokeExact(address, placeBytes(bytes));
        } catch (Throwable impossible) {
            throw unexpected(impossible);
        }
    }

    /**
     * Puts fresh zero pages in the place of mapped memory, in one step: whoever reads there meanwhile finds the old bytes or
     * zeros, and never a fault. The old memory is let go. The new pages take no memory until somebody writes.
     *
     * @param address from {@link #map}, never to be unmapped
     * @param bytes as they were mapped
     * @return false where that cannot be done: then the memory stays as it is
     */
    public static boolean replaceByZeros(long address, long bytes) {
        try {
            return LINUX && (long) Handles.MMAP.invokeExact(address, placeBytes(bytes), READ_WRITE,
                    PRIVATE_ANONYMOUS_NORESERVE | FIXED, -1, 0L) == address;
        } catch (Throwable impossible) {
            throw unexpected(impossible);
        }
    }

    /**
     * Opens a file. Programs that this process starts do not inherit it.
     *
     * @param path the file
     * @param writable whether for writing, too
     * @return a file descriptor, to be closed; negative when the file cannot be opened
     */
    public static int open(String path, boolean writable) {
        try (Arena name = Arena.ofConfined()) {
            return LINUX ? (int) Handles.OPEN.invokeExact(name.allocateFrom(path), CLOSE_ON_EXEC | (writable ? OPEN_TO_WRITE : 0))
                    : -1;
        } catch (Throwable impossible) {
            throw unexpected(impossible);
        }
    }

    /**
     * Whether some other process has the file locked as its own. (Java's own file locks are of another kind, which this one
     * does not see.)
     *
     * @param descriptor from {@link #open}
     * @return true when it is locked, or that cannot be told
     */
    public static boolean isLocked(int descriptor) {
        try {
            if ((int) Handles.FLOCK.invokeExact(descriptor, SHARED_NOT_BLOCKING) != 0) {
                return true;
            }
            int released = (int) Handles.FLOCK.invokeExact(descriptor, UNLOCK);
            return released != 0;
        } catch (Throwable impossible) {
            throw unexpected(impossible);
        }
    }

    /**
     * Closes a file descriptor.
     *
     * @param descriptor from {@link #open}
     */
    public static void close(int descriptor) {
        try {
            // The descriptor is gone whatever the answer is.
            int answer = (int) Handles.CLOSE.invokeExact(descriptor);
        } catch (Throwable impossible) {
            throw unexpected(impossible);
        }
    }

    /**
     * Sleeps while a half word of shared memory is the expected one, until somebody of any process wakes it. Woken for whatever
     * reason, too late, or another half word: it returns, and the caller looks again.
     *
     * @param address address of the half word, a multiple of 4
     * @param expected what it must be to fall asleep
     * @param nanoseconds longest sleep, not negative
     * @param memory {@link #SLEEP_BYTES} of native memory, aligned to 8, for nobody else during the call
     */
    public static void sleep(long address, int expected, long nanoseconds, MemorySegment memory) {
        memory.set(ValueLayout.JAVA_LONG, 0, nanoseconds / NANOS_A_SECOND);
        memory.set(ValueLayout.JAVA_LONG, Long.BYTES, nanoseconds % NANOS_A_SECOND);
        try {
            // Whatever the answer is: the caller finds out by looking.
            long answer = (long) Handles.FUTEX.invokeExact(NUMBER_FUTEX, address, (long) FUTEX_WAIT,
                    Integer.toUnsignedLong(expected), memory.address());
        } catch (Throwable impossible) {
            throw unexpected(impossible);
        } finally {
            Reference.reachabilityFence(memory);
        }
    }

    /**
     * Wakes every thread of every process that sleeps on a half word of shared memory.
     *
     * @param address address of the half word, a multiple of 4
     */
    public static void wake(long address) {
        try {
            // Nobody asleep, or memory that is gone: nothing to do.
            long answer = (long) Handles.FUTEX.invokeExact(NUMBER_FUTEX, address, (long) FUTEX_WAKE,
                    (long) Integer.MAX_VALUE, 0L);
        } catch (Throwable impossible) {
            throw unexpected(impossible);
        }
    }

    /**
     * Signs this process up for the barriers that others issue on all processors ({@code membarrier}, global and expedited).
     *
     * @return whether it is signed up; false where the system has no such barriers
     */
    public static boolean signUpForBarriers() {
        try {
            return SLEEPS
                    && ((long) Handles.MEMBARRIER.invokeExact(NUMBER_MEMBARRIER, 0L, 0L) & BARRIER_GLOBAL_EXPEDITED) != 0
                    && (long) Handles.MEMBARRIER.invokeExact(NUMBER_MEMBARRIER, BARRIER_REGISTER_GLOBAL_EXPEDITED, 0L) == 0;
        } catch (Throwable impossible) {
            throw unexpected(impossible);
        }
    }

    private static LinkageError unexpected(Throwable thrown) {
        return new LinkageError("a system call threw", thrown);
    }
}
