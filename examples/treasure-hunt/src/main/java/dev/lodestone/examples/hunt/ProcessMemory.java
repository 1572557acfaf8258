package dev.lodestone.examples.hunt;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The resident memory of this process, all of it: the Java heap, the JVM, and the engine's memory. */
final class ProcessMemory {
    /** The system does not tell. */
    static final long UNKNOWN = -1;

    private static final Path STATUS = Path.of("/proc/self/status");

    private ProcessMemory() {}

    /**
     * Resident bytes.
     *
     * @return bytes; {@link #UNKNOWN} where there is no Linux proc file system
     */
    static long residentBytes() {
        try {
            return residentBytes(Files.readString(STATUS));
        } catch (IOException notLinux) {
            return UNKNOWN;
        }
    }

    /** Finds {@code VmRSS:   123456 kB} in the text of a proc status file. */
    static long residentBytes(String status) {
        return status.lines()
                .filter(line -> line.startsWith("VmRSS:") && line.endsWith(" kB"))
                .map(line -> line.substring("VmRSS:".length(), line.length() - " kB".length()).strip())
                .mapToLong(kibibytes -> Long.parseLong(kibibytes) * 1024)
                .findFirst()
                .orElse(UNKNOWN);
    }

    /** For people. */
    static String describe(long bytes) {
        return bytes == UNKNOWN ? "unknown" : Console.text("%.1f MiB", bytes / 1048576.0);
    }
}
