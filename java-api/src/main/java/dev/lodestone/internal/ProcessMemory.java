package dev.lodestone.internal;

import dev.lodestone.HeapSample;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryUsage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;

/** How much memory this process uses. */
public final class ProcessMemory {
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final String RESIDENT = "VmRSS:";

    private ProcessMemory() {}

    /**
     * Resident memory.
     *
     * @return bytes, -1 where the system does not tell
     */
    public static long rssBytes() {
        try {
            for (String line : Files.readAllLines(STATUS)) {
                if (line.startsWith(RESIDENT)) {
                    return Long.parseLong(line.substring(RESIDENT.length()).replace("kB", "").trim()) * 1_024;
                }
            }
        } catch (IOException notLinux) {
            // Only Linux has this file; elsewhere the figure is reported as unknown.
            return -1;
        }
        return -1;
    }

    static HeapSample sample() {
        MemoryUsage heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage();
        return new HeapSample(Instant.now(), heap.getUsed(), heap.getCommitted(), rssBytes());
    }
}
