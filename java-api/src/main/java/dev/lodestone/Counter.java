package dev.lodestone;

import java.util.Locale;

/** The engine's counters. Each counts from the engine's start unless its text says otherwise. */
public enum Counter {
    /** Sessions welcomed and not yet ended: now. */
    SESSIONS_LIVE,
    /** Sessions ever welcomed. */
    SESSIONS_TOTAL,
    /** Connections that failed before they were welcomed. */
    HANDSHAKES_FAILED,
    /** TLS handshakes that took longer than {@code transport.tls_handshake_target_ms}. */
    HANDSHAKES_OVER_TARGET,
    /** Frames decoded. */
    FRAMES_RECEIVED,
    /** Bytes of frames decoded. */
    BYTES_RECEIVED,
    /** Datagrams decoded. */
    DATAGRAMS_RECEIVED,
    /** Datagrams dropped because the channel or the bump arena was full. */
    DATAGRAMS_DROPPED,
    /** Datagrams whose counter did not rise. */
    DATAGRAMS_REPLAYED,
    /** Connections closed for a protocol error. */
    PROTOCOL_ERRORS,
    /** Moves whose digest did not match. */
    DIGEST_FAILURES,
    /** Answer frames written. */
    ANSWERS_SENT,
    /** Sessions closed because they did not take their answers. */
    SLOW_CONSUMERS_CLOSED,
    /** Sessions refused for their token. */
    UNAUTHORIZED_REFUSED,
    /** Times a stream waited for a bump page. */
    PAGES_EXHAUSTED,
    /** Times a stream waited for room in the channel. */
    CHANNEL_FULL,
    /** Moves accepted. */
    MOVES_ACCEPTED,
    /** Moves and releases refused. */
    MOVES_REJECTED,
    /** Releases accepted. */
    RELEASES_ACCEPTED,
    /** Reads answered to clients. */
    READS,
    /** Routes answered. */
    ROUTES,
    /** Routes that used up their budget. */
    ROUTES_OVER_BUDGET,
    /** Rollbacks done. */
    ROLLBACKS,
    /** Rollbacks that took longer than {@code rollback.sla_ms}. */
    ROLLBACKS_OVER_SLA,
    /** Batches committed. */
    BATCHES,
    /** Events published. */
    EVENTS_PUBLISHED,
    /** Session events that found the engine's queue full and were not published. */
    EVENTS_DROPPED,
    /** Arcs taken in by the bulk load under way or done last. */
    LOAD_DONE,
    /** Arcs of that bulk load; 0 while nobody knows. */
    LOAD_TOTAL,
    /** Committed changes, and one mark for each revision, that the pathfinder has not applied yet: now. */
    PATHFINDER_LAG,
    /** Connections refused because {@code transport.connections_max} was reached. */
    CONNECTIONS_REFUSED,
    /** Slots in use: now. */
    SLOTS_USED,
    /** One more than the highest slot in use: now. */
    SLOTS_HIGH_WATER,
    /** Edges in the graph: now. */
    EDGES_USED,
    /** Bytes of the undo ring that hold history: now. */
    UNDO_BYTES_USED,
    /** Times the engine waited for the pathfinder to make room for committed changes. */
    PATHFINDER_WAITS,
    /** Routes not searched to the end because nobody waited for them any more. */
    ROUTES_CANCELLED,
    /** Repairs of watched sources, one for each source and run of changes. */
    WATCH_REPAIRS,
    /** Labels that those repairs wrote. */
    WATCH_LABELS_WRITTEN,
    /** Times a watched source became stale: its repair went over {@code graph.watch_budget}. */
    WATCHES_STALE,
    /** Fills of watched sources that came to their end, the first ones included. */
    WATCH_FILLS,
    /** Commands taken from shared memory. */
    COMMANDS,
    /** Times that a producer of commands found no room. */
    COMMANDS_FULL,
    /** Claims in the ring that a dead producer left behind and that were skipped. */
    CLAIMS_REPAIRED,
    /** Records and stretches in shared memory that no producer writes. */
    COMMANDS_GARBAGE,
    /** Producers of commands registered: now. */
    PRODUCERS_LIVE,
    /** Producers of commands whose process ended without a word. */
    PRODUCERS_DIED,
    /** Log records written to the log ring. */
    LOG_RECORDS,
    /** Log records that were dropped because their place in the ring was still being written. */
    LOG_RECORDS_LOST,
    /** Tickets of earlier connections that were taken: handshakes without certificates. */
    HANDSHAKES_RESUMED,
    /** Times that certificate, authorities and token keys were taken up anew. */
    IDENTITY_RELOADS,
    /** Times that this was refused and the old ones went on. */
    IDENTITY_RELOADS_REFUSED,
    /** Updates handed to the streams of sessions, or sent to them as datagrams. */
    UPDATES_SENT,
    /** Changes that found their node waiting for the session already: one update tells of both. */
    UPDATES_COALESCED,
    /** Nodes that sessions are told of, each counted once for each session: now. */
    SUBSCRIPTIONS_LIVE,
    /** Handshakes under way: from a connection's first packet to WELCOME or its refusal. */
    HANDSHAKES_LIVE,
    /** Attempts to connect that were asked to prove their address. */
    CONNECTIONS_RETRIED,
    /** Attempts to connect that got no answer: too many handshakes under way, or too many packets. */
    CONNECTIONS_SHED,
    /** Attempts to connect that were refused because of a limit of their address. */
    CONNECTIONS_LIMITED,
    /** Times a stream waited because its session sends more than it may. */
    SESSIONS_THROTTLED,
    /** Datagrams dropped because their session sends more than it may. */
    DATAGRAMS_SHED,
    /** Sessions that were told of the server's end with everything accepted answered. */
    SESSIONS_DRAINED,
    /** Times that a session's next stream waited because it begins more than it may. */
    STREAMS_THROTTLED;

    /** The counter's place in the shared region; the order above is that of the data plane and only ever grows. */
    int place() {
        return ordinal();
    }

    /**
     * The counter's name in tables and logs.
     *
     * @return for example {@code moves_accepted}
     */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
