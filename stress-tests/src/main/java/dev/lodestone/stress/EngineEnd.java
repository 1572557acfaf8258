package dev.lodestone.stress;

import dev.lodestone.internal.BridgeLayout;
import dev.lodestone.internal.Words;

/** The engine's end of a lane or of the ring: the steps of {@code native/memory/src/rings}, one thread. */
final class EngineEnd {
    private static final int BODY_WORDS = 4;

    private final long control;
    private final long cells;
    private final long capacity;
    private long head;

    EngineEnd(long control, long capacity) {
        this.control = control;
        this.cells = control + BridgeLayout.RING_CELLS;
        this.capacity = capacity;
    }

    /**
     * Whether something is there, as the engine looks before it sleeps.
     *
     * @return true when a record may be taken
     */
    boolean hasSome() {
        return Words.opaque(header()) != 0;
    }

    private long header() {
        return cells + (head & capacity - 1);
    }

    /**
     * Takes what is there.
     *
     * @param value what each word of the bodies has to be
     * @return number of records, -1 when one is not what its producer wrote
     */
    int take(long value) {
        int taken = 0;
        for (long first = Words.acquire(header()); first != 0; first = Words.acquire(header())) {
            long bytes = first & 0xffff_ffffL;
            boolean record = first >>> Integer.SIZE == BridgeLayout.CELL_RECORD;
            if (record) {
                if (bytes != BridgeLayout.RECORD_HEAD_BYTES + BODY_WORDS * Long.BYTES || !isWhole(value)) {
                    return -1;
                }
                taken++;
            }
            step(bytes + BridgeLayout.CELL_BYTES - 1 & -BridgeLayout.CELL_BYTES);
        }
        return taken;
    }

    private boolean isWhole(long value) {
        boolean whole = true;
        for (int word = 0; word < BODY_WORDS; word++) {
            whole &= Words.opaque(header() + BridgeLayout.RECORD_HEAD_BYTES + (long) word * Long.BYTES) == value;
        }
        return whole;
    }

    private void step(long bytes) {
        for (long offset = 0; offset < bytes; offset += BridgeLayout.CELL_BYTES) {
            Words.putOpaque(cells + (head + offset & capacity - 1), 0);
        }
        head += bytes;
        Words.release(control + BridgeLayout.RING_HEAD, head);
    }

    /** Takes everything unseen, between two uses. */
    void takeAll() {
        for (long first = Words.acquire(header()); first != 0; first = Words.acquire(header())) {
            step((first & 0xffff_ffffL) + BridgeLayout.CELL_BYTES - 1 & -BridgeLayout.CELL_BYTES);
        }
    }
}
