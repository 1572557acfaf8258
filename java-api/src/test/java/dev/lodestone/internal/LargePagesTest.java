package dev.lodestone.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.MessageFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.ResourceBundle;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LargePagesTest {
    @TempDir
    private Path folder;

    private String settingOf(String content) throws IOException {
        return LargePages.setting(Files.writeString(folder.resolve("enabled"), content));
    }

    @Test
    void theSettingInForceIsTheWordInBrackets() throws IOException {
        assertEquals("madvise", settingOf("always [madvise] never\n"));
        assertEquals("always", settingOf("[always] madvise never\n"));
        assertEquals("never", settingOf("always madvise [never]\n"));
        assertEquals("unknown", settingOf(""));
        assertEquals("unknown", LargePages.setting(folder.resolve("absent")));
        assertTrue(LargePages.areGiven("madvise") && LargePages.areGiven("always"));
        assertFalse(LargePages.areGiven("never") || LargePages.areGiven("unknown"));
    }

    @Test
    void theLogSaysOneOrTheOther() {
        assertEquals(List.of("DEBUG large tables lie in pages of 2 MiB where there are free ones"
                + " (transparent_hugepage: madvise)"), toldOf("madvise"));
        assertEquals(List.of("INFO the system gives no pages of 2 MiB (transparent_hugepage: never): all works, changes of"
                + " a large graph take longer. What to do: write madvise to /sys/kernel/mm/transparent_hugepage/enabled"),
                toldOf("never"));
    }

    private static List<String> toldOf(String setting) {
        List<String> told = new ArrayList<>();
        LargePages.tell(logger(told), System.Logger.Level.INFO, setting);
        return told;
    }

    private static System.Logger logger(List<String> told) {
        return new System.Logger() {
            @Override
            public String getName() {
                return "test";
            }

            @Override
            public boolean isLoggable(Level level) {
                return true;
            }

            @Override
            public void log(Level level, ResourceBundle bundle, String text, Throwable thrown) {
                throw new AssertionError(text, thrown);
            }

            @Override
            public void log(Level level, ResourceBundle bundle, String format, Object... parameters) {
                told.add(level + " " + MessageFormat.format(format, parameters));
            }
        };
    }
}
