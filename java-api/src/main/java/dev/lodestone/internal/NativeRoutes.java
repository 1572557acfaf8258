package dev.lodestone.internal;

import dev.lodestone.Route;
import dev.lodestone.RouteException;
import dev.lodestone.Status;
import dev.lodestone.bindings.Lodestone;
import dev.lodestone.bindings.LodestoneRouteAnswer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Asks for routes and waits in slices, between which the waiting thread may be interrupted or give up. */
public final class NativeRoutes {
    /** A thread inside a native call cannot be interrupted; so it comes back this often to look. */
    private static final long SLICE_MS = 50;

    private static final Duration WAIT_MAX = Duration.ofDays(36_500);
    private static final long NANOS_A_MS = 1_000_000;

    /**
     * One answer.
     *
     * @param status what became of it
     * @param route the route; of a refused one no path
     */
    public record Answer(Status status, Route route) {}

    private NativeRoutes() {}

    /**
     * Finds the routes from each source to the target of the same index, all at one revision.
     *
     * @param engine the engine
     * @param sources first nodes, 1 to 128
     * @param targets as many last nodes
     * @param timeout how long to wait
     * @return one answer each
     * @throws RouteException when the time is up or the thread is interrupted; the search is given up then
     */
    public static List<Answer> find(NativeEngine engine, int[] sources, int[] targets, Duration timeout) {
        long waitNs = (timeout.compareTo(WAIT_MAX) > 0 ? WAIT_MAX : timeout).toNanos();
        long deadlineNs = System.nanoTime() + waitNs;
        int count = sources.length;
        long listed = Math.min(Route.NODES_LISTED_MAX, engine.region().nodesMax());
        try (Call call = new Call()) {
            MemorySegment answers = call.allocate(LodestoneRouteAnswer.layout(), count);
            MemorySegment nodes = call.allocate(ValueLayout.JAVA_INT, count * listed);
            MemorySegment question = call.allocate(ValueLayout.JAVA_LONG);
            int status = Lodestone.lodestone_routes_find(engine.handle(), call.numbers(sources), call.numbers(targets), count,
                    listed, sliceMs(deadlineNs), answers, nodes, question, call.error());
            long number = question.get(ValueLayout.JAVA_LONG, 0);
            try {
                while (status == Status.TIMEOUT.number()) {
                    requireWaiting(deadlineNs, timeout);
                    status = Lodestone.lodestone_routes_await(engine.handle(), number, sliceMs(deadlineNs), answers, count,
                            nodes, count * listed, call.error());
                }
            } finally {
                if (number != 0) {
                    engine.cancelRoutes(number);
                }
            }
            call.check(status);
            return answers(answers, count, nodes, listed);
        }
    }

    private static long sliceMs(long deadlineNs) {
        long leftMs = (deadlineNs - System.nanoTime() + NANOS_A_MS - 1) / NANOS_A_MS;
        return Math.clamp(leftMs, 0, SLICE_MS);
    }

    private static void requireWaiting(long deadlineNs, Duration timeout) {
        if (Thread.currentThread().isInterrupted()) {
            throw new RouteException(Status.INTERRUPTED, "the thread that waited for a route was interrupted");
        }
        if (System.nanoTime() - deadlineNs >= 0) {
            throw new RouteException(Status.TIMEOUT, "no answer to the route within " + timeout.toMillis() + " ms");
        }
    }

    private static List<Answer> answers(MemorySegment answers, int count, MemorySegment nodes, long listed) {
        List<Answer> all = new ArrayList<>(count);
        for (int index = 0; index < count; index++) {
            MemorySegment answer = LodestoneRouteAnswer.asSlice(answers, index);
            long start = index * listed * Integer.BYTES;
            int[] path = nodes.asSlice(start, LodestoneRouteAnswer.nodes_listed(answer) * Integer.BYTES)
                    .toArray(ValueLayout.JAVA_INT);
            all.add(new Answer(Status.of(LodestoneRouteAnswer.status(answer)),
                    new Route(LodestoneRouteAnswer.revision(answer), LodestoneRouteAnswer.distance(answer),
                            LodestoneRouteAnswer.nodes_total(answer), LodestoneRouteAnswer.settled(answer), path)));
        }
        return all;
    }
}
