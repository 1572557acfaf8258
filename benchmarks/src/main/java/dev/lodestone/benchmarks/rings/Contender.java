package dev.lodestone.benchmarks.rings;

/** One way to get records to the other core, in one row of the table. The main thread, on core 0, calls it. */
interface Contender extends AutoCloseable {
    /** Entries of every ring and queue: 1 MiB of ours, of 64 bytes each. */
    int ENTRIES = 16_384;
    /** Records of a batch. */
    int BATCH = 128;

    /**
     * The row.
     *
     * @return its name
     */
    String row();

    /**
     * Who it is.
     *
     * @return its name
     */
    String name();

    /**
     * Sends so many records and waits until the other side took them all; round trips go into {@link Trips}, what was
     * allocated between begin and end into {@link Clock}.
     *
     * @param count how many, a multiple of the batch
     * @return nanoseconds it took
     * @throws IllegalStateException when the sum over everything taken is not that over everything sent
     */
    long run(int count);

    @Override
    default void close() {}
}
