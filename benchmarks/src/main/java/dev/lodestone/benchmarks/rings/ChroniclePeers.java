package dev.lodestone.benchmarks.rings;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;
import net.openhft.chronicle.bytes.Bytes;
import net.openhft.chronicle.queue.ChronicleQueue;
import net.openhft.chronicle.queue.ExcerptAppender;
import net.openhft.chronicle.queue.ExcerptTailer;
import net.openhft.chronicle.queue.rollcycles.SparseRollCycles;
import net.openhft.chronicle.wire.DocumentContext;

/**
 * Chronicle Queue: a log in a file, here in memory, written in place by one appender and read by one tailer that spins. It
 * takes the flags of {@code ci/bench.sh} to run at all, and has a JVM of its own for them.
 */
final class ChroniclePeers extends PeerStream {
    /** A queue keeps all that was ever written. Past this a new one is begun between two trials. */
    private static final long QUEUE_BYTES_MAX = 256L << 20;
    /** What goes before a record. */
    private static final int HEADER_BYTES = 4;

    private final Path folder;
    private ChronicleQueue queue;
    private ExcerptAppender appender;
    private ExcerptTailer tailer;
    private long writtenBytes;

    /**
     * Opens a first queue.
     *
     * @param row the row
     * @param wide whether a record has 64 bytes, else 32
     * @param folder where the queue's own folder is made
     */
    ChroniclePeers(Partner partner, String row, boolean wide, Path folder) {
        super(partner, row, "chronicle_queue", wide);
        try {
            this.folder = Files.createTempDirectory(folder, "lodestone-chronicle-");
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
        open();
    }

    private void open() {
        // Of all cycles the one that indexes the least, so that the appender has nothing else to do.
        queue = ChronicleQueue.singleBuilder(folder).rollCycle(SparseRollCycles.HUGE_DAILY_XSPARSE).build();
        appender = queue.createAppender();
        tailer = queue.createTailer();
        // Made here, where it reads the first record, it is the partner's from then on.
        tailer.singleThreadedCheckDisabled(true);
        writtenBytes = 0;
        // The first record makes files and maps them, which no trial is to count.
        produce(1);
        Message.check(name(), consume(1), 1, wide);
    }

    @Override
    void prepare() {
        if (writtenBytes > QUEUE_BYTES_MAX) {
            queue.close();
            remove(false);
            open();
        }
    }

    @Override
    void produce(int count) {
        for (int record = 0; record < count; record++) {
            try (DocumentContext document = appender.writingDocument()) {
                put(document.wire().bytes(), record, wide);
            }
        }
        writtenBytes += (long) count * (HEADER_BYTES + (wide ? 64 : 32));
    }

    @Override
    long consume(int count) {
        long sum = 0;
        for (int taken = 0; taken < count;) {
            try (DocumentContext document = tailer.readingDocument()) {
                if (document.isPresent()) {
                    sum += sum(document.wire().bytes(), wide);
                    taken++;
                } else {
                    Thread.onSpinWait();
                }
            }
        }
        return sum;
    }

    private static void put(Bytes<?> bytes, long value, boolean wide) {
        bytes.writeLong(value).writeLong(value + 1).writeLong(value + 2).writeLong(value + 3);
        if (wide) {
            bytes.writeLong(value + 4).writeLong(value + 5).writeLong(value + 6).writeLong(value + 7);
        }
    }

    private static long sum(Bytes<?> bytes, boolean wide) {
        long sum = bytes.readLong() + bytes.readLong() + bytes.readLong() + bytes.readLong();
        return wide ? sum + bytes.readLong() + bytes.readLong() + bytes.readLong() + bytes.readLong() : sum;
    }

    private void remove(boolean itself) {
        try (Stream<Path> found = Files.walk(folder)) {
            for (Path path : found.filter(one -> itself || !one.equals(folder)).sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    @Override
    public void close() {
        queue.close();
        remove(true);
    }
}
