package dev.lodestone.examples.hunt;

import java.util.List;
import java.util.Locale;

/** Writes one JSON object, a member on each line; members keep the order in which they are added. */
final class JsonWriter {
    private final StringBuilder members = new StringBuilder();
    private final String indent;

    JsonWriter() {
        this("");
    }

    private JsonWriter(String indent) {
        this.indent = indent;
    }

    /** A writer for an object inside of this one. */
    JsonWriter inner() {
        return new JsonWriter(indent + "  ");
    }

    JsonWriter add(String name, long value) {
        return raw(name, Long.toString(value));
    }

    /** Adds a number with at most so many decimals; whatever JSON cannot hold (NaN, infinite) becomes null. */
    JsonWriter add(String name, double value, int decimals) {
        return raw(name, Double.isFinite(value) ? decimal(value, decimals) : "null");
    }

    JsonWriter add(String name, boolean value) {
        return raw(name, Boolean.toString(value));
    }

    JsonWriter add(String name, String value) {
        return raw(name, quoted(value));
    }

    JsonWriter add(String name, JsonWriter object) {
        return raw(name, object.toString());
    }

    JsonWriter add(String name, List<JsonWriter> objects) {
        if (objects.isEmpty()) {
            return raw(name, "[]");
        }
        List<String> texts = objects.stream().map(JsonWriter::toString).toList();
        return raw(name, "[" + String.join(", ", texts) + "]");
    }

    private JsonWriter raw(String name, String value) {
        members.append(members.isEmpty() ? "\n" : ",\n").append(indent).append("  ");
        members.append(quoted(name)).append(": ").append(value);
        return this;
    }

    private static String decimal(double value, int decimals) {
        String fixed = String.format(Locale.ROOT, "%." + decimals + "f", value);
        String shortened = fixed.contains(".") ? fixed.replaceAll("0+$", "").replaceAll("\\.$", "") : fixed;
        return shortened.equals("-0") ? "0" : shortened;
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char character : text.toCharArray()) {
            if (character == '"' || character == '\\') {
                out.append('\\').append(character);
            } else if (character < ' ') {
                out.append(String.format(Locale.ROOT, "\\u%04x", (int) character));
            } else {
                out.append(character);
            }
        }
        return out.append('"').toString();
    }

    @Override
    public String toString() {
        return members.isEmpty() ? "{}" : "{" + members + "\n" + indent + "}";
    }
}
