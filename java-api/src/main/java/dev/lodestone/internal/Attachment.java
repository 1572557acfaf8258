package dev.lodestone.internal;

import dev.lodestone.AttachException;
import dev.lodestone.AttachException.Reason;
import dev.lodestone.EngineException;
import dev.lodestone.EngineGoneException;
import dev.lodestone.bindings.SystemCalls;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The mapping of another process's region, and what is known of that process. Any thread.
 *
 * <p>The header is read as a file and checked before anything is mapped, so that no file, whatever is in it, makes this process
 * read where nothing is. The mapping is never unmapped: at the close zero pages take its place, at the same address, as the
 * native side does with its own.
 */
public final class Attachment implements RegionOwner, AutoCloseable {
    private static final System.Logger LOGGER = System.getLogger("dev.lodestone");
    private static final String FILE_PREFIX = "lodestone-";
    private static final String FILE_SUFFIX = ".region";
    private static final int REGIONS_NAMED_MAX = 10;

    private final Path path;
    private final Region region;
    private final OwnerLock lock;
    private final long pid;
    private final long base;
    private final long bytes;
    private final boolean writable;
    private final AtomicBoolean released = new AtomicBoolean();

    private Attachment(Path path, OwnerLock lock, MemorySegment header, RegionLayout layout, boolean writable)
            throws IOException {
        this.path = path;
        this.writable = writable;
        this.lock = lock;
        this.pid = Integer.toUnsignedLong(header.get(ValueLayout.JAVA_INT, Region.AT_PID));
        this.bytes = layout.bytes();
        this.base = lock.map(0, bytes, writable);
        this.region = new Region(base, layout, header.get(ValueLayout.JAVA_LONG, Region.AT_GENERATION), this);
    }

    /**
     * Attaches to the region at a path.
     *
     * @param path a region's file, or a folder with the region of one living engine
     * @param writable whether to map for writing, too
     * @return the attachment
     * @throws AttachException when that cannot be
     * @throws EngineGoneException when the engine is closed or its process is gone
     */
    public static Attachment open(Path path, boolean writable) {
        NativeLibrary.requireAccess();
        try {
            return Files.isDirectory(path) ? inFolder(path, writable) : ofFile(path, writable);
        } catch (NoSuchFileException absent) {
            throw new AttachException(Reason.ABSENT, path, "does not exist", absent);
        } catch (AccessDeniedException denied) {
            throw new AttachException(Reason.PERMISSION, path, "may not be " + (writable ? "read and written" : "read")
                    + " by this user", denied);
        } catch (IOException bad) {
            throw new AttachException(Reason.SYSTEM, path, "cannot be attached to: " + bad, bad);
        }
    }

    /** The one file of the folder; of several the one whose engine lives: a killed one leaves its file behind. */
    private static Attachment inFolder(Path folder, boolean writable) throws IOException {
        List<Path> files = regionsIn(folder);
        if (files.isEmpty()) {
            throw new AttachException(Reason.ABSENT, folder, "holds no region of an engine", null);
        }
        if (files.size() == 1) {
            return ofFile(files.getFirst(), writable);
        }
        List<Attachment> living = new ArrayList<>();
        List<String> names = new ArrayList<>();
        for (Path file : files) {
            try {
                living.add(ofFile(file, writable));
                names.add(file.getFileName().toString());
            } catch (AttachException | EngineGoneException | IOException other) {
                // Somebody else's, or left behind: not the one that is looked for.
                continue;
            }
            if (names.size() == REGIONS_NAMED_MAX) {
                break;
            }
        }
        if (living.size() == 1) {
            return living.getFirst();
        }
        living.forEach(Attachment::close);
        if (living.isEmpty()) {
            throw new AttachException(Reason.ABSENT, folder, "holds " + files.size()
                    + " regions, none of an engine that lives and may be opened", null);
        }
        throw new AttachException(Reason.SEVERAL, folder,
                "holds the regions of several engines: " + String.join(", ", names), null);
    }

    private static List<Path> regionsIn(Path folder) throws IOException {
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(folder, Attachment::isNamedSo)) {
            all.forEach(files::add);
        } catch (DirectoryIteratorException bad) {
            throw bad.getCause();
        }
        files.sort(null);
        return files;
    }

    private static boolean isNamedSo(Path file) {
        String name = file.getFileName().toString();
        return name.startsWith(FILE_PREFIX) && name.endsWith(FILE_SUFFIX);
    }

    private static Attachment ofFile(Path path, boolean writable) throws IOException {
        BasicFileAttributes about = Files.readAttributes(path, BasicFileAttributes.class);
        if (!about.isRegularFile()) {
            // Opening a pipe would wait for its other end.
            throw new AttachException(Reason.FOREIGN, path, "is no file but a device, a pipe or a socket", null);
        }
        OwnerLock lock = OwnerLock.of(path);
        try {
            return ofFile(path, lock, writable);
        } catch (IOException | EngineException | Error bad) {
            lock.close();
            throw bad;
        }
    }

    private static Attachment ofFile(Path path, OwnerLock lock, boolean writable) throws IOException {
        Set<OpenOption> options = writable ? Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE)
                : Set.of(StandardOpenOption.READ);
        // The file that the lock is looked at on, also when another one has taken its name by now.
        try (FileChannel file = FileChannel.open(lock.sameFile(), options); Arena page = Arena.ofConfined()) {
            MemorySegment header = page.allocate(RegionLayout.HEADER_BYTES, Long.BYTES);
            RegionLayout layout = layout(path, read(file, header), file.size());
            if (header.get(ValueLayout.JAVA_LONG, Region.AT_GENERATION) == 0) {
                throw new EngineGoneException("the engine of " + path + " is closed");
            }
            if (!lock.isHeld()) {
                throw new EngineGoneException("the engine of " + path + " is gone: its process "
                        + Integer.toUnsignedString(header.get(ValueLayout.JAVA_INT, Region.AT_PID))
                        + " ended without closing it");
            }
            return new Attachment(path, lock, header, layout, writable);
        }
    }

    /** Reads the first page; what the file lacks of it is zero. */
    private static long read(FileChannel file, MemorySegment header) throws IOException {
        ByteBuffer buffer = header.asByteBuffer();
        int bytes = 0;
        while (bytes >= 0 && buffer.hasRemaining()) {
            bytes = file.read(buffer, buffer.position());
        }
        return header.address();
    }

    private static RegionLayout layout(Path path, long header, long bytes) {
        try {
            return RegionLayout.of(header, bytes);
        } catch (RegionLayout.Problem bad) {
            Reason reason = switch (bad.flaw()) {
                case EMPTY -> Reason.STARTING;
                case FOREIGN -> Reason.FOREIGN;
                case VERSION -> Reason.VERSION;
                case DAMAGED -> Reason.DAMAGED;
            };
            String what = reason == Reason.FOREIGN ? "is no region of an engine: it " + bad.getMessage() : bad.getMessage();
            throw new AttachException(reason, path, what, bad);
        }
    }

    /**
     * The region.
     *
     * @return the region, which outlives the attachment as zero pages
     */
    public Region region() {
        return region;
    }

    /**
     * The region's file.
     *
     * @return its path
     */
    public Path path() {
        return path;
    }

    /**
     * The engine's process.
     *
     * @return its number
     */
    public long pid() {
        return pid;
    }

    @Override
    public boolean isGone() {
        // In this order: whoever lets go of the lock has said so before.
        return !lock.isHeld() && !released.get();
    }

    @Override
    public boolean isWritable() {
        return writable;
    }

    @Override
    public void giveUp() {
        close();
    }

    /**
     * Puts zero pages in the place of the mapping, and so lets its memory go; says of producers that are not closed that they
     * leave. Where the system refuses that, the memory stays until this process ends, and so do the producers; the region is
     * closed all the same. A second time does nothing.
     */
    @Override
    public void close() {
        if (released.compareAndSet(false, true)) {
            synchronized (region.producersHere()) {
                region.shut();
                if (SystemCalls.replaceByZeros(base, bytes)) {
                    sayThatTheyLeave(List.copyOf(region.producersHere()));
                } else {
                    // They may still be writing there: the engine must not take their claims for given up.
                    LOGGER.log(Level.WARNING, "the memory of {0} stays mapped until this process ends, as do its {1} producers"
                            + " of commands: the system refused to replace it", path, region.producersHere().size());
                }
                region.producersHere().clear();
            }
            lock.close();
        }
    }

    /**
     * Other threads may be in the middle of a claim: only now that none of their writes reaches the engine may it take their
     * cells for given up. So this goes through a mapping of its own.
     */
    private void sayThatTheyLeave(List<Producer> producers) {
        if (producers.isEmpty()) {
            return;
        }
        long at = region.producers() - base;
        long size = region.producersMax() * BridgeLayout.PRODUCER_BYTES;
        try {
            // Not through a channel, which a thread that was interrupted cannot use: the engine would wait for a claim of theirs.
            if (Files.size(lock.sameFile()) >= at + size) {
                long table = lock.map(at, size, true);
                try {
                    producers.forEach(producer -> producer.leaveBy(table));
                } finally {
                    SystemCalls.unmap(table, size);
                }
            }
        } catch (IOException | InternalError gone) {
            LOGGER.log(Level.WARNING, "the engine of {0} was not told that {1} producers of commands left: {2}", path,
                    producers.size(), gone.toString());
        }
    }
}
