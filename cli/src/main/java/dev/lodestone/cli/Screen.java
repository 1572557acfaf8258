package dev.lodestone.cli;

import java.io.Console;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.ProcessBuilder.Redirect;
import java.util.List;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A table that takes the place of the one before it on a terminal, cut to what fits. One thread. */
final class Screen {
    /** Cursor to the first place, then erase all behind it: right however the terminal has wrapped or scrolled. */
    private static final String HOME_AND_ERASE = "\033[H\033[J";
    private static final Size USUAL = new Size(24, 80);
    private static final Pattern SIZE = Pattern.compile("([1-9]\\d{0,3}) ([1-9]\\d{0,3})");

    /**
     * The size of a terminal.
     *
     * @param rows its rows
     * @param columns characters in one
     */
    record Size(int rows, int columns) {}

    private final PrintWriter out;
    private final Supplier<Size> size;

    Screen(PrintWriter out, Supplier<Size> size) {
        this.out = out;
        this.size = size;
    }

    /** Whether input and output of this program are a terminal. */
    static boolean isThere() {
        Console console = System.console();
        return console != null && console.isTerminal();
    }

    /** The size of the terminal that is this program's input; the usual one where it cannot be told. */
    static Size terminalSize() {
        try {
            Process stty = new ProcessBuilder("stty", "size").redirectInput(Redirect.INHERIT)
                    .redirectError(Redirect.DISCARD).start();
            try (var told = stty.inputReader()) {
                Matcher found = SIZE.matcher(String.valueOf(told.readLine()));
                return found.matches()
                        ? new Size(Integer.parseInt(found.group(1)), Integer.parseInt(found.group(2)))
                        : USUAL;
            }
        } catch (IOException noSuchProgram) {
            return USUAL;
        }
    }

    void show(List<String> lines) {
        Size now = size.get();
        // The last row stays free for the cursor.
        int fitting = Math.max(1, now.rows() - 1);
        StringBuilder text = new StringBuilder(HOME_AND_ERASE);
        for (int index = 0; index < Math.min(lines.size(), fitting); index++) {
            boolean isCut = index == fitting - 1 && lines.size() > fitting;
            String line = isCut ? "... " + (lines.size() - index) + " more lines: enlarge the terminal" : lines.get(index);
            text.append(line, 0, Math.min(line.length(), now.columns())).append('\n');
        }
        out.print(text);
        out.flush();
    }
}
