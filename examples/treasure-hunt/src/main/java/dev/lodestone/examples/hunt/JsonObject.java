package dev.lodestone.examples.hunt;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** A JSON object that was read; every look-up says what is missing or of another kind. */
final class JsonObject {
    private final Map<String, Object> members = new LinkedHashMap<>();

    /** Adds a member; false when the name is taken. */
    boolean add(String name, Object value) {
        return members.putIfAbsent(name, value) == null;
    }

    Set<String> names() {
        return members.keySet();
    }

    String text(String name) throws JsonException {
        return member(name, String.class, "a text");
    }

    long number(String name) throws JsonException {
        return member(name, Long.class, "a whole number");
    }

    double decimal(String name) throws JsonException {
        return member(name, Number.class, "a number").doubleValue();
    }

    boolean flag(String name) throws JsonException {
        return member(name, Boolean.class, "true or false");
    }

    JsonObject object(String name) throws JsonException {
        return member(name, JsonObject.class, "an object");
    }

    private <T> T member(String name, Class<T> kind, String expected) throws JsonException {
        Object value = members.get(name);
        if (!kind.isInstance(value)) {
            throw new JsonException("\"" + name + "\" is not " + expected + " but " + (value == null ? "missing" : value));
        }
        return kind.cast(value);
    }

    @Override
    public String toString() {
        return members.toString();
    }
}
