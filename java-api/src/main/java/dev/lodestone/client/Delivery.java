package dev.lodestone.client;

/** How the states of nodes come that a client is subscribed to. */
public enum Delivery {
    /**
     * On a stream: none is lost, none comes before an older one. A lost packet holds all of them up for a moment.
     */
    STREAM,
    /**
     * Each in a datagram: the newest state wins, and a lost one holds nothing up. A node that rests comes once more on the
     * stream within half a second, so its last state always arrives. For what moves all the time, as in games and trackers.
     * A server of protocol version 2 sends on the stream.
     */
    DATAGRAM
}
