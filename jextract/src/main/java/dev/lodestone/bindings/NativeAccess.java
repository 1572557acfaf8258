package dev.lodestone.bindings;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * The restricted calls that the generated code does not make itself.
 *
 * <p>They live in this module so that the user has to grant native access to one module only, and because a library is
 * found only by code of the class loader that loaded it.
 */
public final class NativeAccess {
    /**
     * All of the address space as one segment. A constant to the just-in-time compiler: an access through it costs half
     * of one through a segment in a field. Nothing checks the address, so every caller checks its own index first.
     */
    public static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    private NativeAccess() {}

    /** The system's call that maps memory, looked up once, and only where something is to be replaced. */
    private static final class Mapping {
        private static final int READ_WRITE = 1 | 2;
        private static final int PRIVATE_FIXED_ANONYMOUS_NORESERVE = 0x2 | 0x10 | 0x20 | 0x4000;
        private static final MethodHandle MMAP = mmap();

        private static MethodHandle mmap() {
            Linker linker = Linker.nativeLinker();
            return linker.downcallHandle(linker.defaultLookup().findOrThrow("mmap"), FunctionDescriptor.of(
                    ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG));
        }
    }

    /**
     * Puts fresh zero pages in the place of mapped memory, in one step: whoever reads there meanwhile finds the old bytes or
     * zeros, and never a fault. The old memory is let go. What follows takes no memory until somebody writes.
     *
     * @param address first address of a mapping that the caller owns and never unmaps
     * @param bytes its length
     * @return false where this system has no such call: then the memory stays as it is
     */
    public static boolean replaceByZeros(long address, long bytes) {
        // The numbers in this call are those of Linux, the same on x86-64 and on AArch64.
        if (!System.getProperty("os.name").equals("Linux")) {
            return false;
        }
        try {
            return (long) Mapping.MMAP.invokeExact(address, bytes, Mapping.READ_WRITE,
                    Mapping.PRIVATE_FIXED_ANONYMOUS_NORESERVE, -1, 0L) == address;
        } catch (Throwable impossible) {
            throw new LinkageError("mmap threw", impossible);
        }
    }

    /**
     * Loads the native library.
     *
     * @param library absolute path of the library
     * @throws UnsatisfiedLinkError when the system cannot load it
     */
    public static void load(Path library) {
        System.load(library.toString());
    }
}
