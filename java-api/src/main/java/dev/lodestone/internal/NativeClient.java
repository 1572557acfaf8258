package dev.lodestone.internal;

import dev.lodestone.Route;
import dev.lodestone.Status;
import dev.lodestone.bindings.Lodestone;
import dev.lodestone.bindings.LodestoneClientInfo;
import dev.lodestone.bindings.LodestoneCompletion;
import dev.lodestone.bindings.LodestoneError;
import dev.lodestone.client.ClientClosedException;
import dev.lodestone.client.ClientException;
import dev.lodestone.client.ClientState;
import dev.lodestone.client.ClientStatus;
import dev.lodestone.client.ConnectionLostException;
import dev.lodestone.client.Delivery;
import dev.lodestone.client.InFlightFullException;
import dev.lodestone.client.Move;
import dev.lodestone.client.MoveResult;
import dev.lodestone.client.NodeState;
import dev.lodestone.client.RequestRefusedException;
import dev.lodestone.client.SubscribeResult;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One client behind its number: sends requests, and a thread of its own fetches what became of them. Any thread.
 *
 * <p>The number is never used twice, so a call that meets the close is refused by the native side and touches no freed memory.
 */
public final class NativeClient {
    /** Completions fetched in one call. */
    private static final int FETCHED_MAX = 256;
    /** Room for nodes of routes in one call: two of the longest lists. */
    private static final int NODES_ROOM = 2 * Route.NODES_LISTED_MAX;
    /** Longest wait of one call; then the client is looked at again. */
    private static final long FETCH_WAIT_MS = 200;

    /** Longest wait of a close. */
    private static final long WAIT_MAX_MS = Integer.MAX_VALUE;
    /** How much longer the close waits for the fetcher than for answers. */
    private static final long FETCHER_GRACE_MS = 1_000;

    private static final int PAYLOAD_OFFSET = 24;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** A request under way: how its future completes. */
    private interface Flight {
        void answered(Fetched completion);

        void failed(ClientException reason);
    }

    /**
     * Reads the value of an answer; throws what the future shall fail with.
     *
     * @param <T> the value
     */
    private interface Reading<T> {
        T of(Fetched completion);
    }

    /**
     * A completion and the nodes fetched with it.
     *
     * @param cell the completion
     * @param nodes where the nodes of its route lie
     */
    private record Fetched(MemorySegment cell, MemorySegment nodes) {
        Status status() {
            return Status.of(LodestoneCompletion.status(cell));
        }
    }

    private final long handle;
    private final int inFlightMax;
    private final Executor executor;
    private final Semaphore places;
    private final AtomicLong lastId = new AtomicLong();
    private final Map<Long, Flight> flights = new ConcurrentHashMap<>();
    /** Held to fill the one request cell and hand it over, so that requests leave in the order of their calls. */
    private final ReentrantLock sending = new ReentrantLock();
    private final RequestCell cell;
    private final MemorySegment taken;
    private final MemorySegment error;
    private final Thread fetcher;
    private volatile ClientException end;
    private volatile boolean closing;
    /** The client was closed on the fetcher, which gives it back once it has fetched everything. */
    private volatile boolean fetcherFrees;

    private NativeClient(long handle, int inFlightMax, Executor executor) {
        this.handle = handle;
        this.inFlightMax = inFlightMax;
        this.executor = executor;
        this.places = new Semaphore(inFlightMax);
        Arena lifetime = Arena.ofAuto();
        this.cell = new RequestCell(lifetime);
        this.taken = lifetime.allocate(ValueLayout.JAVA_INT);
        this.error = lifetime.allocate(LodestoneError.layout());
        this.fetcher = Thread.ofPlatform().daemon().name("lodestone-client-answers").unstarted(this::fetchAll);
    }

    /**
     * Opens a session.
     *
     * @param settings lines {@code key=value}
     * @param inFlightMax requests that may be under way
     * @param executor who completes futures
     * @return the client
     * @throws ClientException when there is no session
     */
    public static NativeClient open(String settings, int inFlightMax, Executor executor) {
        NativeLibrary.require();
        try (Call call = new Call()) {
            MemorySegment number = call.allocate(ValueLayout.JAVA_LONG);
            MemorySegment text = call.bytes(settings);
            int status = Lodestone.lodestone_client_open(text, text.byteSize(), number, call.error());
            if (status != 0) {
                throw failure(status, call.error());
            }
            NativeClient client = new NativeClient(number.get(ValueLayout.JAVA_LONG, 0), inFlightMax, executor);
            client.fetcher.start();
            return client;
        }
    }

    /**
     * What a call of a client failed with.
     *
     * @param status its status, not 0
     * @param error its text
     * @return the exception
     */
    static ClientException failure(int status, MemorySegment error) {
        Status known = Status.of(status);
        String what = Call.text(error);
        return switch (known) {
            case CLOSED -> new ClientClosedException();
            case CONNECTION_LOST, SHUTTING_DOWN, SLOW_CONSUMER, MALFORMED -> new ConnectionLostException(known, what);
            default -> new ClientException(known, what, known.advice(), null);
        };
    }

    /**
     * The same exception with the stack of whoever waits now.
     *
     * @param known the exception of a future
     * @return one to throw
     */
    public static ClientException again(ClientException known) {
        ClientException fresh = switch (known) {
            case ClientClosedException _ -> new ClientClosedException();
            case ConnectionLostException lost -> new ConnectionLostException(lost.status(), lost.getMessage());
            case RequestRefusedException refused -> new RequestRefusedException(refused.status(), refused.node());
            default -> new ClientException(known.status(), known.getMessage(), "", null);
        };
        fresh.addSuppressed(known);
        return fresh;
    }

    /**
     * Sends a move.
     *
     * @param move the move
     * @return its result
     */
    public CompletableFuture<MoveResult> move(Move move) {
        Objects.requireNonNull(move, "move");
        return send(RequestCell.KIND_MOVE, RequestCell.BY_STREAM, cell -> cell.move(move), NativeClient::result);
    }

    /**
     * Sends a move as a datagram, to be answered.
     *
     * @param move the move
     * @return its result
     */
    public CompletableFuture<MoveResult> moveByDatagram(Move move) {
        Objects.requireNonNull(move, "move");
        return send(RequestCell.KIND_MOVE, RequestCell.BY_DATAGRAM, cell -> cell.move(move), NativeClient::result);
    }

    /**
     * Sends a move as a datagram that nobody answers.
     *
     * @param move the move
     * @return false when there is no place or no connection
     */
    public boolean fire(Move move) {
        sending.lock();
        try {
            if (end != null || closing) {
                throw end != null ? again(end) : new ClientClosedException();
            }
            cell.begin(0, RequestCell.KIND_MOVE, RequestCell.BY_DATAGRAM_UNANSWERED);
            cell.move(move);
            int status = Lodestone.lodestone_client_submit(handle, cell.segment(), 1, taken, error);
            if (status != 0 && Status.of(status) != Status.CONNECTION_LOST) {
                throw failure(status, error);
            }
            return status == 0 && taken.get(ValueLayout.JAVA_INT, 0) == 1;
        } finally {
            sending.unlock();
        }
    }

    /**
     * Sends a release.
     *
     * @param node the node
     * @return its result
     */
    public CompletableFuture<MoveResult> release(int node) {
        return send(RequestCell.KIND_RELEASE, RequestCell.BY_STREAM, cell -> cell.pair(node, 0), NativeClient::result);
    }

    /**
     * Sends a read.
     *
     * @param node the node
     * @return its state
     */
    public CompletableFuture<NodeState> read(int node) {
        return send(RequestCell.KIND_READ, RequestCell.BY_STREAM, cell -> cell.pair(node, 0), NativeClient::state);
    }

    /**
     * Sends a read as a datagram.
     *
     * @param node the node
     * @return its state
     */
    public CompletableFuture<NodeState> readByDatagram(int node) {
        return send(RequestCell.KIND_READ, RequestCell.BY_DATAGRAM, cell -> cell.pair(node, 0), NativeClient::state);
    }

    /**
     * Subscribes to nodes.
     *
     * @param delivery how their states are to come
     * @param nodes the nodes, 1 to 64
     * @return what becomes of it
     */
    public CompletableFuture<SubscribeResult> subscribe(Delivery delivery, int[] nodes) {
        byte kind = delivery == Delivery.DATAGRAM ? RequestCell.KIND_SUBSCRIBE_LATEST : RequestCell.KIND_SUBSCRIBE;
        return send(kind, RequestCell.BY_STREAM, cell -> cell.nodes(nodes), NativeClient::subscription);
    }

    /**
     * Ends subscriptions.
     *
     * @param nodes the nodes, at most 64; none: all
     * @return what becomes of it
     */
    public CompletableFuture<SubscribeResult> unsubscribe(int[] nodes) {
        return send(RequestCell.KIND_UNSUBSCRIBE, RequestCell.BY_STREAM, cell -> cell.nodes(nodes), NativeClient::subscription);
    }

    /**
     * What takes the news of nodes.
     *
     * @return a reader of its own
     */
    public NativeNews news() {
        return new NativeNews(handle);
    }

    /**
     * Sends a question for a route.
     *
     * @param source first node
     * @param target last node
     * @return the route
     */
    public CompletableFuture<Route> route(int source, int target) {
        return send(RequestCell.KIND_ROUTE, RequestCell.BY_STREAM, cell -> cell.pair(source, target), NativeClient::route);
    }

    private static MoveResult result(Fetched completion) {
        MemorySegment cell = completion.cell();
        return new MoveResult(completion.status(), LodestoneCompletion.revision(cell), LodestoneCompletion.node(cell));
    }

    private static SubscribeResult subscription(Fetched completion) {
        MemorySegment cell = completion.cell();
        return new SubscribeResult(completion.status(), LodestoneCompletion.revision(cell),
                (int) LodestoneCompletion.nodes_total(cell), LodestoneCompletion.node(cell));
    }

    private static NodeState state(Fetched completion) {
        requireOk(completion);
        MemorySegment slot = LodestoneCompletion.slot(completion.cell());
        int bytes = Math.min(Short.toUnsignedInt(slot.get(SHORT, 14)), Move.PAYLOAD_BYTES_MAX);
        return new NodeState(LodestoneCompletion.revision(completion.cell()), slot.get(ValueLayout.JAVA_BYTE, 13) == 1,
                slot.get(INT, 4), slot.get(INT, 8), slot.get(LONG, 16),
                slot.asSlice(PAYLOAD_OFFSET, bytes).toArray(ValueLayout.JAVA_BYTE));
    }

    private static Route route(Fetched completion) {
        requireOk(completion);
        MemorySegment cell = completion.cell();
        int[] nodes = completion.nodes().asSlice(
                Integer.toUnsignedLong(LodestoneCompletion.nodes_first(cell)) * Integer.BYTES,
                Integer.toUnsignedLong(LodestoneCompletion.nodes_listed(cell)) * Integer.BYTES).toArray(ValueLayout.JAVA_INT);
        return new Route(LodestoneCompletion.revision(cell), LodestoneCompletion.distance(cell),
                LodestoneCompletion.nodes_total(cell), 0, nodes);
    }

    private static void requireOk(Fetched completion) {
        if (completion.status() != Status.OK) {
            throw new RequestRefusedException(completion.status(), LodestoneCompletion.node(completion.cell()));
        }
    }

    /** Fills the cell of a request. */
    private interface Filling {
        void fill(RequestCell cell);
    }

    private <T> CompletableFuture<T> send(byte kind, byte way, Filling filling, Reading<T> reading) {
        CompletableFuture<T> future = new CompletableFuture<>();
        if (end != null || closing) {
            future.completeExceptionally(end != null ? again(end) : new ClientClosedException());
        } else if (!places.tryAcquire()) {
            future.completeExceptionally(new InFlightFullException(inFlightMax));
        } else {
            long id = lastId.incrementAndGet();
            flights.put(id, flight(future, reading));
            ClientException refused = handOver(id, kind, way, filling);
            if (refused != null && flights.remove(id) != null) {
                places.release();
                future.completeExceptionally(refused);
            } else if (end != null) {
                // The fetcher may have left between the two.
                failAll();
            }
        }
        return future;
    }

    private <T> Flight flight(CompletableFuture<T> future, Reading<T> reading) {
        return new Flight() {
            @Override
            public void answered(Fetched completion) {
                // Read here: the memory belongs to the next fetch by the time an executor comes to it.
                try {
                    T value = reading.of(completion);
                    complete(() -> future.complete(value));
                } catch (ClientException refused) {
                    failed(refused);
                }
            }

            @Override
            public void failed(ClientException reason) {
                complete(() -> future.completeExceptionally(reason));
            }
        };
    }

    private void complete(Runnable completion) {
        try {
            executor.execute(completion);
        } catch (RuntimeException | Error refused) {
            // An executor that was shut down, or finds no memory for a thread, must not leave whoever waits for ever.
            completion.run();
        }
    }

    /** Hands one request over; what it was refused with, or null. */
    private ClientException handOver(long id, byte kind, byte way, Filling filling) {
        sending.lock();
        try {
            cell.begin(id, kind, way);
            filling.fill(cell);
            int status = Lodestone.lodestone_client_submit(handle, cell.segment(), 1, taken, error);
            if (status != 0) {
                return failure(status, error);
            }
            return taken.get(ValueLayout.JAVA_INT, 0) == 1 ? null : new InFlightFullException(inFlightMax);
        } finally {
            sending.unlock();
        }
    }

    /** The fetcher's whole life. */
    private void fetchAll() {
        try (Arena lifetime = Arena.ofConfined()) {
            MemorySegment cells = lifetime.allocate(LodestoneCompletion.layout(), FETCHED_MAX);
            MemorySegment nodes = lifetime.allocate(ValueLayout.JAVA_INT, NODES_ROOM);
            MemorySegment count = lifetime.allocate(ValueLayout.JAVA_INT);
            MemorySegment why = lifetime.allocate(LodestoneError.layout());
            int status = 0;
            while (status == 0) {
                status = Lodestone.lodestone_client_poll(
                        handle, cells, FETCHED_MAX, nodes, NODES_ROOM, FETCH_WAIT_MS, count, why);
                if (status == 0) {
                    deliver(cells, count.get(ValueLayout.JAVA_INT, 0), nodes);
                }
            }
            end = failure(status, why);
        } finally {
            if (end == null) {
                end = new ClientException(Status.INTERNAL, "the client's thread has failed", "close it and open a new one", null);
            }
            failAll();
            if (fetcherFrees) {
                Lodestone.lodestone_client_free(handle, MemorySegment.NULL);
            }
        }
    }

    private void deliver(MemorySegment cells, int count, MemorySegment nodes) {
        for (int index = 0; index < count; index++) {
            MemorySegment answer = LodestoneCompletion.asSlice(cells, index);
            Flight flight = flights.remove(LodestoneCompletion.id(answer));
            if (flight == null) {
                continue;
            }
            places.release();
            if (LodestoneCompletion.answered(answer) != 0) {
                flight.answered(new Fetched(answer, nodes));
            } else {
                flight.failed(ended(LodestoneCompletion.status(answer)));
            }
        }
    }

    /** Why a request was not answered: its datagram was lost, or the client has ended and says why with its text. */
    private ClientException ended(int status) {
        try (Call call = new Call()) {
            int reason = Lodestone.lodestone_client_reason(handle, call.error());
            if (reason != 0) {
                return failure(reason, call.error());
            }
            return Status.of(status) == Status.TIMEOUT
                    ? new ClientException(Status.TIMEOUT, "no answer to the datagram came in time", "ask again", null)
                    : new ConnectionLostException(Status.of(status), "the request could not be sent");
        }
    }

    private void failAll() {
        for (Long id : flights.keySet()) {
            Flight flight = flights.remove(id);
            if (flight != null) {
                places.release();
                flight.failed(end);
            }
        }
    }

    /**
     * Refuses to wait on the thread that hands out what would be waited for.
     *
     * @throws IllegalStateException on that thread
     */
    public void requireMayWait() {
        if (Thread.currentThread() == fetcher) {
            throw new IllegalStateException("this thread completes the client's futures: use the async calls here, or give "
                    + "ClientConfig an executor");
        }
    }

    /**
     * Waits until a request has room.
     *
     * @param waitNs how long, nanoseconds
     * @throws InterruptedException when the thread is interrupted
     * @throws TimeoutException when there was none in time
     */
    public void awaitPlace(long waitNs) throws InterruptedException, TimeoutException {
        if (!places.tryAcquire(Math.max(0, waitNs), TimeUnit.NANOSECONDS)) {
            throw new TimeoutException("no place");
        }
        places.release();
    }

    /**
     * Whether a request was refused because another thread took the last place.
     *
     * @param answer its future
     * @return true when so
     */
    public boolean refusedForRoom(CompletableFuture<?> answer) {
        return answer.isCompletedExceptionally() && answer.exceptionNow() instanceof InFlightFullException;
    }

    /**
     * Shows this token from the next connection on.
     *
     * @param token the token
     */
    public void token(byte[] token) {
        try (Call call = new Call()) {
            MemorySegment bytes = call.allocate(ValueLayout.JAVA_BYTE, Math.max(1, token.length));
            MemorySegment.copy(token, 0, bytes, ValueLayout.JAVA_BYTE, 0, token.length);
            int status = Lodestone.lodestone_client_token(handle, bytes, token.length, call.error());
            if (status != 0) {
                throw failure(status, call.error());
            }
        }
    }

    /**
     * What the client is doing.
     *
     * @return as of now
     */
    public ClientStatus status() {
        try (Call call = new Call()) {
            MemorySegment info = call.allocate(LodestoneClientInfo.layout());
            int status = Lodestone.lodestone_client_describe(handle, info, call.error());
            if (status != 0) {
                throw failure(status, call.error());
            }
            return new ClientStatus(ClientState.values()[LodestoneClientInfo.state(info)], LodestoneClientInfo.session(info),
                    LodestoneClientInfo.nodes_max(info), LodestoneClientInfo.revision(info),
                    LodestoneClientInfo.reconnects(info), LodestoneClientInfo.rollbacks(info),
                    LodestoneClientInfo.in_flight(info), Status.of(LodestoneClientInfo.loss(info)));
        }
    }

    /**
     * Ends the client; a second time does nothing. The futures of all requests are complete when it returns, with two
     * exceptions. A callback that holds up the fetcher for longer than the wait and a second is not waited for any more, and
     * what was not fetched by then fails with {@link ClientClosedException} once the callback returns. And on the fetcher
     * itself, that is in such a callback, the other futures complete after it.
     *
     * @param wait how long to wait for answers; less than 0 is none, more than 24 days is 24 days
     */
    public void close(Duration wait) {
        long waitMs = wholeMs(wait);
        closing = true;
        Lodestone.lodestone_client_close(handle, waitMs, MemorySegment.NULL);
        if (Thread.currentThread() == fetcher) {
            fetcherFrees = true;
            return;
        }
        awaitFetcher(waitMs + FETCHER_GRACE_MS);
        // Also when the fetcher is held up: its next call finds a number that is no client's, and it ends.
        Lodestone.lodestone_client_free(handle, MemorySegment.NULL);
    }

    private static long wholeMs(Duration wait) {
        if (wait.isNegative()) {
            return 0;
        }
        return wait.getSeconds() >= WAIT_MAX_MS / 1_000 ? WAIT_MAX_MS : wait.toMillis();
    }

    private void awaitFetcher(long waitMs) {
        long begun = System.nanoTime();
        long leftNs = TimeUnit.MILLISECONDS.toNanos(waitMs);
        boolean interrupted = false;
        while (leftNs > 0 && fetcher.isAlive()) {
            try {
                fetcher.join(Duration.ofNanos(leftNs));
            } catch (InterruptedException again) {
                interrupted = true;
            }
            leftNs = TimeUnit.MILLISECONDS.toNanos(waitMs) - (System.nanoTime() - begun);
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
