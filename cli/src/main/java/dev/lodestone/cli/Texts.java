package dev.lodestone.cli;

import java.time.Duration;
import java.util.Locale;

/** Numbers as people read them. */
final class Texts {
    private static final long KIB = 1_024;
    private static final String[] SIZE_UNITS = {"KiB", "MiB", "GiB", "TiB", "PiB"};
    private static final double MILLION = 1e6;
    private static final double BILLION = 1e9;
    private static final double THOUSAND = 1e3;

    private Texts() {}

    static String number(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }

    static String bytes(long bytes) {
        if (bytes < KIB) {
            return bytes + " B";
        }
        double size = bytes;
        int unit = -1;
        while (size >= KIB && unit + 1 < SIZE_UNITS.length) {
            size /= KIB;
            unit++;
        }
        return String.format(Locale.ROOT, "%.1f %s", size, SIZE_UNITS[unit]);
    }

    static String nanos(long nanos) {
        if (nanos < THOUSAND) {
            return nanos + " ns";
        }
        if (nanos < MILLION) {
            return String.format(Locale.ROOT, "%.1f us", nanos / THOUSAND);
        }
        return nanos < BILLION
                ? String.format(Locale.ROOT, "%.2f ms", nanos / MILLION)
                : String.format(Locale.ROOT, "%.2f s", nanos / BILLION);
    }

    static String age(Duration age) {
        if (age.toMinutes() == 0) {
            return String.format(Locale.ROOT, "%.1f s", age.toMillis() / THOUSAND);
        }
        return age.toHours() == 0
                ? age.toMinutes() + " min " + age.toSecondsPart() + " s"
                : age.toHours() + " h " + age.toMinutesPart() + " min";
    }
}
