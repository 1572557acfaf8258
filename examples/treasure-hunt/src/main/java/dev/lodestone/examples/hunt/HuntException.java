package dev.lodestone.examples.hunt;

/** The hunt cannot go on. The message says what happened and what to do. */
final class HuntException extends Exception {
    private static final long serialVersionUID = 1L;

    HuntException(String what) {
        super(what);
    }

    HuntException(String what, Throwable cause) {
        super(what, cause);
    }
}
