package dev.lodestone.examples.hunt;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes the small files that a run leaves or hands to its client. */
final class TextFiles {
    private TextFiles() {}

    /** Writes a file, making its folder if need be. */
    static void write(Path file, String text) throws HuntException {
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            Files.writeString(file, text);
        } catch (IOException bad) {
            throw new HuntException(file + " cannot be written: " + bad + ". What to do: give --report FILE in a folder that"
                    + " can be written to.", bad);
        }
    }

    /** Writes a file that only this user can read and that is gone when the JVM ends. */
    static Path writeSecret(String text) throws HuntException {
        try {
            Path file = Files.createTempFile("treasure-hunt", null);
            file.toFile().deleteOnExit();
            return Files.writeString(file, text);
        } catch (IOException bad) {
            throw new HuntException("A temporary file cannot be written: " + bad, bad);
        }
    }
}
