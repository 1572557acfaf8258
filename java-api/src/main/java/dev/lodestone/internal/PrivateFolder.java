package dev.lodestone.internal;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Set;

/**
 * Files that only this user can read or replace, kept from one start to the next under names made of their content.
 *
 * <p>The folder for temporary files is shared by all users of a machine, so a folder found there is trusted only if it
 * belongs to this user and nobody else may enter it; otherwise a fresh one is made.
 */
public final class PrivateFolder {
    private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rwx------");

    /** How long a file is kept that no start uses: versions come and go, and each takes some MiB. */
    private static final Duration UNUSED_MAX = Duration.ofDays(7);

    private PrivateFolder() {}

    /**
     * Keeps content in a file whose name tells the content, so that versions do not meet and a second start finds it there.
     *
     * @param content the bytes
     * @param name the name's readable part
     * @return the file
     * @throws IOException when it cannot be written
     */
    public static Path keep(byte[] content, String name) throws IOException {
        String digest = HexFormat.of().formatHex(sha256(content), 0, 16);
        Path file = folder().resolve(digest + "-" + name);
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) || !sameContent(file, content)) {
            Path draft = Files.createTempFile(file.getParent(), digest, ".part");
            Files.write(draft, content);
            Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            removeUnused(file.getParent());
        }
        Files.setLastModifiedTime(file, FileTime.from(Instant.now()));
        return file;
    }

    /** Removes what no start has used for long; each start that uses a file renews its time. */
    private static void removeUnused(Path folder) throws IOException {
        long oldestMs = Instant.now().minus(UNUSED_MAX).toEpochMilli();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                // 0 for a file that another process has removed meanwhile; then there is nothing to delete.
                if (file.toFile().lastModified() < oldestMs) {
                    Files.deleteIfExists(file);
                }
            }
        }
    }

    private static boolean sameContent(Path file, byte[] content) throws IOException {
        return Files.size(file) == content.length && MessageDigest.isEqual(sha256(Files.readAllBytes(file)), sha256(content));
    }

    private static byte[] sha256(byte[] content) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(content);
        } catch (NoSuchAlgorithmException missing) {
            throw new IllegalStateException("every JDK has SHA-256", missing);
        }
    }

    private static Path folder() throws IOException {
        Path temporary = Path.of(System.getProperty("java.io.tmpdir"));
        // User names are free text; their bytes in hexadecimal digits are a good folder name on every system.
        byte[] user = System.getProperty("user.name", "").getBytes(StandardCharsets.UTF_8);
        Path folder = temporary.resolve("lodestone-" + new BigInteger(1, sha256(user)).toString(36).substring(0, 12));
        if (!temporary.getFileSystem().supportedFileAttributeViews().contains("posix")) {
            return Files.createDirectories(folder);
        }
        try {
            return Files.createDirectory(folder, ownerOnly());
        } catch (FileAlreadyExistsException known) {
            return isOurs(folder) ? folder : Files.createTempDirectory(temporary, "lodestone-", ownerOnly());
        }
    }

    private static FileAttribute<Set<PosixFilePermission>> ownerOnly() {
        return PosixFilePermissions.asFileAttribute(OWNER_ONLY);
    }

    private static boolean isOurs(Path folder) throws IOException {
        if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)
                || !Files.getPosixFilePermissions(folder, LinkOption.NOFOLLOW_LINKS).equals(OWNER_ONLY)) {
            return false;
        }
        // Whoever owns a file made just now is this process's user, whatever its name.
        Path probe = Files.createTempFile("lodestone-", ".probe");
        try {
            return Files.getOwner(probe).equals(Files.getOwner(folder, LinkOption.NOFOLLOW_LINKS));
        } finally {
            Files.delete(probe);
        }
    }
}
