package dev.lodestone.benchmarks.rings;

/** A record as an object, for queues that hold objects; made at start and used again and again. */
final class Message {
    private long first;
    private long second;
    private long third;
    private long fourth;
    private long fifth;
    private long sixth;
    private long seventh;
    private long eighth;

    /**
     * As many as a full queue, both sides' hands and one batch can hold.
     *
     * @return a power of two of messages
     */
    static Message[] pool() {
        Message[] pool = new Message[4 * Contender.ENTRIES];
        for (int index = 0; index < pool.length; index++) {
            pool[index] = new Message();
        }
        return pool;
    }

    void put(long value, boolean wide) {
        first = value;
        second = value + 1;
        third = value + 2;
        fourth = value + 3;
        if (wide) {
            fifth = value + 4;
            sixth = value + 5;
            seventh = value + 6;
            eighth = value + 7;
        }
    }

    long value() {
        return first;
    }

    long sum(boolean wide) {
        long sum = first + second + third + fourth;
        return wide ? sum + fifth + sixth + seventh + eighth : sum;
    }

    /**
     * The sum of all words of records 0 to count - 1.
     *
     * @param count how many
     * @param wide whether of 8 words, else of 4
     * @return the sum
     */
    static long sumOf(long count, boolean wide) {
        long words = wide ? 8 : 4;
        return words * (count * (count - 1) / 2) + count * (words * (words - 1) / 2);
    }

    /** Refuses what is not the sum. */
    static void check(String who, long sum, long count, boolean wide) {
        if (sum != sumOf(count, wide)) {
            throw new IllegalStateException(who + ": the sum of " + count + " records is " + sum + " instead of "
                    + sumOf(count, wide));
        }
    }
}
