package dev.lodestone.examples.hunt;

/**
 * Reads one JSON object, strictly: what RFC 8259 calls an object, but without arrays and null, which the client's lines do
 * not use, and with whole numbers that fit a {@code long}. Nesting is bounded.
 */
final class JsonParser {
    private static final int DEPTH_MAX = 8;

    private final String text;
    private int position;

    private JsonParser(String text) {
        this.text = text;
    }

    /**
     * Reads a text that is one object and nothing else.
     *
     * @param text the text
     * @return the object
     * @throws JsonException when it is not
     */
    static JsonObject parse(String text) throws JsonException {
        JsonParser parser = new JsonParser(text);
        parser.skipBlanks();
        JsonObject object = parser.object(1);
        parser.skipBlanks();
        if (parser.position < text.length()) {
            throw parser.expected("the end");
        }
        return object;
    }

    private JsonObject object(int depth) throws JsonException {
        if (depth > DEPTH_MAX) {
            throw new JsonException("objects are nested more than " + DEPTH_MAX + " deep");
        }
        JsonObject object = new JsonObject();
        take('{');
        skipBlanks();
        if (next() == '}') {
            position++;
            return object;
        }
        while (true) {
            skipBlanks();
            int at = position;
            if (!object.add(memberName(), value(depth))) {
                throw new JsonException("a name occurs twice at character " + at);
            }
            skipBlanks();
            if (next() == '}') {
                position++;
                return object;
            }
            take(',');
        }
    }

    private String memberName() throws JsonException {
        String name = string();
        skipBlanks();
        take(':');
        skipBlanks();
        return name;
    }

    private Object value(int depth) throws JsonException {
        return switch (next()) {
            case '"' -> string();
            case '{' -> object(depth + 1);
            case 't' -> word("true", true);
            case 'f' -> word("false", false);
            default -> number();
        };
    }

    private Boolean word(String word, boolean meaning) throws JsonException {
        if (!text.startsWith(word, position)) {
            throw expected(word);
        }
        position += word.length();
        return meaning;
    }

    private String string() throws JsonException {
        take('"');
        StringBuilder read = new StringBuilder();
        while (next() != '"') {
            char character = text.charAt(position++);
            if (character < ' ') {
                throw new JsonException("a bare control character at character " + (position - 1));
            }
            read.append(character == '\\' ? escaped() : character);
        }
        position++;
        return read.toString();
    }

    private char escaped() throws JsonException {
        char kind = next();
        position++;
        return switch (kind) {
            case '"', '\\', '/' -> kind;
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'u' -> hexadecimal();
            default -> throw new JsonException("an unknown escape at character " + (position - 1));
        };
    }

    private char hexadecimal() throws JsonException {
        int value = 0;
        for (int i = 0; i < 4; i++) {
            int digit = Character.digit(next(), 16);
            if (digit < 0) {
                throw expected("a hexadecimal digit");
            }
            value = value << 4 | digit;
            position++;
        }
        return (char) value;
    }

    private Number number() throws JsonException {
        int start = position;
        if (next() == '-') {
            position++;
        }
        int first = position;
        int digits = digits();
        if (digits == 0 || digits > 1 && text.charAt(first) == '0') {
            position = start;
            throw expected("a value");
        }
        boolean whole = !fraction();
        whole &= !exponent();
        String number = text.substring(start, position);
        try {
            // Not a conditional expression: that would turn both into a double.
            if (whole) {
                return Long.valueOf(number);
            }
            return Double.valueOf(number);
        } catch (NumberFormatException tooLarge) {
            throw new JsonException("the number " + number + " does not fit 64 bits");
        }
    }

    private boolean fraction() throws JsonException {
        if (!nextIs('.')) {
            return false;
        }
        position++;
        requireDigits();
        return true;
    }

    private boolean exponent() throws JsonException {
        if (!nextIs('e') && !nextIs('E')) {
            return false;
        }
        position++;
        if (nextIs('+') || nextIs('-')) {
            position++;
        }
        requireDigits();
        return true;
    }

    private void requireDigits() throws JsonException {
        if (digits() == 0) {
            throw expected("a digit");
        }
    }

    private int digits() {
        int start = position;
        while (position < text.length() && text.charAt(position) >= '0' && text.charAt(position) <= '9') {
            position++;
        }
        return position - start;
    }

    private void skipBlanks() {
        while (nextIs(' ') || nextIs('\t') || nextIs('\n') || nextIs('\r')) {
            position++;
        }
    }

    private boolean nextIs(char character) {
        return position < text.length() && text.charAt(position) == character;
    }

    private char next() throws JsonException {
        if (position >= text.length()) {
            throw new JsonException("the text ends too early, at character " + position);
        }
        return text.charAt(position);
    }

    private void take(char character) throws JsonException {
        if (next() != character) {
            throw expected("'" + character + "'");
        }
        position++;
    }

    private JsonException expected(String what) {
        String found = position < text.length() ? "'" + text.charAt(position) + "'" : "the end";
        return new JsonException("expected " + what + " at character " + position + ", found " + found);
    }
}
