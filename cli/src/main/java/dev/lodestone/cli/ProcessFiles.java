package dev.lodestone.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/** What Linux tells in {@code /proc} in lines of the form "name: number kB". */
final class ProcessFiles {
    private static final long KIB = 1_024;

    private ProcessFiles() {}

    /** Resident memory of a process, in bytes. */
    static OptionalLong residentBytes(long pid) {
        return kib(Path.of("/proc", Long.toString(pid), "status"), "VmRSS:");
    }

    /** The number of a line, in bytes; empty when the file or the line is not there. */
    static OptionalLong kib(Path file, String name) {
        try {
            for (String line : Files.readAllLines(file, StandardCharsets.ISO_8859_1)) {
                if (line.startsWith(name)) {
                    return OptionalLong.of(Long.parseLong(line.substring(name.length()).replace("kB", "").trim()) * KIB);
                }
            }
            return OptionalLong.empty();
        } catch (IOException | NumberFormatException notTold) {
            // Another system, or the process has just ended.
            return OptionalLong.empty();
        }
    }
}
