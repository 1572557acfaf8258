package dev.lodestone.internal;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.DigestOutputStream;
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

    /** How long a file of one process may be unlocked: between its making and its locking. */
    private static final Duration UNLOCKED_MAX = Duration.ofMinutes(1);
    /** How names of files of one process begin. */
    private static final String HELD = "held-";
    private static final int PIECE_BYTES = 64 << 10;

    private PrivateFolder() {}

    /** Content that can be read from its beginning any number of times. */
    public interface Content {
        /**
         * Starts to read.
         *
         * @return the bytes
         * @throws IOException when they cannot be read
         */
        InputStream open() throws IOException;
    }

    /** A file of this process, gone with {@link #close()}, or else with a later start of anyone. */
    public static final class Held implements AutoCloseable {
        private final Path file;
        private final FileChannel channel;

        private Held(Path file, FileChannel channel) {
            this.file = file;
            this.channel = channel;
        }

        /**
         * The file.
         *
         * @return its path
         */
        public Path file() {
            return file;
        }

        /**
         * Removes the file.
         *
         * @throws IOException when it cannot be removed
         */
        @Override
        public void close() throws IOException {
            Files.deleteIfExists(file);
            channel.close();
        }
    }

    /**
     * Keeps content in a file whose name tells the content, so that versions do not meet and a second start finds it there.
     * The content is read in pieces and never held as a whole.
     *
     * @param content the bytes
     * @param name the name's readable part
     * @return the file
     * @throws IOException when it cannot be written
     */
    public static Path keep(Content content, String name) throws IOException {
        byte[] digest = sha256(content);
        String start = HexFormat.of().formatHex(digest, 0, 16);
        Path file = folder().resolve(start + "-" + name);
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
                || !MessageDigest.isEqual(digest, sha256(() -> Files.newInputStream(file)))) {
            Path draft = Files.createTempFile(file.getParent(), start, ".part");
            try (InputStream in = content.open(); OutputStream out = Files.newOutputStream(draft)) {
                copy(in, out);
            }
            Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            removeUnused(file.getParent());
        }
        Files.setLastModifiedTime(file, FileTime.from(Instant.now()));
        return file;
    }

    /**
     * Writes a file that belongs to this process only. It is locked meanwhile; the system drops the lock with the process,
     * however that ends, and then the next start removes the file.
     *
     * @param content the text
     * @param name the end of its name
     * @return the file
     * @throws IOException when it cannot be written
     */
    public static Held hold(String content, String name) throws IOException {
        Path folder = folder();
        removeUnused(folder);
        Path file = Files.createTempFile(folder, HELD, "-" + name);
        FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
        try {
            channel.lock();
            ByteBuffer bytes = ByteBuffer.wrap(content.getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            return new Held(file, channel);
        } catch (IOException bad) {
            channel.close();
            Files.deleteIfExists(file);
            throw bad;
        }
    }

    /** Removes what no start has used for long, where each use renews the time, and what an ended process left behind. */
    private static void removeUnused(Path folder) throws IOException {
        Instant now = Instant.now();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                boolean held = file.getFileName().toString().startsWith(HELD);
                long oldestMs = now.minus(held ? UNLOCKED_MAX : UNUSED_MAX).toEpochMilli();
                // 0 for a file that another process has removed meanwhile; then there is nothing to delete.
                if (file.toFile().lastModified() < oldestMs && !(held && isLocked(file))) {
                    Files.deleteIfExists(file);
                }
            }
        }
    }

    private static boolean isLocked(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE); FileLock lock = channel.tryLock()) {
            return lock == null;
        } catch (OverlappingFileLockException ours) {
            return true;
        } catch (NoSuchFileException gone) {
            return false;
        }
    }

    private static void copy(InputStream in, OutputStream out) throws IOException {
        byte[] piece = new byte[PIECE_BYTES];
        for (int bytes = in.read(piece); bytes >= 0; bytes = in.read(piece)) {
            out.write(piece, 0, bytes);
        }
    }

    private static byte[] sha256(Content content) throws IOException {
        try (InputStream in = content.open();
                DigestOutputStream out = new DigestOutputStream(OutputStream.nullOutputStream(), sha256())) {
            copy(in, out);
            return out.getMessageDigest().digest();
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException missing) {
            throw new IllegalStateException("every JDK has SHA-256", missing);
        }
    }

    private static Path folder() throws IOException {
        Path temporary = Path.of(System.getProperty("java.io.tmpdir"));
        // User names are free text; their bytes in hexadecimal digits are a good folder name on every system.
        byte[] user = System.getProperty("user.name", "").getBytes(StandardCharsets.UTF_8);
        Path folder = temporary.resolve("lodestone-" + new BigInteger(1, sha256().digest(user)).toString(36).substring(0, 12));
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
