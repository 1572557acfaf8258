package dev.lodestone.internal;

/** What the region of an engine in another process is asked about that process. */
interface RegionOwner {
    /**
     * Whether the process ended without closing its engine.
     *
     * @return false while it lives
     */
    boolean isGone();

    /** Gives the memory up after a fault: from now on there are zeros. */
    void giveUp();

    /**
     * Whether the memory may be written.
     *
     * @return false when a write would end this process
     */
    boolean isWritable();
}
