package dev.lodestone.client;

/** What a client is doing. */
public enum ClientState {
    /** A session is open. */
    CONNECTED,
    /** The connection was lost, and is being tried again. */
    RECONNECTING,
    /** It was closed, or lost for good: every request fails. */
    ENDED
}
