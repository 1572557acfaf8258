package dev.lodestone.internal;

/** The log ring of a region (docs/shared-memory.md). Any thread. */
public final class LogRing {
    private final Region region;
    private final long base;
    private final long cellsMax;

    /**
     * The ring.
     *
     * @param region the region that it lies in
     */
    public LogRing(Region region) {
        this.region = region;
        this.base = region.section(RegionLayout.LOG);
        this.cellsMax = (region.itemBytes(RegionLayout.LOG) - LogLayout.CELLS) / LogLayout.CELL_BYTES;
    }

    /**
     * Address of its cells.
     *
     * @return the address of cell 0
     */
    public long cells() {
        return base + LogLayout.CELLS;
    }

    /**
     * Its length.
     *
     * @return number of cells, a power of two
     */
    public long cellsMax() {
        return cellsMax;
    }

    /**
     * How many records were begun.
     *
     * @return the position behind the last one
     */
    public long tail() {
        try {
            return Words.opaque(base + LogLayout.TAIL);
        } catch (InternalError fault) {
            throw region.fault(fault);
        }
    }

    /**
     * Tells the engine of this process how far its records were forwarded.
     *
     * @param position the position behind the last one
     */
    void tellTaken(long position) {
        Words.putOpaque(base + LogLayout.TAKEN, position + 1);
    }
}
