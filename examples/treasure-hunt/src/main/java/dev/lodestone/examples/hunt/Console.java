package dev.lodestone.examples.hunt;

import java.io.PrintStream;
import java.util.Locale;

/** What the user sees. On a terminal the live line replaces itself; elsewhere (a file, a pipe) each is a line of its own. */
final class Console {
    private static final String CLEAR_TO_END = "\u001b[K";

    private final PrintStream out;
    private final boolean terminal;
    private boolean liveShown;

    Console(PrintStream out, boolean terminal) {
        this.out = out;
        this.terminal = terminal;
    }

    /** Standard output. */
    static Console standard() {
        java.io.Console system = System.console();
        return new Console(System.out, system != null && system.isTerminal());
    }

    /** A line that stays. */
    synchronized void line(String format, Object... values) {
        endLive();
        out.println(text(format, values));
        out.flush();
    }

    /** The live line. */
    synchronized void live(String text) {
        if (terminal) {
            out.print("\r" + text + CLEAR_TO_END);
            liveShown = true;
        } else {
            out.println(text);
        }
        out.flush();
    }

    /** Leaves the live line as it is; what follows begins on the next one. */
    synchronized void endLive() {
        if (liveShown) {
            out.println();
            liveShown = false;
        }
    }

    /** Formats with points as decimal separators whatever the user's language. */
    static String text(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
