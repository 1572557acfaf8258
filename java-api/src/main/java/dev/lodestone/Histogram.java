package dev.lodestone;

/** The engine's latency histograms. */
public enum Histogram {
    /** A batch entered the channel until the engine took it. */
    QUEUE,
    /** The engine took a batch until its revision was published. */
    ENGINE,
    /** First packet of a connection until its TLS handshake was complete. */
    HANDSHAKE,
    /** A rollback. */
    ROLLBACK,
    /** A route question reached the pathfinder until it was answered. */
    ROUTE;

    /** The histogram's place in the shared region; the order above is that of the data plane and only ever grows. */
    int place() {
        return ordinal();
    }
}
