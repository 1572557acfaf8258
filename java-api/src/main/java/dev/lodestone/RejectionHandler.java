package dev.lodestone;

/** Takes refusals of commands from {@link Commands#nextRejection}. */
@FunctionalInterface
public interface RejectionHandler {
    /**
     * Takes one refusal. Called on the thread that asks. An exception leaves the call; the refusal counts as taken.
     *
     * @param counter the counter of the command that was refused
     * @param status number of the {@link Status}: {@code Status.of(status)}
     * @param node the node it was about, unsigned
     */
    void onRejection(long counter, int status, int node);
}
