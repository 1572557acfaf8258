package dev.lodestone.bindings;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * The few calls of the C library that attaching to another process's engine needs and Java has no method for. Linux only:
 * elsewhere each says that it can do nothing. None is on a hot path. Any thread.
 */
public final class SystemCalls {
    private static final boolean LINUX = System.getProperty("os.name").equals("Linux");

    // The numbers of Linux, the same on x86-64 and on AArch64.
    private static final int READ_WRITE = 0x1 | 0x2;
    private static final int PRIVATE_FIXED_ANONYMOUS_NORESERVE = 0x2 | 0x10 | 0x20 | 0x4000;
    private static final int READ_ONLY_CLOSE_ON_EXEC = 0x80000;
    private static final int SHARED_NOT_BLOCKING = 0x1 | 0x4;
    private static final int UNLOCK = 0x8;

    private SystemCalls() {}

    /** The calls, looked up once, and only where one is made. */
    private static final class Handles {
        private static final MethodHandle MMAP = handle("mmap", FunctionDescriptor.of(
                ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG));
        private static final MethodHandle OPEN = handle("open",
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
                Linker.Option.firstVariadicArg(2));
        private static final MethodHandle FLOCK = handle("flock",
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
        private static final MethodHandle CLOSE = handle("close",
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));

        private static MethodHandle handle(String name, FunctionDescriptor about, Linker.Option... options) {
            Linker linker = Linker.nativeLinker();
            return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), about, options);
        }
    }

    /**
     * Puts fresh zero pages in the place of mapped memory, in one step: whoever reads there meanwhile finds the old bytes or
     * zeros, and never a fault. The old memory is let go. The new pages take no memory until somebody writes.
     *
     * @param address first address of a mapping that the caller owns and never unmaps
     * @param bytes its length
     * @return false where that cannot be done: then the memory stays as it is
     */
    public static boolean replaceByZeros(long address, long bytes) {
        try {
            return LINUX && (long) Handles.MMAP.invokeExact(address, bytes, READ_WRITE, PRIVATE_FIXED_ANONYMOUS_NORESERVE, -1,
                    0L) == address;
        } catch (Throwable impossible) {
            throw unexpected(impossible);
        }
    }

    /**
     * Opens a file for reading, for its lock. Programs that this process starts do not inherit it.
     *
     * @param path the file
     * @return a file descriptor, to be closed; negative when the file cannot be opened
     */
    public static int open(String path) {
        try (Arena name = Arena.ofConfined()) {
            return LINUX ? (int) Handles.OPEN.invokeExact(name.allocateFrom(path), READ_ONLY_CLOSE_ON_EXEC) : -1;
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

    private static LinkageError unexpected(Throwable thrown) {
        return new LinkageError("a system call threw", thrown);
    }
}
