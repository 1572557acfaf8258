package dev.lodestone.cli;

import dev.lodestone.AttachedEngine;
import dev.lodestone.Route;
import dev.lodestone.RouteException;
import dev.lodestone.Status;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Asks for a route. */
@Command(
        name = "route",
        header = "Asks an engine for the shortest path between two nodes.",
        description = {
            "Prints its cost (the sum of the weights), its hops (edges), the revision that it is true for, how many nodes the"
                + " search settled, and the nodes in order, at most the first 8,192.",
            "The engine's graph.route_budget bounds the search. With 1 it ends when there is no path."
        },
        footerHeading = "%nExamples:%n",
        footer = {"  lodestone route 7 9", "  lodestone route 7 9 --json --timeout 500ms"})
final class RouteCommand implements Callable<Integer> {
    private static final long NODE_MAX = 0xffff_ffffL;

    @Mixin
    private Target target;

    @Parameters(index = "0", paramLabel = "A", description = "The first node.")
    private long from;

    @Parameters(index = "1", paramLabel = "B", description = "The last node.")
    private long to;

    @Option(
            names = "--timeout",
            paramLabel = "TIME",
            defaultValue = "60s",
            converter = Interval.class,
            description = "How long to wait, from 100ms to 1h (default: ${DEFAULT-VALUE}). The search is given up then.")
    private Duration timeout;

    @Option(names = "--json", description = "Print JSON, one object.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        for (long node : new long[] {from, to}) {
            if (node < 0 || node > NODE_MAX) {
                throw noNode(node + " is no node: they are 0 to " + NODE_MAX, null);
            }
        }
        try (AttachedEngine engine = target.attachToAsk()) {
            Route route = engine.graph().route((int) from, (int) to, timeout);
            PrintWriter out = spec.commandLine().getOut();
            out.println(json ? Json.text(json(route)) : text(route));
            return route.found() ? Exit.FINE : Exit.WRONG;
        } catch (RouteException refused) {
            if (refused.status() == Status.OUT_OF_BOUNDS) {
                throw noNode(refused.getMessage(), refused);
            }
            throw refused;
        }
    }

    private ParameterException noNode(String what, Throwable cause) {
        return new ParameterException(spec.commandLine(), what, cause);
    }

    private Map<String, Object> json(Route route) {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("from", from);
        object.put("to", to);
        object.put("found", route.found());
        object.put("cost", route.found() ? Json.unsigned(route.distance()) : null);
        object.put("hops", route.found() ? route.nodesTotal() - 1 : null);
        object.put("revision", Json.unsigned(route.revision()));
        object.put("settled", route.settled());
        List<Object> path = new ArrayList<>();
        for (int node : route.nodes()) {
            path.add(Integer.toUnsignedLong(node));
        }
        object.put("path", path);
        object.put("path_complete", route.nodes().length == route.nodesTotal());
        return object;
    }

    private String text(Route route) {
        String end = "  revision " + Long.toUnsignedString(route.revision()) + "  settled " + route.settled();
        if (!route.found()) {
            return "no path from " + from + " to " + to + end;
        }
        String path = Arrays.stream(route.nodes()).mapToObj(Integer::toUnsignedString)
                .collect(Collectors.joining(" "));
        long hidden = route.nodesTotal() - route.nodes().length;
        return "cost " + Long.toUnsignedString(route.distance()) + "  hops " + (route.nodesTotal() - 1) + end + "\n" + path
                + (hidden > 0 ? " ... and " + Texts.number(hidden) + " more" : "");
    }
}
