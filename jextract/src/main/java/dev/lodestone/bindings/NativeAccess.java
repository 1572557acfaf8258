package dev.lodestone.bindings;

import java.lang.foreign.MemorySegment;
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
