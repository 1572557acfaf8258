package dev.lodestone.internal;

/** The last steps of a producer that waits, without the looks before them: after those nothing would be left to race with. */
public final class StressSleeps {
    private StressSleeps() {}

    /**
     * Announces its sleep, looks once more, and sleeps if the command is not decided.
     *
     * @param producer the producer
     * @param counter the command's counter
     * @param nanoseconds longest sleep
     */
    public static void unlessDecided(Producer producer, long counter, long nanoseconds) {
        producer.sleepUnlessDecided(counter, nanoseconds);
    }

    /**
     * Announces its sleep, looks once more, and sleeps if the call is not replied to.
     *
     * @param producer the producer
     * @param reply address of its reply area
     * @param counter the call's counter
     * @param nanoseconds longest sleep
     */
    public static void unlessReplied(Producer producer, long reply, long counter, long nanoseconds) {
        producer.sleepUnlessReplied(reply, counter, nanoseconds);
    }
}
