package dev.lodestone;

/**
 * What became of a move, a call or a connection. Numbers 0 to 18 are those of the wire protocol, from 100 up those of the
 * native interface, from 200 up those of Java alone. Numbers are only ever added; names never change their number.
 */
public enum Status {
    /** Accepted. */
    OK(0, ""),
    /** A frame that breaks the protocol; its connection was closed. */
    MALFORMED(1, "mend the client: docs/protocol.md lists what a frame may look like"),
    /** The digest does not match header and packet. */
    BAD_DIGEST(2, "compute SHA-256 over the 16 header bytes followed by the packet"),
    /** A node, a reserved byte or a length is out of its range. */
    OUT_OF_BOUNDS(3, "keep node numbers below graph.nodes_max, and source and target different"),
    /** The node is outside the range of the session's token. */
    FORBIDDEN(4, "issue a token whose node range covers it"),
    /** The expected version is not the node's version. */
    CONFLICT(5, "read the node again and decide anew"),
    /** No free slot, or the tenant's quota is used up. */
    ARENA_EXHAUSTED(6, "release nodes, or raise arena.capacity or the tenant's slots_max"),
    /** A new edge found no room. */
    GRAPH_FULL(7, "remove edges, or raise graph.edges_max"),
    /** A datagram found the channel full and was dropped. */
    OVERLOADED(8, "send fewer datagrams, or use streams, which wait"),
    /** A missing, bad, expired or revoked token. */
    UNAUTHORIZED(9, "issue a fresh token with Sessions.issueToken"),
    /** Another protocol version. */
    VERSION_UNSUPPORTED(10, "use a client of protocol version 1 or 2"),
    /** A datagram whose counter did not rise. */
    REPLAYED(11, "let datagram counters rise strictly"),
    /** The state went back to an earlier revision. */
    ROLLED_BACK(12, "read the state again"),
    /** The engine is closing. */
    SHUTTING_DOWN(13, "connect to another engine, or wait for the restart"),
    /** RELEASE of a node that has no slot. */
    NO_SLOT(14, "release only nodes that have moved"),
    /** The client did not take its answers in time. */
    SLOW_CONSUMER(15, "let the client read its streams"),
    /** The engine failed inside; its state is frozen and readable. */
    INTERNAL(16, "close the engine, open it again, and report the text above"),
    /** A route used up its budget of settled vertices. */
    BUDGET(17, "raise graph.route_budget, or ask for a shorter route"),
    /** The revision is not in the rollback window. */
    OUT_OF_WINDOW(18, "choose a revision between Commit.oldestRevision and the present one, or raise rollback.window_mib"),
    /** The configuration is wrong. */
    CONFIG(100, "change the key named above"),
    /** The listening address cannot be bound. */
    BIND(101, "free the port, or set transport.listen to another one (port 0: any free one)"),
    /** A certificate or key file cannot be used. */
    CERTIFICATE(102, "give PEM files that belong together in transport.certificate, or use self_signed"),
    /** The system refused an input or output operation. */
    IO(103, "look at the system's message above"),
    /** The engine is closed. */
    CLOSED(104, "open a new engine"),
    /** The engine failed inside; its state is frozen and readable. */
    POISONED(105, "read what is needed, close the engine and open a new one"),
    /** An argument that the native side refuses. */
    INVALID_ARGUMENT(106, "correct the argument named above"),
    /** The system has no memory for the configured sizes. */
    MEMORY(107, "lower arena.capacity, graph.nodes_max, graph.edges_max or rollback.window_mib, or free memory"),
    /** A graph file that cannot be used. */
    MAP_FILE(108, "make the file again with the converter"),
    /** Something did not finish in time. */
    TIMEOUT(109, "look at what keeps the machine busy, then try again"),
    /** Every watch is in use. */
    WATCHES_FULL(110, "close a watch that is not needed, or raise graph.watches_max"),
    /** The connection of a client was lost, or closed by the server, for good. */
    CONNECTION_LOST(120, "see that the server runs and can be reached, then open a new client"),
    /** The handshake of a client failed. */
    HANDSHAKE(121, "see that address, certificate and server name are those of a Lodestone server"),
    /** A client's connection broke after a request was sent: whether it was applied cannot be told. */
    IN_DOUBT(122, "read the node and decide anew"),
    /** The native library cannot be used. */
    LIBRARY(200, "use the jars of one version together"),
    /** A slot was being rewritten each time it was looked at. */
    BUSY(201, "read again"),
    /** The thread was interrupted while it waited. */
    INTERRUPTED(202, "ask again, unless the thread is to end"),
    /** The distances of a watched source are being computed. */
    NOT_READY(203, "wait for them with WatchedDistances.awaitLive"),
    /** The engine of another process cannot be attached to. */
    ATTACH(204, "name the region file that lodestoned tells in its READY line, or the folder it lies in"),
    /** The engine of another process is gone, or it is another one than before. */
    GONE(205, "attach again once it was restarted"),
    /** The engine of another process was attached to for reading only. */
    READ_ONLY(206, "attach with AttachMode.READ_WRITE"),
    /** What stands in the shared region cannot have been written by an engine or a producer. */
    DAMAGED(207, "look which process of this user writes to the region's file, and start the engine anew");

    private static final Status[] ALL = values();

    private final int number;
    private final String advice;

    Status(int number, String advice) {
        this.number = number;
        this.advice = advice;
    }

    /**
     * The number of this status.
     *
     * @return the number, stable for ever
     */
    public int number() {
        return number;
    }

    /**
     * What to do about it.
     *
     * @return one line, empty for {@link #OK}
     */
    public String advice() {
        return advice;
    }

    /**
     * The status of a number.
     *
     * @param number a status number, as on the wire or from the native library
     * @return the status, {@link #INTERNAL} for a number that this version does not know
     */
    public static Status of(int number) {
        if (number >= 0 && number <= OUT_OF_WINDOW.number) {
            return ALL[number];
        }
        for (Status status : ALL) {
            if (status.number == number) {
                return status;
            }
        }
        return INTERNAL;
    }
}
