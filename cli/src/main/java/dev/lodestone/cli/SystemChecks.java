package dev.lodestone.cli;

import dev.lodestone.EngineConfig;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the doctor asks of the system: limits, socket buffers, huge pages, shared memory, cores, memory. Linux. */
final class SystemChecks {
    /** What the data plane asks of the system for its socket, both ways; the system gives no more than its maximum. */
    private static final long SOCKET_BUFFER_BYTES = 4L << 20;
    /** Jars, logs, regions and a service's own connections; the engine itself has one socket for all of its clients. */
    private static final long FILES_MIN = 1_024;
    /** Engine and pathfinder have a thread each; on one core they and the network threads take turns. */
    private static final int CORES_MIN = 2;
    /** What an engine with the default configuration takes, a JVM beside it, and some air. */
    private static final long MEMORY_MIN_BYTES = 1L << 30;
    /** Counters, histograms, events, and the ends of pages. */
    private static final long REGION_FIXED_BYTES = 2L << 20;
    private static final long SLOT_BYTES = 256;
    private static final long NODE_BYTES = 16;
    private static final long LABEL_BYTES = 8;
    private static final int TEXT_BYTES_MAX = 4_096;
    private static final Pattern CHOSEN = Pattern.compile("\\[(\\w+)]");
    private static final String UNKNOWN = "unknown: the system does not tell";

    private final Path root;
    private final int cores;

    /** Under {@code root} lie {@code proc}, {@code sys} and {@code dev}: {@code /}, but for tests. */
    SystemChecks(Path root, int cores) {
        this.root = root;
        this.cores = cores;
    }

    List<Finding> all() {
        List<Finding> findings = new ArrayList<>();
        findings.add(openFiles());
        findings.add(Finding.fine("limit of locked memory", limit("Max locked memory") + "; any will do, no memory is locked"));
        findings.add(socketBuffer("rmem_max"));
        findings.add(socketBuffer("wmem_max"));
        findings.add(hugePages());
        findings.add(sharedMemory());
        findings.add(Finding.of(cores >= CORES_MIN, "cores", Integer.toString(cores),
                "give this machine or container at least " + CORES_MIN + " cores: engine and pathfinder have a thread each"));
        findings.add(memory());
        return findings;
    }

    private Finding openFiles() {
        String limit = limit("Max open files");
        boolean fine = !limit.matches("\\d{1,18}") || Long.parseLong(limit) >= FILES_MIN;
        return Finding.of(fine, "limit of open files", limit, "ulimit -n " + FILES_MIN
                + " before the start, LimitNOFILE= in the unit of a service, or nofile in /etc/security/limits.conf");
    }

    /** The soft limit of this process, as started by this shell. */
    private String limit(String name) {
        try {
            for (String line : Files.readAllLines(root.resolve("proc/self/limits"), StandardCharsets.ISO_8859_1)) {
                if (line.startsWith(name)) {
                    return line.substring(name.length()).trim().split("\\s+")[0];
                }
            }
            return UNKNOWN;
        } catch (IOException notTold) {
            return UNKNOWN;
        }
    }

    private Finding socketBuffer(String name) {
        String key = "net.core." + name;
        String text = text("proc/sys/net/core/" + name);
        if (!text.matches("\\d{1,18}")) {
            return Finding.fine(key, UNKNOWN);
        }
        return Finding.of(Long.parseLong(text) >= SOCKET_BUFFER_BYTES, key, text + " bytes",
                "sysctl -w " + key + "=" + SOCKET_BUFFER_BYTES + ", and the same in /etc/sysctl.d to keep it: with less,"
                        + " packets are lost in bursts");
    }

    private Finding hugePages() {
        String name = "huge pages";
        String text = text("sys/kernel/mm/transparent_hugepage/enabled");
        Matcher chosen = CHOSEN.matcher(text);
        if (!chosen.find()) {
            return Finding.fine(name, UNKNOWN);
        }
        return Finding.of(!chosen.group(1).equals("never"), name, "transparent: " + chosen.group(1),
                "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled: the tables of edges ask for huge pages, and miss the"
                        + " processor's translation cache without");
    }

    private Finding sharedMemory() {
        Path folder = root.resolve("dev/shm");
        String name = "/dev/shm";
        String advice = "mount -o remount,size=1g /dev/shm (docker run --shm-size=1g), or another folder in"
                + " runtime.shared_region_directory";
        try {
            long needed = regionBytes();
            long total = Files.getFileStore(folder).getTotalSpace();
            long free = Files.getFileStore(folder).getUsableSpace();
            String found = Texts.bytes(total) + ", " + Texts.bytes(free) + " of it free; an engine with the default configuration"
                    + " takes " + Texts.bytes(needed);
            return Finding.of(free >= needed && Files.isWritable(folder), name, found, advice);
        } catch (IOException absent) {
            return Finding.of(false, name, "is not there", advice);
        }
    }

    /** The size of the shared region, but for some pages. */
    static long regionBytes() {
        EngineConfig config = EngineConfig.defaults();
        long watches = Long.parseLong(config.value("graph.watches_max").trim());
        return config.arenaCapacity() * SLOT_BYTES + config.nodesMax() * (NODE_BYTES + watches * LABEL_BYTES)
                + REGION_FIXED_BYTES;
    }

    private Finding memory() {
        Path file = root.resolve("proc/meminfo");
        OptionalLong total = ProcessFiles.kib(file, "MemTotal:");
        OptionalLong available = ProcessFiles.kib(file, "MemAvailable:");
        if (total.isEmpty() || available.isEmpty()) {
            return Finding.fine("memory", UNKNOWN);
        }
        return Finding.of(available.getAsLong() >= MEMORY_MIN_BYTES, "memory",
                Texts.bytes(total.getAsLong()) + ", " + Texts.bytes(available.getAsLong()) + " of it available",
                "free some, or lower arena.capacity, graph.nodes_max, graph.edges_max and rollback.window_mib: all is taken at"
                        + " start, and " + Texts.bytes(MEMORY_MIN_BYTES) + " is what the defaults and a JVM want");
    }

    private String text(String file) {
        // In one read: the system's settings are files of no size, and a second read of one finds nothing more.
        try (InputStream in = Files.newInputStream(root.resolve(file))) {
            return new String(in.readNBytes(TEXT_BYTES_MAX), StandardCharsets.ISO_8859_1).trim();
        } catch (IOException notTold) {
            return "";
        }
    }
}
