package dev.lodestone.cli;

import java.io.Console;
import java.io.PrintWriter;
import java.util.List;

/** A table that takes the place of the one before it on a terminal. One thread. */
final class Screen {
    /** Cursor up by the given number of lines, then erase all below it. */
    private static final String BACK = "\033[%dA\033[J";

    private final PrintWriter out;
    private int linesShown;

    Screen(PrintWriter out) {
        this.out = out;
    }

    /** Whether input and output of this program are a terminal. */
    static boolean isThere() {
        Console console = System.console();
        return console != null && console.isTerminal();
    }

    void show(List<String> lines) {
        if (linesShown > 0) {
            out.print(String.format(BACK, linesShown));
        }
        lines.forEach(out::println);
        linesShown = lines.size();
    }
}
