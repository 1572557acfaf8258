package dev.lodestone.client;

import dev.lodestone.Route;
import dev.lodestone.Status;
import dev.lodestone.internal.NativeClient;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;

/**
 * A session with an engine elsewhere that outlives its connections.
 *
 * <pre>{@code
 * ClientConfig config = ClientConfig.to("game.example.net:4433").trustFile(Path.of("lodestone.pem")).build();
 * try (LodestoneClient client = LodestoneClient.open(config)) {
 *     MoveResult moved = client.move(Move.of(7, 8, 0x1_0005));
 *     NodeState state = client.read(7);
 *     client.moveAsync(Move.of(7, 9, 0x1_0002).withVersion(state.version()))
 *             .thenAccept(result -> System.out.println(result.status()));
 * }
 * }</pre>
 *
 * <p>Requests leave in the order in which they were made, on one stream, so that a read sees the moves before it. Any number
 * of them, up to {@link ClientConfig#inFlightMax()}, may be under way. When the connection is lost, the client makes a new one
 * and sends what is unanswered again: reads and routes always; a move only when it has an expected version, because that keeps
 * it from being applied twice. What may or may not have been applied is {@link MoveResult#inDoubt()}.
 *
 * <p>Any thread may call, virtual ones too. The {@code …Async} calls never wait: when as many requests as may be are under way,
 * their future has failed with {@link InFlightFullException}. The others wait for a place and for the answer, up to
 * {@link ClientConfig#requestTimeout()} in all, and are not for the thread that completes futures. After {@link #close()}
 * every call fails with {@link ClientClosedException}; when the session was lost for good, with {@link ConnectionLostException}.
 * Close a client: it has two threads, and memory outside the heap.
 */
public final class LodestoneClient implements AutoCloseable {
    /** Most nodes in one subscription. */
    public static final int SUBSCRIBE_NODES_MAX = 64;

    /** How long to wait when requests that nobody waits for have the places, nanoseconds. */
    private static final long FIRED_WAIT_NS = 100_000;
    private static final Duration CLOSE_WAIT = Duration.ofSeconds(5);

    private final NativeClient client;
    private final Duration requestTimeout;

    private LodestoneClient(NativeClient client, Duration requestTimeout) {
        this.client = client;
        this.requestTimeout = requestTimeout;
    }

    /**
     * Opens a session; waits until it is open. The first connection is not tried again.
     *
     * @param config how to reach the server
     * @return the client
     * @throws dev.lodestone.NativeLibraryException when the native library cannot be used
     * @throws ClientException when there is no session: {@link Status#TIMEOUT} (nobody answers), {@link Status#HANDSHAKE}
     *     (another certificate, or no Lodestone server), {@link Status#UNAUTHORIZED} (the token), {@link Status#CONFIG},
     *     {@link Status#CERTIFICATE}, {@link Status#CONNECTION_LOST} (among others when the server wants a certificate)
     */
    public static LodestoneClient open(ClientConfig config) {
        Objects.requireNonNull(config, "config");
        return new LodestoneClient(
                NativeClient.open(config.text(), config.inFlightMax(), config.executor()), config.requestTimeout());
    }

    /**
     * Sends a move; its future completes once it is decided.
     *
     * @param move the move
     * @return what becomes of it
     */
    public CompletableFuture<MoveResult> moveAsync(Move move) {
        return client.move(move);
    }

    /**
     * Sends a move and waits until it is decided.
     *
     * @param move the move
     * @return what became of it; a refused move is no exception
     * @throws ClientException when no answer came: {@link Status#TIMEOUT} and {@link Status#INTERRUPTED} leave it under way
     */
    public MoveResult move(Move move) {
        return await(() -> client.move(move));
    }

    /**
     * Gives the slot of a node back; its future completes once that is decided.
     *
     * @param node the node, unsigned
     * @return what becomes of it
     */
    public CompletableFuture<MoveResult> releaseAsync(int node) {
        return client.release(node);
    }

    /**
     * Gives the slot of a node back and waits until that is decided.
     *
     * @param node the node, unsigned
     * @return what became of it; a refusal is no exception
     * @throws ClientException as {@link #move}
     */
    public MoveResult release(int node) {
        return await(() -> client.release(node));
    }

    /**
     * Reads the slot of a node as it is after all requests before.
     *
     * @param node the node, unsigned
     * @return the state; the future fails with {@link RequestRefusedException} for a node that there is not
     */
    public CompletableFuture<NodeState> readAsync(int node) {
        return client.read(node);
    }

    /**
     * Reads the slot of a node and waits for it.
     *
     * @param node the node, unsigned
     * @return the state
     * @throws RequestRefusedException for a node that there is not
     * @throws ClientException as {@link #move}
     */
    public NodeState read(int node) {
        return await(() -> client.read(node));
    }

    /**
     * Sends a move as a datagram: it waits for nothing that was lost before it, may be lost itself, and is never sent again.
     * There is no order between datagrams, nor with what goes by the stream; the server refuses one that another has overtaken
     * ({@link Status#REPLAYED}).
     *
     * @param move the move
     * @return what becomes of it; {@link MoveResult#inDoubt()} when no answer came within
     *     {@link ClientConfig.Builder#datagramTimeout}, or the connection was lost: it, or its answer, was lost
     */
    public CompletableFuture<MoveResult> moveByDatagramAsync(Move move) {
        return client.moveByDatagram(move);
    }

    /**
     * As {@link #moveByDatagramAsync}, and waits for what becomes of it.
     *
     * @param move the move
     * @return what became of it
     * @throws ClientException as {@link #move}
     */
    public MoveResult moveByDatagram(Move move) {
        return await(() -> client.moveByDatagram(move));
    }

    /**
     * Sends a move as a datagram that nobody answers, and forgets it: for positions that the next one replaces. It may be lost,
     * or refused, and nobody will know. Never waits.
     *
     * @param move the move
     * @return false when it was not sent, because as many requests as may be are under way or there is no connection right now
     * @throws ClientClosedException when the client is closed
     * @throws ConnectionLostException when the session was lost for good
     */
    public boolean trySend(Move move) {
        return client.fire(Objects.requireNonNull(move, "move"));
    }

    /**
     * Reads the slot of a node by datagram: it does not wait for the requests before it, and may be lost.
     *
     * @param node the node, unsigned
     * @return the state; the future fails with {@link Status#TIMEOUT} when no answer came within
     *     {@link ClientConfig.Builder#datagramTimeout}, with {@link RequestRefusedException} for a node that there is not
     */
    public CompletableFuture<NodeState> readByDatagramAsync(int node) {
        return client.readByDatagram(node);
    }

    /**
     * As {@link #readByDatagramAsync}, and waits for the state.
     *
     * @param node the node, unsigned
     * @return the state
     * @throws RequestRefusedException for a node that there is not
     * @throws ClientException as {@link #move}; {@link Status#TIMEOUT} when no answer came
     */
    public NodeState readByDatagram(int node) {
        return await(() -> client.readByDatagram(node));
    }

    /**
     * Subscribes to nodes, all of them or none: their states come as {@link #news()}, first as they are, then after every change.
     * A node that is subscribed to already stays as it is, or comes the other way from then on. After a lost connection the
     * client subscribes again by itself. Needs {@link ClientConfig.Builder#updatesMax}.
     *
     * @param delivery how the states are to come
     * @param nodes the nodes, 1 to 64, unsigned
     * @return what becomes of it; a refusal is no exception
     * @throws IllegalArgumentException when there are none or too many nodes
     */
    public CompletableFuture<SubscribeResult> subscribeAsync(Delivery delivery, int... nodes) {
        Objects.requireNonNull(delivery, "delivery");
        if (nodes.length == 0) {
            throw new IllegalArgumentException("no node is named");
        }
        return client.subscribe(delivery, checked(nodes));
    }

    /**
     * As {@link #subscribeAsync}, and waits for what becomes of it.
     *
     * @param delivery how the states are to come
     * @param nodes the nodes, 1 to 64, unsigned
     * @return what became of it; a refusal is no exception
     * @throws IllegalArgumentException when there are none or too many nodes
     * @throws ClientException as {@link #move}
     */
    public SubscribeResult subscribe(Delivery delivery, int... nodes) {
        return await(() -> subscribeAsync(delivery, nodes));
    }

    /**
     * Ends subscriptions to nodes. What was on its way may still come.
     *
     * @param nodes the nodes, at most 64, unsigned; none: all
     * @return what becomes of it
     * @throws IllegalArgumentException when there are too many nodes
     */
    public CompletableFuture<SubscribeResult> unsubscribeAsync(int... nodes) {
        return client.unsubscribe(checked(nodes));
    }

    /**
     * As {@link #unsubscribeAsync}, and waits for what becomes of it.
     *
     * @param nodes the nodes, at most 64, unsigned; none: all
     * @return what became of it
     * @throws IllegalArgumentException when there are too many nodes
     * @throws ClientException as {@link #move}
     */
    public SubscribeResult unsubscribe(int... nodes) {
        return await(() -> unsubscribeAsync(nodes));
    }

    private static int[] checked(int[] nodes) {
        if (nodes.length > SUBSCRIBE_NODES_MAX) {
            throw new IllegalArgumentException(nodes.length + " nodes; at most " + SUBSCRIBE_NODES_MAX + " go together");
        }
        return nodes;
    }

    /**
     * A reader for the news of nodes that the client, or the application on the server, subscribed its session to. Without
     * {@link ClientConfig.Builder#updatesMax} its polls fail.
     *
     * @return a new reader; one thread at a time uses it
     */
    public NewsReader news() {
        return new NewsReader(client.news());
    }

    /**
     * Asks for a shortest path.
     *
     * @param source first node, unsigned
     * @param target last node, unsigned
     * @return the route; how many vertices the search settled is not told over the network, and 0. The future fails with
     *     {@link RequestRefusedException} when the search used up its budget ({@link Status#BUDGET}) or a node is not there
     */
    public CompletableFuture<Route> routeAsync(int source, int target) {
        return client.route(source, target);
    }

    /**
     * Asks for a shortest path and waits for it.
     *
     * @param source first node, unsigned
     * @param target last node, unsigned
     * @return the route, as of {@link #routeAsync}
     * @throws RequestRefusedException as of {@link #routeAsync}
     * @throws ClientException as {@link #move}
     */
    public Route route(int source, int target) {
        return await(() -> client.route(source, target));
    }

    /**
     * Shows another token at the next connection: the old one may have expired by then.
     *
     * @param token the token; empty: none
     */
    public void token(byte[] token) {
        client.token(token);
    }

    /**
     * What the client is doing.
     *
     * @return as of now
     */
    public ClientStatus status() {
        return client.status();
    }

    /**
     * Makes a request.
     *
     * @param <T> what comes back
     */
    private interface Request<T> {
        CompletableFuture<T> send();
    }

    private <T> T await(Request<T> request) {
        client.requireMayWait();
        long deadlineNs = System.nanoTime() + requestTimeout.toNanos();
        try {
            client.awaitPlace(deadlineNs - System.nanoTime());
            CompletableFuture<T> answer = request.send();
            while (client.refusedForRoom(answer)) {
                LockSupport.parkNanos(FIRED_WAIT_NS);
                client.awaitPlace(deadlineNs - System.nanoTime());
                answer = request.send();
            }
            return answer.get(Math.max(0, deadlineNs - System.nanoTime()), TimeUnit.NANOSECONDS);
        } catch (TimeoutException late) {
            throw new ClientException(Status.TIMEOUT, "no answer within " + requestTimeout.toMillis() + " ms",
                    "ask again; what was sent is still under way", late);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new ClientException(Status.INTERRUPTED, "the thread that waited for an answer was interrupted",
                    "ask again, unless the thread is to end; what was sent is still under way", interrupted);
        } catch (ExecutionException failed) {
            throw failed.getCause() instanceof ClientException known ? NativeClient.again(known)
                    : new ClientException(Status.INTERNAL, "an answer could not be read", "report this", failed.getCause());
        }
    }

    /** As {@link #close(Duration)} with five seconds. */
    @Override
    public void close() {
        close(CLOSE_WAIT);
    }

    /**
     * Takes no more requests, waits for the answers of those under way, and ends the session. What is not answered in time
     * fails with {@link ClientClosedException}. A second close does nothing.
     *
     * <p>Every future is complete then, unless there is no executor and a callback holds up the client's thread for longer
     * than this wait and one second, or this is called in such a callback: the rest completes once the callback has returned.
     *
     * @param wait how long to wait, at most 24 days; zero or less: what is under way may be lost
     */
    public void close(Duration wait) {
        client.close(Objects.requireNonNull(wait, "wait"));
    }
}
