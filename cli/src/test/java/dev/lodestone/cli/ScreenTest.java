package dev.lodestone.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A table takes the place of the one before it. */
class ScreenTest {
    @Test
    void theLinesBeforeAreTakenBack() {
        StringWriter shown = new StringWriter();
        Screen screen = new Screen(new PrintWriter(shown));
        screen.show(List.of("a", "b", "c"));
        screen.show(List.of("d"));
        screen.show(List.of("e"));
        assertEquals("a\nb\nc\n\033[3A\033[Jd\n\033[1A\033[Je\n", shown.toString());
    }
}
