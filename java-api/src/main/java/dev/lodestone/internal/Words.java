package dev.lodestone.internal;

import static dev.lodestone.bindings.NativeAccess.ALL;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Little-endian words at addresses. Nothing checks an address: callers check their own index first.
 *
 * <p>All go through one constant segment, which the just-in-time compiler sees through.
 */
public final class Words {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG_UNALIGNED =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT_UNALIGNED = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT_UNALIGNED =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle LONG_HANDLE = LONG.varHandle().withInvokeExactBehavior();
    private static final VarHandle INT_HANDLE = INT.varHandle().withInvokeExactBehavior();

    /** Of addresses of lines: no process has memory beyond 56 bits. */
    private static final long LINE_MASK = (1L << 56) - 64;

    private Words() {}

    /**
     * The same address, of which the just-in-time compiler then knows that it is a line's: it leaves out the checks of bounds
     * and alignment of all accesses to that line, which else are most of what writing a record takes.
     *
     * @param address address, a multiple of 64
     * @return the address
     */
    public static long line(long address) {
        return address & LINE_MASK;
    }

    /**
     * Reads a word; later reads see what was written before it was stored with release.
     *
     * @param address address, a multiple of 8
     * @return the word
     */
    public static long acquire(long address) {
        return (long) LONG_HANDLE.getAcquire(ALL, address);
    }

    /**
     * Reads a word that others may write, whole but in no order with other words.
     *
     * @param address address, a multiple of 8
     * @return the word
     */
    public static long opaque(long address) {
        return (long) LONG_HANDLE.getOpaque(ALL, address);
    }

    /**
     * Writes a word; whoever reads it with acquire sees what was written before.
     *
     * @param address address, a multiple of 8
     * @param value the word
     */
    public static void release(long address, long value) {
        LONG_HANDLE.setRelease(ALL, address, value);
    }

    /**
     * Writes a word that others may read, whole but in no order with other words.
     *
     * @param address address, a multiple of 8
     * @param value the word
     */
    public static void putOpaque(long address, long value) {
        LONG_HANDLE.setOpaque(ALL, address, value);
    }

    /**
     * Replaces a word if it is the one expected, in order with everything.
     *
     * @param address address, a multiple of 8
     * @param expected the word that must be there
     * @param value the word to put in its place
     * @return whether it was replaced
     */
    public static boolean replace(long address, long expected, long value) {
        return LONG_HANDLE.compareAndSet(ALL, address, expected, value);
    }

    /**
     * Reads half a word that others may write.
     *
     * @param address address, a multiple of 4
     * @return the half
     */
    public static int opaqueInt(long address) {
        return (int) INT_HANDLE.getOpaque(ALL, address);
    }

    /**
     * Writes half a word that others may read.
     *
     * @param address address, a multiple of 4
     * @param value the half
     */
    public static void putOpaqueInt(long address, int value) {
        INT_HANDLE.setOpaque(ALL, address, value);
    }

    /**
     * Replaces half a word if it is the one expected, in order with everything.
     *
     * @param address address, a multiple of 4
     * @param expected the half that must be there
     * @param value the half to put in its place
     * @return whether it was replaced
     */
    public static boolean replaceInt(long address, int expected, int value) {
        return INT_HANDLE.compareAndSet(ALL, address, expected, value);
    }

    /**
     * Copies bytes out of a segment.
     *
     * @param from the segment
     * @param offset offset of the first byte in it
     * @param to address of the first byte's new place
     * @param bytes how many
     */
    public static void copy(MemorySegment from, long offset, long to, long bytes) {
        MemorySegment.copy(from, offset, ALL, to, bytes);
    }

    /**
     * Copies bytes out of an array.
     *
     * @param from the array
     * @param offset index of the first byte in it
     * @param to address of the first byte's new place
     * @param bytes how many
     */
    public static void copy(byte[] from, int offset, long to, int bytes) {
        MemorySegment.copy(from, offset, ALL, ValueLayout.JAVA_BYTE, to, bytes);
    }

    /**
     * Reads 8 bytes.
     *
     * @param address any address
     * @return the value
     */
    public static long longAt(long address) {
        return ALL.get(LONG_UNALIGNED, address);
    }

    /**
     * Reads 4 bytes.
     *
     * @param address any address
     * @return the value
     */
    public static int intAt(long address) {
        return ALL.get(INT_UNALIGNED, address);
    }

    /**
     * Reads 2 bytes as an unsigned number.
     *
     * @param address any address
     * @return the value, 0 to 65,535
     */
    public static int shortAt(long address) {
        return Short.toUnsignedInt(ALL.get(SHORT_UNALIGNED, address));
    }

    /**
     * Reads a byte as an unsigned number.
     *
     * @param address any address
     * @return the value, 0 to 255
     */
    public static int byteAt(long address) {
        return Byte.toUnsignedInt(ALL.get(ValueLayout.JAVA_BYTE, address));
    }

    /**
     * Writes 8 bytes.
     *
     * @param address any address
     * @param value the value
     */
    public static void putLong(long address, long value) {
        ALL.set(LONG_UNALIGNED, address, value);
    }

    /**
     * Writes 4 bytes.
     *
     * @param address any address
     * @param value the value
     */
    public static void putInt(long address, int value) {
        ALL.set(INT_UNALIGNED, address, value);
    }

    /**
     * Writes the low 2 bytes.
     *
     * @param address any address
     * @param value the value
     */
    public static void putShort(long address, int value) {
        ALL.set(SHORT_UNALIGNED, address, (short) value);
    }

    /**
     * Writes the low byte.
     *
     * @param address any address
     * @param value the value
     */
    public static void putByte(long address, int value) {
        ALL.set(ValueLayout.JAVA_BYTE, address, (byte) value);
    }

    /**
     * Copies bytes.
     *
     * @param from address of the first byte
     * @param to address of the first byte's new place
     * @param bytes how many
     */
    public static void copy(long from, long to, long bytes) {
        MemorySegment.copy(ALL, from, ALL, to, bytes);
    }

    /**
     * Copies bytes into a new array.
     *
     * @param from address of the first byte
     * @param bytes how many
     * @return the array
     */
    public static byte[] bytes(long from, int bytes) {
        byte[] copy = new byte[bytes];
        MemorySegment.copy(ALL, ValueLayout.JAVA_BYTE, from, copy, 0, bytes);
        return copy;
    }

    /**
     * Fills with zero.
     *
     * @param address address of the first byte
     * @param bytes how many
     */
    public static void clear(long address, long bytes) {
        ALL.asSlice(address, bytes).fill((byte) 0);
    }
}
