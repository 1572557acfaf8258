package dev.lodestone.internal;

/** Single steps of a producer that its callers have no name for. */
public final class StressSteps {
    private StressSteps() {}

    /**
     * The step of a wait that may sleep.
     *
     * @param producer who waits
     * @param counter for which command
     */
    public static void sleepUnlessDecided(Producer producer, long counter) {
        producer.sleepUnlessDecided(counter, BridgeLayout.SLEEP_NS_MAX);
    }
}
