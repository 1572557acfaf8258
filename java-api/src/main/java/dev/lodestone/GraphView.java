package dev.lodestone;

import java.time.Duration;

/**
 * What any engine's graph is asked, whichever process it lives in: the {@link Graph} of one in this process, the {@link
 * AttachedGraph} of one in another. Any thread.
 */
public sealed interface GraphView permits Graph, AttachedGraph {
    /** How long a route is waited for when nothing else is said. */
    Duration ROUTE_TIMEOUT = Duration.ofSeconds(60);

    /**
     * Finds the shortest path, as {@link #route(int, int, Duration)} with {@link #ROUTE_TIMEOUT}.
     *
     * @param source first node, unsigned
     * @param target last node, unsigned
     * @return the answer, true for exactly one revision; no path is an answer too
     * @throws RouteException when a node is not below {@code graph.nodes_max}, or the budget is used up
     */
    default Route route(int source, int target) {
        return route(source, target, ROUTE_TIMEOUT);
    }

    /**
     * Finds the shortest path: of equal distances the one with the fewest edges, then, from the target backwards, the one
     * with the lowest node. With {@code graph.pathfinder: thread} it delays no move while the changes made meanwhile find
     * room ({@code pathfinder_waits} counts when not): the pathfinder has its own thread and its own copy.
     *
     * <p>When the time is up, or the waiting thread is interrupted, nobody waits any more and the search is given up within
     * 4,096 vertices. A thread that waits looks every 50 ms whether it is interrupted; it stays so. An answer that is there
     * by then is returned all the same.
     *
     * @param source first node, unsigned
     * @param target last node, unsigned
     * @param timeout how long to wait, more than zero
     * @return the answer, true for exactly one revision; no path is an answer too
     * @throws IllegalArgumentException when the time is not more than zero
     * @throws RouteException when a node is not below {@code graph.nodes_max} ({@link Status#OUT_OF_BOUNDS}), the budget is
     *     used up ({@link Status#BUDGET}), the time is up ({@link Status#TIMEOUT}) or the thread was interrupted
     *     ({@link Status#INTERRUPTED})
     * @throws EngineException when too many routes wait ({@link Status#OVERLOADED})
     */
    Route route(int source, int target, Duration timeout);

    /**
     * Begins to keep the shortest distances from a node to all others up to date with every committed change. They can be read
     * once {@link WatchedDistances#awaitLive} says so: the first computation goes on in slices beside routes and repairs.
     *
     * <p>A change of an edge costs the pathfinder well under a microsecond for each source in the mean, and at most what
     * {@code graph.watch_budget} allows.
     *
     * @param source the node, unsigned
     * @return its distances; close them to give the watch back
     * @throws EngineException when the node is not below {@code graph.nodes_max} ({@link Status#OUT_OF_BOUNDS}), or all
     *     {@code graph.watches_max} watches are in use ({@link Status#WATCHES_FULL}), or too many routes wait
     *     ({@link Status#OVERLOADED}), or those before it took a minute ({@link Status#TIMEOUT}); none is in use then
     */
    WatchedDistances watch(int source);
}
