package dev.lodestone;

import dev.lodestone.internal.NativeEngine;
import dev.lodestone.internal.NativeRoutes;
import dev.lodestone.internal.NativeWatches;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** The live weighted graph. Any thread. */
public final class Graph implements GraphView {
    private static final int ARC_NUMBERS = 3;
    private static final LoadProgress GO_ON = (done, total, elapsed) -> true;

    private final NativeEngine engine;

    Graph(NativeEngine engine) {
        this.engine = engine;
    }

    /**
     * Loads a graph file, as {@link #load(Path, LoadProgress)} without progress.
     *
     * @param file a graph file, {@code .lsg} or {@code .arcs}
     * @return what was loaded
     * @throws EngineException when the file is damaged or does not fit ({@link Status#MAP_FILE}, {@link Status#GRAPH_FULL})
     */
    public LoadReport load(Path file) {
        return load(file, GO_ON);
    }

    /**
     * Loads a graph file on top of what is there. Moves go on meanwhile.
     *
     * <p>A road graph ({@code .lsg}) is read and checked as a whole before anything is set. A plain list of arcs
     * ({@code .arcs}: source, target and mask, 32 bits each, little-endian, nothing else) is read from disk as it is needed;
     * its size is checked before anything is set, its arcs as they come.
     *
     * @param file a graph file
     * @param progress is told how far it is, and may end it
     * @return what was loaded
     * @throws EngineException when the file cannot be read ({@link Status#IO}), is damaged or has a node that is not below
     *     {@code graph.nodes_max} ({@link Status#MAP_FILE}), or more arcs than {@code graph.edges_max}
     *     ({@link Status#GRAPH_FULL}). The message says what would do, and of a list of arcs how many are set
     */
    public LoadReport load(Path file, LoadProgress progress) {
        Objects.requireNonNull(progress, "progress");
        return BulkLoad.file(engine, Objects.requireNonNull(file, "file"), progress);
    }

    /**
     * Sets edges without a move: no slot is taken, no version rises.
     *
     * @param arcs triples of source, target and mask; no mask may be 0
     * @return what was set
     * @throws IllegalArgumentException when the numbers do not make triples
     * @throws EngineException when an arc is refused; those before it are set, and the message says which one it was
     */
    public LoadReport put(int... arcs) {
        if (Objects.requireNonNull(arcs, "arcs").length % ARC_NUMBERS != 0) {
            throw new IllegalArgumentException(arcs.length + " numbers are no triples of source, target and mask");
        }
        try (BulkLoad load = bulkLoad(arcs.length / ARC_NUMBERS, GO_ON)) {
            load.add(arcs);
            return load.finish();
        }
    }

    /**
     * Sets edges from memory, heap or not, without a move.
     *
     * @param arcs {@value BulkLoad#ARC_BYTES} bytes an arc: source, target and mask, little-endian
     * @param progress is told how far it is, and may end it
     * @return what was set
     * @throws IllegalArgumentException when the bytes are no whole arcs
     * @throws EngineException as {@link #put(int...)}
     */
    public LoadReport put(MemorySegment arcs, LoadProgress progress) {
        long bytes = Objects.requireNonNull(arcs, "arcs").byteSize();
        try (BulkLoad load = bulkLoad(bytes / BulkLoad.ARC_BYTES, progress)) {
            load.add(arcs);
            return load.finish();
        }
    }

    /**
     * Begins a load of edges that will be added one after the other, nobody knows how many.
     *
     * @return a load for one thread
     */
    public BulkLoad bulkLoad() {
        return bulkLoad(LoadProgress.TOTAL_UNKNOWN, GO_ON);
    }

    /**
     * Begins a load of edges that will be added one after the other.
     *
     * @param arcsTotal how many, or {@link LoadProgress#TOTAL_UNKNOWN}
     * @param progress is told how far it is, and may end it
     * @return a load for one thread
     * @throws EngineException when so many do not fit {@code graph.edges_max} ({@link Status#GRAPH_FULL}), or too many loads
     *     are open ({@link Status#OVERLOADED})
     */
    public BulkLoad bulkLoad(long arcsTotal, LoadProgress progress) {
        if (arcsTotal < LoadProgress.TOTAL_UNKNOWN) {
            throw new IllegalArgumentException("arcsTotal " + arcsTotal + " is negative");
        }
        return new BulkLoad(engine, arcsTotal, Objects.requireNonNull(progress, "progress"));
    }

    @Override
    public Route route(int source, int target, Duration timeout) {
        return find(new int[] {source}, new int[] {target}, timeout).route(0);
    }

    /**
     * Finds up to 128 shortest paths at one revision, as {@link #routes(int[], int[], Duration)} with {@link #ROUTE_TIMEOUT}.
     *
     * @param sources first nodes, unsigned
     * @param targets as many last nodes, unsigned
     * @return one answer for each pair
     */
    public RouteBatch routes(int[] sources, int[] targets) {
        return routes(sources, targets, ROUTE_TIMEOUT);
    }

    /**
     * Finds the shortest paths from {@code sources[i]} to {@code targets[i]}, all of them at one and the same revision. A pair
     * that is refused says so in its answer and does not spoil the others. With {@code graph.pathfinder: inline} moves wait
     * until all of them are found.
     *
     * @param sources first nodes, unsigned
     * @param targets as many last nodes, unsigned
     * @param timeout how long to wait for all of them together, more than zero
     * @return one answer for each pair
     * @throws IllegalArgumentException when there is none, more than 128, or not as many targets as sources; or when the time
     *     is not more than zero
     * @throws RouteException when the time is up or the thread is interrupted, as {@link #route(int, int, Duration)}
     * @throws EngineException when too many routes wait ({@link Status#OVERLOADED})
     */
    public RouteBatch routes(int[] sources, int[] targets, Duration timeout) {
        int count = Objects.requireNonNull(sources, "sources").length;
        if (count != Objects.requireNonNull(targets, "targets").length) {
            throw new IllegalArgumentException(count + " sources and " + targets.length + " targets");
        }
        if (count < 1 || count > RouteBatch.CAPACITY_MAX) {
            throw new IllegalArgumentException(count + " routes are not 1 to " + RouteBatch.CAPACITY_MAX);
        }
        return find(sources.clone(), targets.clone(), timeout);
    }

    @Override
    public WatchedDistances watch(int source) {
        long watch = NativeWatches.add(engine, source);
        return new WatchedDistances(engine.region(), () -> NativeWatches.remove(engine, watch), watch, source);
    }

    private RouteBatch find(int[] sources, int[] targets, Duration timeout) {
        if (!Objects.requireNonNull(timeout, "timeout").isPositive()) {
            throw new IllegalArgumentException("timeout " + timeout + " is not more than zero");
        }
        List<NativeRoutes.Answer> found = NativeRoutes.find(engine, sources, targets, timeout);
        List<RouteBatch.Answer> answers = new ArrayList<>(found.size());
        for (NativeRoutes.Answer one : found) {
            int index = answers.size();
            answers.add(new RouteBatch.Answer(
                    sources[index], targets[index], one.status(), one.route(), engine.region().nodesMax()));
        }
        return new RouteBatch(found.getFirst().route().revision(), answers);
    }
}
