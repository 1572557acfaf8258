package dev.lodestone.internal;

import java.lang.invoke.VarHandle;

/** One of the producers that share the ring: it says what it will claim, then moves the tail. */
final class RingProducer extends CommandRing {
    private static final int CELL_SHIFT = 6;
    private static final long CELL_MASK = (1L << 50) - 1;
    private static final int COUNT_SHIFT = 50;
    private static final int STAGE_SHIFT = 62;
    private static final long STAGE_ATTEMPT = 1;
    private static final long STAGE_OWNED = 2;

    private final long claimWord;
    /** Address of the claim in hand. */
    private long claimed;

    RingProducer(Region region, Producer producer) {
        super(region, producer, region.ring(), region.ringBytes());
        this.claimWord = Words.line(producer.claimWord());
    }

    @Override
    public long claimOne(long bodyBytes) {
        if (!claimCells(spanOf(bodyBytes))) {
            producer.countFull();
            return 0;
        }
        return Words.line(claimed) + BridgeLayout.RECORD_HEAD_BYTES;
    }

    @Override
    public long send(long body, long kind, long bodyBytes) {
        long record = Words.line(body - BridgeLayout.RECORD_HEAD_BYTES);
        long number = number(record, kind, bodyBytes);
        publish(record, header(bodyBytes), spanOf(bodyBytes));
        return number;
    }

    @Override
    boolean claimCells(long bytes) {
        if (bytes > claimBytesMax) {
            return false;
        }
        while (true) {
            long tail = Words.opaque(tailWord);
            requireCell(tail);
            long left = left(tail);
            long needed = Math.min(bytes, left);
            if (!hasRoom(tail + needed)) {
                Words.release(claimWord, 0);
                return false;
            }
            Words.release(claimWord, claim(tail, needed, STAGE_ATTEMPT));
            if (Words.replace(tailWord, tail, tail + needed)) {
                Words.release(claimWord, claim(tail, needed, STAGE_OWNED));
                // Whoever finds a byte of the record finds that the attempt succeeded.
                VarHandle.releaseFence();
                if (bytes <= left) {
                    claimed = at(tail);
                    return true;
                }
                Words.release(at(tail), padding(left));
            }
        }
    }

    private static long claim(long position, long bytes, long stage) {
        return position >>> CELL_SHIFT & CELL_MASK | bytes >>> CELL_SHIFT << COUNT_SHIFT | stage << STAGE_SHIFT;
    }

    @Override
    long claimed() {
        return claimed;
    }

    @Override
    void publish(long record, long header, long bytes) {
        Words.release(record, header);
        Words.release(claimWord, 0);
        producer.ringEngine();
    }

    @Override
    void drop(long record, long written, long claimed) {
        // The cells are this producer's and become padding.
        Words.release(record, padding(claimed));
        Words.release(claimWord, 0);
    }
}
