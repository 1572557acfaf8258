package dev.lodestone.cli;

/** How the program ends; scripts rely on these numbers. */
final class Exit {
    /** All is well. */
    static final int FINE = 0;
    /** Something is wrong: a bad configuration, a machine to change, a failed engine, a refusal, a region not to be read. */
    static final int WRONG = 1;
    /** The command line makes no sense, or does not say which of several engines is meant. */
    static final int USAGE = 2;
    /** No living engine is there, or it went away without being closed. */
    static final int NO_ENGINE = 3;

    private Exit() {}
}
