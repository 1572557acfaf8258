package dev.lodestone.internal;

import dev.lodestone.EngineException;
import dev.lodestone.Status;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * This process, so that no other can be taken for it, not even one that gets its number later.
 *
 * @param pid its number
 * @param startTicks when it started, clock ticks since the machine's boot
 * @param namespace the namespace in which it has this number
 */
public record ProcessIdentity(long pid, long startTicks, long namespace) {
    /** The field behind the name that tells the start: the 22nd of all, the state is the third. */
    private static final int START_FIELD = 22 - 3;

    /**
     * Looks at this process.
     *
     * @return its identity
     * @throws EngineException when the system does not tell
     */
    public static ProcessIdentity own() {
        try {
            String stat = Files.readString(Path.of("/proc/self/stat"), StandardCharsets.ISO_8859_1);
            // The name stands in brackets and may hold anything, brackets too.
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
            long namespace = ((Number) Files.getAttribute(Path.of("/proc/self/ns/pid"), "unix:ino")).longValue();
            return new ProcessIdentity(ProcessHandle.current().pid(), Long.parseLong(fields[START_FIELD]), namespace);
        } catch (IOException | RuntimeException bad) {
            throw new EngineException(Status.IO, "/proc does not tell who this process is (" + bad + ")", bad);
        }
    }
}
