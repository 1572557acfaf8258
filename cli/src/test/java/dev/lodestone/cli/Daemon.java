package dev.lodestone.cli;

import dev.lodestone.EngineConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** A process of lodestoned, from the release build, whose region lies in a given folder. */
final class Daemon implements AutoCloseable {
    private static final long LIMIT_SECONDS = 180;

    private final Process process;

    private Daemon(Process process) {
        this.process = process;
    }

    static EngineConfig.Builder small(Path regions) {
        return EngineConfig.builder()
                .listen("127.0.0.1:0").arenaCapacity(64).nodesMax(1_000)
                .set("graph.edges_max", 10_000).set("arena.bump_mib", 1).set("arena.preallocate", "false")
                .set("rollback.window_mib", 4).set("runtime.worker_threads", 1).set("runtime.shared_region", "file")
                .set("runtime.shared_region_directory", "\"" + regions + "\"");
    }

    static Daemon start(Path regions, Path folder) {
        try {
            Path program = Path.of(System.getProperty("lodestone.root"), "native", "target", "release", "lodestoned");
            Path config = Files.writeString(folder.resolve("daemon.yaml"), small(regions).build().toYaml());
            ProcessBuilder builder = new ProcessBuilder(program.toString(), "--config", config.toString());
            builder.environment().put("TMPDIR", folder.toString());
            Process process = builder.redirectError(folder.resolve("daemon.err").toFile()).start();
            String line = String.valueOf(process.inputReader().readLine());
            if (!line.startsWith("LODESTONE READY ")) {
                process.destroyForcibly();
                throw new AssertionError("no READY line but " + line + Files.readString(folder.resolve("daemon.err")));
            }
            return new Daemon(process);
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    long pid() {
        return process.pid();
    }

    /** SIGTERM: a clean end. */
    void end() {
        process.destroy();
        await();
    }

    /** SIGKILL: as a power failure would. */
    void kill() {
        process.destroyForcibly();
        await();
    }

    private void await() {
        try {
            if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError("lodestoned does not end");
            }
        } catch (InterruptedException interrupted) {
            throw new AssertionError(interrupted);
        }
    }

    @Override
    public void close() {
        kill();
    }
}
