package dev.lodestone.internal;

/** The one producer of a lane: it claims by counting on, and a header makes visible what it wrote. */
final class LaneProducer extends CommandRing {
    /** Position of the first cell in the present lap. */
    private long lap;
    /** Address of the next claim. */
    private long next;
    /**
     * Up to this address a claim needs no look at anything: neither the room that is known ends before, nor the cells. So there
     * is one comparison for each record.
     */
    private long limit;

    LaneProducer(Region region, Producer producer) {
        super(region, producer, region.lane(producer.lane()), region.laneBytes());
        long tail = Words.acquire(tailWord);
        requireCell(tail);
        this.lap = tail & ~mask;
        this.next = at(tail);
        this.limit = next;
    }

    @Override
    public long claimOne(long bodyBytes) {
        long record = next;
        if (record + spanOf(bodyBytes) > limit) {
            if (!claimCells(spanOf(bodyBytes))) {
                producer.countFull();
                return 0;
            }
            record = next;
        }
        return Words.line(record) + BridgeLayout.RECORD_HEAD_BYTES;
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
        // A lane of a few cells, which no engine makes, has no room for some records, whatever its head says.
        if (bytes > claimBytesMax) {
            return false;
        }
        long left = cells + mask + 1 - next;
        if (bytes > left) {
            if (!hasRoom(lap + mask + 1)) {
                return false;
            }
            if (left > 0) {
                Words.release(next, padding(left));
            }
            lap += mask + 1;
            next = cells;
        }
        boolean found = hasRoom(lap + (next - cells) + bytes);
        limit = cells + Math.min(mask + 1, roomEnd() - lap);
        return found;
    }

    @Override
    long claimed() {
        return next;
    }

    @Override
    void publish(long record, long header, long bytes) {
        next = record + bytes;
        Words.release(record, header);
        producer.ringEngine();
    }

    @Override
    void drop(long record, long written, long claimed) {
        // Nobody saw it, and what comes next begins here: what stands in the first words of its cells must not.
        for (long offset = 0; offset < written; offset += BridgeLayout.CELL_BYTES) {
            Words.putOpaque(record + offset, 0);
        }
    }
}
