package dev.lodestone.benchmarks.rings;

import dev.lodestone.benchmarks.rings.CoreToCore.Placement;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What every trial gave: {@code rings.ROW.NAME[.p50|.p99].near|far}, one value a trial; calls have no place, nor has what was
 * allocated, {@code rings.ROW.NAME.allocated}.
 */
final class Results {
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

    /**
     * Keeps what a record allocated.
     *
     * @param figure row and name
     * @param bytes bytes, of all threads of its JVM
     */
    void addBytes(String figure, double bytes) {
        values.computeIfAbsent("rings." + figure + ".allocated", name -> new ArrayList<>()).add(bytes);
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

    private static String unit(String figure) {
        if (figure.endsWith(".allocated")) {
            return "B/op";
        }
        return figure.contains(".p50.") || figure.contains(".p99.") || figure.contains(".downcall.")
                || figure.contains(".core_to_core.") ? "ns" : "M/s";
    }

    /**
     * All of it as a raw result.
     *
     * @return the text of a file
     */
    String toJson() {
        return values.entrySet().stream().map(entry -> String.format(Locale.ROOT,
                " \"%s\": {\"unit\": \"%s\", \"rounds\": [%s]}", entry.getKey(), unit(entry.getKey()),
                entry.getValue().stream().map(value -> String.format(Locale.ROOT, "%.3f", value))
                        .collect(Collectors.joining(", "))))
                .collect(Collectors.joining(",\n", "{\"metrics\": {\n", "\n}}\n"));
    }
}
