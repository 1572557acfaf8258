package dev.lodestone.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The doctor's judgement, on machines that are made up. */
class SystemChecksTest {
    private static final String LIMITS = """
            Limit                     Soft Limit           Hard Limit           Units
            Max open files            %s                20000                files
            Max locked memory         8388608              8388608              bytes
            """;

    @TempDir
    private Path root;

    @BeforeEach
    void aGoodMachine() throws IOException {
        write("proc/self/limits", LIMITS.formatted("1024"));
        write("proc/sys/net/core/rmem_max", "4194304\n");
        write("proc/sys/net/core/wmem_max", "8388608\n");
        write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
        write("proc/meminfo", "MemTotal:       24684084 kB\nMemAvailable:    1048576 kB\n");
        Files.createDirectories(root.resolve("dev/shm"));
    }

    private void write(String file, String text) throws IOException {
        Files.createDirectories(root.resolve(file).getParent());
        Files.writeString(root.resolve(file), text);
    }

    private List<Finding> changes(int cores) {
        return new SystemChecks(root, cores).all().stream().filter(finding -> !finding.isFine()).toList();
    }

    private void onlyChange(String name, String advice) {
        List<Finding> changes = changes(2);
        assertEquals(List.of(name), changes.stream().map(Finding::name).toList());
        assertTrue(changes.getFirst().advice().contains(advice), changes.toString());
        assertTrue(changes.getFirst().text().startsWith("CHANGE  " + name), changes.getFirst().text());
    }

    @Test
    void nothingToChangeOnAGoodMachine() {
        assertEquals(List.of(), changes(2));
    }

    @Test
    void eachShortcomingIsToldAlone() throws IOException {
        write("proc/sys/net/core/rmem_max", "212992\n");
        onlyChange("net.core.rmem_max", "sysctl -w net.core.rmem_max=4194304");
        write("proc/sys/net/core/rmem_max", "4194304\n");
        write("proc/sys/net/core/wmem_max", "4194303\n");
        onlyChange("net.core.wmem_max", "sysctl -w net.core.wmem_max=4194304");
        write("proc/sys/net/core/wmem_max", "4194304\n");
        write("sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
        onlyChange("huge pages", "echo madvise");
        write("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
        write("proc/self/limits", LIMITS.formatted("256"));
        onlyChange("limit of open files", "ulimit -n 1024");
        write("proc/self/limits", LIMITS.formatted("unlimited"));
        write("proc/meminfo", "MemTotal:       24684084 kB\nMemAvailable:    1048575 kB\n");
        onlyChange("memory", "arena.capacity");
        write("proc/meminfo", "MemTotal:       24684084 kB\nMemAvailable:    1048577 kB\n");
        Files.delete(root.resolve("dev/shm"));
        onlyChange("/dev/shm", "--shm-size");
        Files.createDirectory(root.resolve("dev/shm"));
        assertEquals(List.of("cores"), changes(1).stream().map(Finding::name).toList());
    }

    @Test
    void whatTheSystemDoesNotTellIsNotHeldAgainstIt() throws IOException {
        for (String file : List.of("proc/self/limits", "proc/sys/net/core/rmem_max", "proc/sys/net/core/wmem_max",
                "sys/kernel/mm/transparent_hugepage/enabled", "proc/meminfo")) {
            write(file, "what is this");
            Finding text = new SystemChecks(root, 2).all().stream().filter(finding -> finding.found().contains("unknown"))
                    .findFirst().orElseThrow();
            assertTrue(text.isFine());
            Files.delete(root.resolve(file));
        }
        assertEquals(List.of(), changes(2));
    }

    @Test
    void settingsOfTheRunningSystemAreReadWhole() throws IOException {
        Path setting = Path.of("/proc/sys/net/core/rmem_max");
        if (Files.isReadable(setting)) {
            Process cat = new ProcessBuilder("cat", setting.toString()).start();
            String text = new String(cat.getInputStream().readAllBytes()).trim();
            Finding found = new SystemChecks(Path.of("/"), 2).all().stream()
                    .filter(finding -> finding.name().equals("net.core.rmem_max")).findFirst().orElseThrow();
            assertEquals(text + " bytes", found.found());
        }
        assertFalse(new SystemChecks(Path.of("/"), 2).all().isEmpty());
    }
}
