package dev.lodestone;

import java.util.List;

/**
 * The answers to routes that were asked together, all true for one and the same revision. Immutable; any thread.
 */
public final class RouteBatch {
    /** Most routes in a batch. */
    public static final int CAPACITY_MAX = 128;

    private final long revision;
    private final List<Answer> answers;

    /**
     * One answer.
     *
     * @param source first node, unsigned
     * @param target last node, unsigned
     * @param status {@link Status#OK}, or why it was refused
     * @param route the route; of a refused one no path
     * @param nodesMax nodes of the graph
     */
    record Answer(int source, int target, Status status, Route route, long nodesMax) {
        Route get() {
            String what = "the route from " + Integer.toUnsignedString(source) + " to " + Integer.toUnsignedString(target);
            return switch (status) {
                case OK -> route;
                case OUT_OF_BOUNDS -> throw new RouteException(status, what
                        + " leaves the graph. What to do: keep both nodes below graph.nodes_max, " + nodesMax + ".");
                case BUDGET -> throw new RouteException(status, what + " used up its budget of settled vertices");
                default -> throw new RouteException(status, what + " was refused");
            };
        }
    }

    RouteBatch(long revision, List<Answer> answers) {
        this.revision = revision;
        this.answers = List.copyOf(answers);
    }

    /**
     * The revision that every answer is true for.
     *
     * @return the revision
     */
    public long revision() {
        return revision;
    }

    /**
     * How many answers there are.
     *
     * @return as many as were asked
     */
    public int size() {
        return answers.size();
    }

    /**
     * What became of a question.
     *
     * @param index its index
     * @return {@link Status#OK} (no path is an answer too), {@link Status#OUT_OF_BOUNDS} or {@link Status#BUDGET}
     * @throws IndexOutOfBoundsException when there is no such question
     */
    public Status status(int index) {
        return answers.get(index).status();
    }

    /**
     * An answer.
     *
     * @param index the question's index
     * @return the route
     * @throws RouteException when its {@link #status} is not {@link Status#OK}
     * @throws IndexOutOfBoundsException when there is no such question
     */
    public Route route(int index) {
        return answers.get(index).get();
    }

    /**
     * All answers, in the order of the questions.
     *
     * @return the routes
     * @throws RouteException when one of them was refused
     */
    public List<Route> routes() {
        return answers.stream().map(Answer::get).toList();
    }
}
