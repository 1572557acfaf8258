package dev.lodestone.examples.hunt;

/** The command line or the environment asks for something that is not possible; the message is for the user. */
final class UsageException extends Exception {
    private static final long serialVersionUID = 1L;

    UsageException(String what) {
        super(what);
    }
}
