package dev.lodestone.bridge;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;

/** A lock on a file as an engine has one on its region: that of the program flock, since Java has none of this kind. */
final class Locked implements AutoCloseable {
    private final Process holder;

    private Locked(Process holder) {
        this.holder = holder;
    }

    static Locked of(Path file) {
        try {
            // The program ends when its input does: with this JVM at the latest.
            List<String> command = List.of("flock", "-n", "-o", file.toString(), "sh", "-c", "echo locked; exec cat");
            Process holder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
            String line = holder.inputReader().readLine();
            if (!"locked".equals(line)) {
                throw new AssertionError("flock says " + line);
            }
            return new Locked(holder);
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    /** Lets go of the lock, as a killed process does. */
    void release() {
        holder.destroyForcibly().onExit().join();
    }

    @Override
    public void close() {
        release();
    }
}
