package dev.lodestone.internal;

import dev.lodestone.bindings.SystemCalls;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The lock that an engine holds on the file of its region while it lives. The system lets go of it with the process, however
 * that ends: so the lock tells a dead engine from a stopped one, and from another process that got its number. Any thread.
 */
final class OwnerLock {
    /** The descriptor, negative once closed. */
    private int descriptor;

    private OwnerLock(int descriptor) {
        this.descriptor = descriptor;
    }

    /** Opens the file. Nothing is locked. */
    static OwnerLock of(Path path) throws IOException {
        int descriptor = SystemCalls.open(path.toString(), false);
        if (descriptor < 0) {
            // Java's own way to open it tells the reason.
            FileChannel.open(path, StandardOpenOption.READ).close();
            throw new IOException("this system does not tell who has locked the file");
        }
        return new OwnerLock(descriptor);
    }

    /** A path to this very file, whatever has become of its name. */
    synchronized Path sameFile() {
        return Path.of("/proc/self/fd", Integer.toString(descriptor));
    }

    /**
     * Maps a part of this very file.
     *
     * @return the address, from {@link SystemCalls#map}
     * @throws IOException when the system refuses
     */
    long map(long offset, long bytes, boolean writable) throws IOException {
        String path = sameFile().toString();
        int opened = SystemCalls.open(path, writable);
        long address = opened < 0 ? -1 : SystemCalls.map(opened, offset, bytes, writable);
        if (opened >= 0) {
            SystemCalls.close(opened);
        }
        if (address < 0) {
            throw new IOException("the system refused to map " + bytes + " bytes of it");
        }
        return address;
    }

    /** Whether an engine holds it; false after the close. */
    synchronized boolean isHeld() {
        return descriptor >= 0 && SystemCalls.isLocked(descriptor);
    }

    /** Lets go of the file. A second time does nothing. */
    synchronized void close() {
        if (descriptor >= 0) {
            SystemCalls.close(descriptor);
            descriptor = -1;
        }
    }
}
