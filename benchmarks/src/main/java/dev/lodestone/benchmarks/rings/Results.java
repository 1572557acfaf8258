package dev.lodestone.benchmarks.rings;

import dev.lodestone.benchmarks.rings.CoreToCore.Placement;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** What every trial gave: {@code rings.ROW.NAME[.p50|.p99].near|far}, one value a trial; calls have no place. */
final class Results {
    private static final String OURS = "ours";
    private static final String BEST = "best_peer";
    private static final Set<String> NO_PEERS = Set.of("core_to_core", "downcall");

    private final Map<String, List<Double>> values = new TreeMap<>();
    private int mixed;

    /**
     * Keeps a value.
     *
     * @param figure row, name and percentile
     * @param placement where the cores were; mixed trials are only counted
     * @param value the value
     */
    void add(String figure, Placement placement, double value) {
        if (placement == Placement.MIXED) {
            mixed++;
            return;
        }
        values.computeIfAbsent("rings." + figure + place(placement), name -> new ArrayList<>()).add(value);
    }

    /**
     * Keeps a value that has nothing to do with another core.
     *
     * @param figure row and name
     * @param value the value
     */
    void add(String figure, double value) {
        values.computeIfAbsent("rings." + figure, name -> new ArrayList<>()).add(value);
    }

    private static String place(Placement placement) {
        return placement == Placement.NEAR ? ".near" : ".far";
    }

    /**
     * How many values there are.
     *
     * @param figure row, name and percentile
     * @param placement where the cores were
     * @return the number
     */
    int count(String figure, Placement placement) {
        return values.getOrDefault("rings." + figure + place(placement), List.of()).size();
    }

    /**
     * How many trials were dropped since the cores moved, or stood neither near nor far.
     *
     * @return the number
     */
    int mixed() {
        return mixed;
    }

    /** Of each row the peer with the best median, once more under one name, so that a claim can stand against it. */
    private void addBestPeers() {
        Map<String, String> best = new TreeMap<>();
        for (String figure : values.keySet()) {
            String[] parts = figure.split("\\.", 4);
            if (parts.length == 4 && !parts[2].equals(OURS) && !NO_PEERS.contains(parts[1])) {
                best.merge("rings." + parts[1] + "." + BEST + "." + parts[3], figure, this::better);
            }
        }
        best.forEach((name, figure) -> values.put(name, values.get(figure)));
    }

    private String better(String one, String other) {
        boolean first = unit(one).equals("M/s") ? median(one) >= median(other) : median(one) <= median(other);
        return first ? one : other;
    }

    private double median(String figure) {
        double[] sorted = values.get(figure).stream().mapToDouble(Double::doubleValue).sorted().toArray();
        return (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
    }

    private static String unit(String figure) {
        return figure.contains(".p50.") || figure.contains(".p99.") || figure.contains(".downcall.")
                || figure.contains(".core_to_core.") ? "ns" : "M/s";
    }

    /**
     * All of it as a raw result.
     *
     * @return the text of a file
     */
    String toJson() {
        addBestPeers();
        return values.entrySet().stream().map(entry -> String.format(Locale.ROOT,
                " \"%s\": {\"unit\": \"%s\", \"rounds\": [%s]}", entry.getKey(), unit(entry.getKey()),
                entry.getValue().stream().map(value -> String.format(Locale.ROOT, "%.3f", value))
                        .collect(Collectors.joining(", "))))
                .collect(Collectors.joining(",\n", "{\"metrics\": {\n", "\n}}\n"));
    }
}
