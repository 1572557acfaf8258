package dev.lodestone.examples.hunt;

/** A text is not the JSON that was expected; the message says where or what. */
final class JsonException extends Exception {
    private static final long serialVersionUID = 1L;

    JsonException(String what) {
        super(what);
    }
}
