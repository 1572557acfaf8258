package dev.lodestone.internal;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/** UTF-8 text in native memory. */
final class Texts {
    private Texts() {}

    /** The first {@code length} bytes; a length beyond the field is cut. */
    static String of(MemorySegment field, long length) {
        byte[] bytes = field.asSlice(0, Math.clamp(length, 0, field.byteSize())).toArray(ValueLayout.JAVA_BYTE);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** The bytes before the first zero. */
    static String padded(MemorySegment field) {
        long length = 0;
        while (length < field.byteSize() && field.get(ValueLayout.JAVA_BYTE, length) != 0) {
            length++;
        }
        return of(field, length);
    }
}
