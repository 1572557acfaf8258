package dev.lodestone.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
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

    private static Path keep(byte[] content) throws IOException {
        return PrivateFolder.keep(() -> new ByteArrayInputStream(content), "a.so");
    }

    @Test
    void whatAnEndedProcessLeftIsRemovedAndWhatIsHeldStays() throws IOException {
        PrivateFolder.Held held = PrivateFolder.hold("text", "b.pem");
        assertEquals("text", Files.readString(held.file()));
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(held.file().getParent())));
        Path left = Files.writeString(held.file().resolveSibling("held-1-b.pem"), "text");
        FileTime past = FileTime.from(Instant.now().minus(Duration.ofMinutes(2)));
        Files.setLastModifiedTime(held.file(), past);
        Files.setLastModifiedTime(left, past);
        PrivateFolder.Held second = PrivateFolder.hold("other", "b.pem");
        assertFalse(Files.exists(left));
        assertTrue(Files.exists(held.file()), "a file that is held was removed");
        held.close();
        second.close();
        assertFalse(Files.exists(held.file()) || Files.exists(second.file()));
    }

    @Test
    void equalContentIsKeptOnceAndOnlyTheOwnerGetsIn() throws IOException {
        Path file = keep(CONTENT);
        assertEquals(file, keep(CONTENT));
        assertNotEquals(file, keep(new byte[] {4}));
        assertArrayEquals(CONTENT, Files.readAllBytes(file));
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file.getParent())));
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
    }

    @Test
    void changedContentIsReplaced() throws IOException {
        Path file = keep(CONTENT);
        Files.write(file, new byte[] {9, 9, 9});
        assertArrayEquals(CONTENT, Files.readAllBytes(keep(CONTENT)));
    }

    @Test
    void aFolderThatOthersMayEnterIsNotTrusted() throws IOException {
        Path trusted = keep(CONTENT).getParent();
        Files.setPosixFilePermissions(trusted, PosixFilePermissions.fromString("rwxr-xr-x"));
        Path elsewhere = keep(CONTENT).getParent();
        assertNotEquals(trusted, elsewhere);
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(elsewhere)));
    }

    @Test
    void whatNobodyUsedForLongIsRemoved() throws IOException {
        Path old = keep(CONTENT);
        Files.setLastModifiedTime(old, FileTime.from(Instant.now().minus(Duration.ofDays(8))));
        Path used = keep(new byte[] {4});
        assertFalse(Files.exists(old));
        assertTrue(Files.exists(used));
    }
}
