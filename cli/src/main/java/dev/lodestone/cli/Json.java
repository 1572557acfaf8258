package dev.lodestone.cli;

import java.math.BigInteger;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Writes values as JSON text on one line: maps, lists, strings, numbers, true, false and null. */
final class Json {
    private static final int FIRST_PRINTABLE = 0x20;

    private Json() {}

    static String text(Object value) {
        StringBuilder text = new StringBuilder();
        write(text, value);
        return text.toString();
    }

    /** A 64-bit number without a sign. */
    static Number unsigned(long value) {
        return value >= 0 ? (Number) value : new BigInteger(Long.toUnsignedString(value));
    }

    private static void write(StringBuilder text, Object value) {
        switch (value) {
            case null -> text.append("null");
            case Map<?, ?> map -> object(text, map);
            case List<?> list -> array(text, list);
            case Double number when !Double.isFinite(number) -> text.append("null");
            case Number number -> text.append(number);
            case Boolean truth -> text.append(truth);
            default -> string(text, value.toString());
        }
    }

    private static void object(StringBuilder text, Map<?, ?> map) {
        text.append('{');
        Iterator<? extends Map.Entry<?, ?>> entries = map.entrySet().iterator();
        while (entries.hasNext()) {
            Map.Entry<?, ?> entry = entries.next();
            string(text, entry.getKey().toString());
            text.append(':');
            write(text, entry.getValue());
            text.append(entries.hasNext() ? "," : "");
        }
        text.append('}');
    }

    private static void array(StringBuilder text, List<?> list) {
        text.append('[');
        for (int index = 0; index < list.size(); index++) {
            text.append(index > 0 ? "," : "");
            write(text, list.get(index));
        }
        text.append(']');
    }

    private static void string(StringBuilder text, String value) {
        text.append('"');
        for (int index = 0; index < value.length(); index++) {
            char letter = value.charAt(index);
            if (letter == '"' || letter == '\\') {
                text.append('\\').append(letter);
            } else if (letter < FIRST_PRINTABLE || Character.isSurrogate(letter)) {
                text.append(String.format("\\u%04x", (int) letter));
            } else {
                text.append(letter);
            }
        }
        text.append('"');
    }
}
