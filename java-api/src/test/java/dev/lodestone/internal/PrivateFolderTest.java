package dev.lodestone.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PrivateFolderTest {
    private static final byte[] CONTENT = {1, 2, 3};

    @TempDir
    private Path folder;

    private String before;

    @BeforeEach
    void useFolder() {
        before = System.setProperty("java.io.tmpdir", folder.toString());
    }

    @AfterEach
    void restore() {
        System.setProperty("java.io.tmpdir", before);
    }

    @Test
    void equalContentIsKeptOnceAndOnlyTheOwnerGetsIn() throws IOException {
        Path file = PrivateFolder.keep(CONTENT, "a.so");
        assertEquals(file, PrivateFolder.keep(CONTENT, "a.so"));
        assertNotEquals(file, PrivateFolder.keep(new byte[] {4}, "a.so"));
        assertArrayEquals(CONTENT, Files.readAllBytes(file));
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file.getParent())));
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
    }

    @Test
    void changedContentIsReplaced() throws IOException {
        Path file = PrivateFolder.keep(CONTENT, "a.so");
        Files.write(file, new byte[] {9, 9, 9});
        assertArrayEquals(CONTENT, Files.readAllBytes(PrivateFolder.keep(CONTENT, "a.so")));
    }

    @Test
    void aFolderThatOthersMayEnterIsNotTrusted() throws IOException {
        Path trusted = PrivateFolder.keep(CONTENT, "a.so").getParent();
        Files.setPosixFilePermissions(trusted, PosixFilePermissions.fromString("rwxr-xr-x"));
        Path elsewhere = PrivateFolder.keep(CONTENT, "a.so").getParent();
        assertNotEquals(trusted, elsewhere);
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(elsewhere)));
    }

    @Test
    void whatNobodyUsedForLongIsRemoved() throws IOException {
        Path old = PrivateFolder.keep(CONTENT, "a.so");
        Files.setLastModifiedTime(old, FileTime.from(Instant.now().minus(Duration.ofDays(8))));
        Path used = PrivateFolder.keep(new byte[] {4}, "a.so");
        assertFalse(Files.exists(old));
        assertTrue(Files.exists(used));
    }
}
