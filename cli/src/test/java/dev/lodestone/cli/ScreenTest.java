package dev.lodestone.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A table takes the place of the one before it, and never more room than there is. */
class ScreenTest {
    private static final String START = "\033[H\033[J";

    private static String shown(int rows, int columns, List<String> lines) {
        StringWriter shown = new StringWriter();
        new Screen(new PrintWriter(shown), () -> new Screen.Size(rows, columns)).show(lines);
        return shown.toString();
    }

    @Test
    void whatFitsIsShownWhole() {
        assertEquals(START + "ab\nc\n", shown(3, 2, List.of("ab", "c")));
    }

    @Test
    void whatDoesNotFitIsCutAndSaidToBe() {
        assertEquals(START + "a\n... 2 more lines: enlarge the terminal\n", shown(3, 80, List.of("a", "b", "c")));
        assertEquals(START + "abc\nd\n", shown(3, 3, List.of("abcd", "d")));
        assertEquals(START + "a\n", shown(1, 80, List.of("a")));
    }
}
