package dev.lodestone.examples.hunt;

import dev.lodestone.Graph;
import dev.lodestone.Route;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Collectors;

/** Asks the engine for routes between named places. */
final class RouteSurvey {
    /** From and to. */
    private static final List<List<String>> JOURNEYS = List.of(
            List.of("Wilmington", "Newark"), List.of("Wilmington", "Dover"), List.of("Newark", "Rehoboth Beach"),
            List.of("Middletown", "Lewes"), List.of("Smyrna", "Seaford"), List.of("Dover", "Georgetown"),
            List.of("Milford", "Rehoboth Beach"), List.of("Georgetown", "Wilmington"), List.of("Lewes", "Seaford"),
            List.of("Seaford", "Newark"));

    private final RoadMap map;
    private final Map<String, OptionalInt> crossings;

    RouteSurvey(RoadMap map) {
        this.map = map;
        BitSet allowed = MainComponent.of(map);
        this.crossings = Place.DELAWARE.stream()
                .collect(Collectors.toMap(Place::name, place -> Crossings.nearest(map, allowed, place)));
    }

    /**
     * Asks for every journey whose ends lie on the map.
     *
     * @param graph the engine's graph
     * @return the answers
     */
    List<Journey> routes(Graph graph) {
        List<Journey> journeys = new ArrayList<>();
        for (List<String> ends : JOURNEYS) {
            journey(graph, ends.getFirst(), ends.getLast()).ifPresent(journeys::add);
        }
        return journeys;
    }

    private Optional<Journey> journey(Graph graph, String from, String to) {
        OptionalInt source = crossings.get(from);
        OptionalInt target = crossings.get(to);
        if (source.isEmpty() || target.isEmpty()) {
            return Optional.empty();
        }
        long start = System.nanoTime();
        Route route = graph.route(source.getAsInt(), target.getAsInt());
        double millis = (System.nanoTime() - start) / 1e6;
        return Optional.of(new Journey(from, to, route.found(), map.kilometres(route.distance()), route.nodesTotal(), millis,
                route.revision()));
    }

    /**
     * An answer.
     *
     * @param from name of the place where it starts
     * @param to name of the place where it ends
     * @param found whether there is a route
     * @param kilometres its length
     * @param crossings crossings and bends on it, both ends included
     * @param millis how long the question took
     * @param revision the revision for which the answer holds
     */
    record Journey(String from, String to, boolean found, double kilometres, long crossings, double millis, long revision) {
        JsonWriter write(JsonWriter out) {
            return out.add("from", from).add("to", to).add("found", found).add("distance_km", found ? kilometres : -1, 3)
                    .add("crossings", crossings).add("time_ms", millis, 3).add("revision", revision);
        }

        String describe() {
            String answer = found
                    ? Console.text("%6.1f km over %,d crossings", kilometres, crossings)
                    : "no route";
            return Console.text("  %-11s to %-15s %s, in %.2f ms, revision %,d", from, to, answer, millis, revision);
        }
    }
}
