package dev.lodestone;

import dev.lodestone.internal.NativeEngine;
import java.nio.file.Path;
import java.util.Objects;

/** The live weighted graph. Any thread. */
public final class Graph {
    private static final int ARC_NUMBERS = 3;

    private final NativeEngine engine;

    Graph(NativeEngine engine) {
        this.engine = engine;
    }

    /**
     * Loads a graph file on top of what is there. Moves go on meanwhile; {@link Counter#LOAD_DONE} shows how far it is.
     *
     * @param file a graph file ({@code .lsg})
     * @return what was loaded
     * @throws EngineException when the file is damaged or does not fit ({@link Status#MAP_FILE}, {@link Status#GRAPH_FULL})
     */
    public LoadReport load(Path file) {
        return engine.load(Objects.requireNonNull(file, "file"));
    }

    /**
     * Sets edges without a move: no slot is taken, no version rises.
     *
     * @param arcs triples of source, target and mask; no mask may be 0
     * @return what was set
     * @throws IllegalArgumentException when the numbers do not make triples
     * @throws EngineException when an arc is refused; those before it may be set, and the message says which one it was
     */
    public LoadReport put(int... arcs) {
        if (Objects.requireNonNull(arcs, "arcs").length % ARC_NUMBERS != 0) {
            throw new IllegalArgumentException(arcs.length + " numbers are no triples of source, target and mask");
        }
        return engine.put(arcs);
    }

    /**
     * Finds the shortest path: of equal distances the one with the fewest edges, then, from the target backwards, the one
     * with the lowest node. Never delays a move: the pathfinder has its own thread and its own copy.
     *
     * @param source first node, unsigned
     * @param target last node, unsigned
     * @return the answer, true for exactly one revision; no path is an answer too
     * @throws RouteException when a node is not below {@code graph.nodes_max}, or the budget is used up
     */
    public Route route(int source, int target) {
        return engine.route(source, target);
    }
}
