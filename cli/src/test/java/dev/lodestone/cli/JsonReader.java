package dev.lodestone.cli;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A strict reader of JSON: what it takes is JSON, anything else fails the test. */
final class JsonReader {
    private static final Pattern NUMBER = Pattern.compile("-?(0|[1-9]\\d*)(\\.\\d+)?([eE][+-]?\\d+)?");
    private static final Pattern STRING = Pattern.compile(
            "\"((?:[^\"\\\\\\x00-\\x1f]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4})*)\"");
    private static final Pattern UNICODE = Pattern.compile("\\\\u([0-9a-fA-F]{4})");

    private final String text;
    private int at;

    private JsonReader(String text) {
        this.text = text;
    }

    static Map<?, ?> object(String text) {
        JsonReader reader = new JsonReader(text.strip());
        Object value = reader.value();
        if (reader.at != reader.text.length() || !(value instanceof Map<?, ?> map)) {
            throw reader.bad();
        }
        return map;
    }

    private AssertionError bad() {
        return new AssertionError("no JSON object, see character " + at + " of: " + text);
    }

    private Object value() {
        if (at >= text.length()) {
            throw bad();
        }
        return switch (text.charAt(at)) {
            case '{' -> map();
            case '[' -> list();
            case '"' -> unescaped(matched(STRING).group(1));
            case 't' -> word("true", Boolean.TRUE);
            case 'f' -> word("false", Boolean.FALSE);
            case 'n' -> word("null", null);
            default -> new BigDecimal(matched(NUMBER).group());
        };
    }

    private static String unescaped(String inside) {
        String text = UNICODE.matcher(inside).replaceAll(
                found -> Matcher.quoteReplacement(Character.toString(Integer.parseInt(found.group(1), 16))));
        return text.replaceAll("\\\\([\"\\\\/])", "$1");
    }

    private Object word(String word, Object meaning) {
        if (!text.startsWith(word, at)) {
            throw bad();
        }
        at += word.length();
        return meaning;
    }

    private Matcher matched(Pattern pattern) {
        Matcher matcher = pattern.matcher(text).region(at, text.length());
        if (!matcher.lookingAt()) {
            throw bad();
        }
        at = matcher.end();
        return matcher;
    }

    private boolean took(char letter) {
        boolean there = at < text.length() && text.charAt(at) == letter;
        at += there ? 1 : 0;
        return there;
    }

    private void need(char letter) {
        if (!took(letter)) {
            throw bad();
        }
    }

    private Map<String, Object> map() {
        Map<String, Object> map = new LinkedHashMap<>();
        need('{');
        if (took('}')) {
            return map;
        }
        do {
            String key = unescaped(matched(STRING).group(1));
            need(':');
            if (map.containsKey(key)) {
                throw bad();
            }
            map.put(key, value());
        } while (took(','));
        need('}');
        return map;
    }

    private List<Object> list() {
        List<Object> list = new ArrayList<>();
        need('[');
        if (took(']')) {
            return list;
        }
        do {
            list.add(value());
        } while (took(','));
        need(']');
        return list;
    }
}
