package dev.lodestone.benchmarks.rings;

import dev.lodestone.benchmarks.rings.Rows.Seat;
import dev.lodestone.internal.Words;
import java.io.IOException;

/**
 * The limit of lanes and ring: a line of 64 bytes a record, four words and a header, stored with release, for the same two
 * processes, and nothing else. The taker polls headers, adds up, zeroes the headers of a turn behind it and says how far it is;
 * it trusts everything. Batches store the first header last. With a compare-and-set for each record it is the limit of a ring
 * that producers share: there is one, of a word that nobody else wants.
 */
final class PlainStream implements Contender {
    private static final long RING_BYTES = 1 << 20;
    private static final long AT_HEAD = 128;
    private static final long AT_TAIL = 256;
    private static final long AT_DONE = 384;
    private static final long AT_SUM = 392;
    private static final long AT_CELLS = 4_096;
    private static final long LINE = 64;

    private final OwnTaker taker;
    private final Seat seat;
    private final boolean batches;
    private final long base;
    private long sent;

    PlainStream(String program, String folder, Seat seat, boolean batches) throws IOException {
        this.taker = new OwnTaker(program, "stream", folder);
        this.seat = seat;
        this.batches = batches;
        this.base = taker.address();
    }

    @Override
    public String row() {
        return seat.row();
    }

    @Override
    public String name() {
        return seat.name();
    }

    @Override
    public long run(int count) {
        taker.order("stream " + count);
        long begun = Clock.begin();
        if (batches) {
            sendBatches(count);
        } else if (seat.name().equals("limit_stream")) {
            send(count);
        } else {
            sendClaimed(count);
        }
        sent += count * LINE;
        while (Words.acquire(base + AT_DONE) != sent) {
            Thread.onSpinWait();
        }
        long took = Clock.end() - begun;
        Message.check(name(), Words.acquire(base + AT_SUM), count, false);
        return took;
    }

    private long room(long until, long room) {
        long found = room;
        while (until - found > 0) {
            found = Words.acquire(base + AT_HEAD) + RING_BYTES;
            if (until - found > 0) {
                Thread.onSpinWait();
            }
        }
        return found;
    }

    private long line(long position) {
        return Words.line(base + AT_CELLS + (position & RING_BYTES - 1));
    }

    private static void write(long line, long value) {
        Words.putLong(line + 8, value);
        Words.putLong(line + 16, value + 1);
        Words.putLong(line + 24, value + 2);
        Words.putLong(line + 32, value + 3);
    }

    private void send(int count) {
        long position = sent;
        long room = position;
        for (int record = 0; record < count; record++) {
            room = room(position + LINE, room);
            long line = line(position);
            write(line, record);
            Words.release(line, record + 1L);
            position += LINE;
        }
    }

    private void sendClaimed(int count) {
        long tailWord = Words.line(base + AT_TAIL);
        long room = sent;
        for (int record = 0; record < count; record++) {
            long position = Words.opaque(tailWord);
            room = room(position + LINE, room);
            if (!Words.replace(tailWord, position, position + LINE)) {
                throw new IllegalStateException("somebody else moved the tail");
            }
            long line = line(position);
            write(line, record);
            Words.release(line, record + 1L);
        }
    }

    private void sendBatches(int count) {
        long position = sent;
        long room = position;
        for (int record = 0; record < count; record += BATCH) {
            room = room(position + BATCH * LINE, room);
            // A batch never passes the end: both are powers of two.
            long first = line(position);
            write(first, record);
            for (int index = 1; index < BATCH; index++) {
                long line = Words.line(first + index * LINE);
                write(line, record + index);
                Words.putLong(line, 1);
            }
            Words.release(first, 1L);
            position += BATCH * LINE;
        }
    }

    @Override
    public void close() {
        taker.close();
    }
}
