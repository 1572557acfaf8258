package dev.lodestone.internal;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Whether the system gives pages of 2 MiB. The graph and the undo ring ask for them: with small pages a change at a random
 * place looks through the page table as well. They are never required, so that they are missing is told and is no error.
 */
public final class LargePages {
    private static final Path SETTING = Path.of("/sys/kernel/mm/transparent_hugepage/enabled");
    private static final Pattern CHOSEN = Pattern.compile("\\[([a-z]+)]");

    private LargePages() {}

    /**
     * Tells the log whether there are large pages: at level DEBUG when there are.
     *
     * @param logger the log
     * @param absent the level when there are none
     */
    public static void tell(System.Logger logger, Level absent) {
        tell(logger, absent, setting(SETTING));
    }

    static void tell(System.Logger logger, Level absent, String setting) {
        if (areGiven(setting)) {
            logger.log(Level.DEBUG, "large tables lie in pages of 2 MiB where there are free ones (transparent_hugepage: {0})",
                    setting);
        } else {
            logger.log(absent, "the system gives no pages of 2 MiB (transparent_hugepage: {0}): all works, changes of a large"
                    + " graph take longer. What to do: write madvise to {1}", setting, SETTING);
        }
    }

    /** The word in brackets, which is the one in force; "unknown" where nothing can be read. */
    static String setting(Path file) {
        try {
            Matcher chosen = CHOSEN.matcher(Files.readString(file));
            return chosen.find() ? chosen.group(1) : "unknown";
        } catch (IOException absent) {
            return "unknown";
        }
    }

    static boolean areGiven(String setting) {
        return setting.equals("always") || setting.equals("madvise");
    }
}
