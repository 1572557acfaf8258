package dev.lodestone;

import dev.lodestone.internal.Region;

/** Readers of a region that no engine made. */
public final class StressReaders {
    private StressReaders() {}

    /**
     * A reader of slots.
     *
     * @param region the region
     * @return the reader
     */
    public static SlotReader slots(Region region) {
        return new SlotReader(region);
    }

    /**
     * A reader of events from position 0 on.
     *
     * @param region the region
     * @return the reader
     */
    public static EventReader events(Region region) {
        return EventReader.from(region, region.generation(), 0);
    }
}
