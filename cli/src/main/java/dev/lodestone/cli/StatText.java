package dev.lodestone.cli;

import dev.lodestone.Commit;
import dev.lodestone.Counter;
import dev.lodestone.Histogram;
import dev.lodestone.HistogramSnapshot;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;

/** A window as a table, as one line, and as JSON. */
final class StatText {
    private static final double P50 = 50;
    private static final double P99 = 99;
    private static final double P999 = 99.9;

    private StatText() {}

    /** A constant's name in output: lower case. */
    static String name(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }

    /** The table with every counter; brief, only those that are not 0. */
    static List<String> table(Window window, boolean brief) {
        List<String> lines = new ArrayList<>(head(window));
        lines.add("");
        lines.add(String.format(Locale.ROOT, "%-12s %15s %12s %12s %12s %12s", "latency", "count", "p50", "p99", "p99.9", "max"));
        for (Histogram histogram : Histogram.values()) {
            lines.add(row(histogram, window.histogram(histogram)));
        }
        lines.add("");
        lines.add(String.format(Locale.ROOT, "%-24s %20s %14s", "counter", "value", "a second"));
        int zeros = 0;
        for (Counter counter : Counter.values()) {
            if (brief && window.counter(counter) == 0) {
                zeros++;
                continue;
            }
            String rate = Window.hasRate(counter) ? String.format(Locale.ROOT, "%,.1f", window.rate(counter)) : "-";
            String value = Texts.number(window.counter(counter));
            lines.add(String.format(Locale.ROOT, "%-24s %20s %14s", counter.label(), value, rate));
        }
        if (zeros > 0) {
            lines.add("the other " + zeros + " are 0");
        }
        return lines;
    }

    private static List<String> head(Window window) {
        Sample now = window.now();
        Commit commit = now.commit();
        List<String> lines = new ArrayList<>();
        lines.add(String.format(Locale.ROOT, "engine of process %d  %s  open for %s", now.pid(), name(now.state()),
                Texts.age(now.age())));
        lines.add(String.format(Locale.ROOT, "heartbeat %d ms ago  resident %s", now.heartbeatAge().toMillis(), resident(now)));
        if (!now.poison().isEmpty()) {
            lines.add("failed: " + now.poison());
        }
        lines.add(String.format(Locale.ROOT, "revision %,d  branch %,d  oldest %,d  edges %,d  slots %,d", commit.revision(),
                commit.branch(), commit.oldestRevision(), commit.edges(), commit.slotsUsed()));
        lines.add(window.before() == null
                ? "rates and latencies since the engine was opened"
                : "rates and latencies of the last " + Texts.age(window.length()));
        return lines;
    }

    private static String row(Histogram histogram, HistogramSnapshot counts) {
        return String.format(Locale.ROOT, "%-12s %,15d %12s %12s %12s %12s", name(histogram), counts.count(),
                latency(counts, P50), latency(counts, P99), latency(counts, P999), latency(counts, 100));
    }

    private static String latency(HistogramSnapshot counts, double percentile) {
        return counts.count() == 0 ? "-" : Texts.nanos(counts.percentileNanos(percentile));
    }

    private static String resident(Sample sample) {
        OptionalLong bytes = sample.residentBytes();
        return bytes.isPresent() ? Texts.bytes(bytes.getAsLong()) : "unknown";
    }

    /** One line, for logs and pipes. */
    static String line(Window window) {
        Sample now = window.now();
        HistogramSnapshot engine = window.histogram(Histogram.ENGINE);
        return String.format(Locale.ROOT, "%s  %s  revision %,d  branch %,d  moves/s %,.1f  rejected/s %,.1f  sessions %,d"
                        + "  edges %,d  slots %,d  engine p50 %s p99 %s  heartbeat %d ms  resident %s",
                now.time().truncatedTo(ChronoUnit.MILLIS), name(now.state()), now.commit().revision(), now.commit().branch(),
                window.rate(Counter.MOVES_ACCEPTED), window.rate(Counter.MOVES_REJECTED), window.counter(Counter.SESSIONS_LIVE),
                now.commit().edges(), now.commit().slotsUsed(), latency(engine, P50), latency(engine, P99),
                now.heartbeatAge().toMillis(), resident(now));
    }

    static Map<String, Object> json(Window window) {
        Sample now = window.now();
        Commit commit = now.commit();
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("time", now.time().toString());
        object.put("pid", now.pid());
        object.put("state", name(now.state()));
        object.put("failure", now.poison().isEmpty() ? null : now.poison());
        object.put("open_ms", now.age().toMillis());
        object.put("heartbeat_age_ms", now.heartbeatAge().toMillis());
        object.put("resident_bytes", now.residentBytes().isPresent() ? now.residentBytes().getAsLong() : null);
        object.put("revision", Json.unsigned(commit.revision()));
        object.put("branch", Json.unsigned(commit.branch()));
        object.put("oldest_revision", Json.unsigned(commit.oldestRevision()));
        object.put("edges", Json.unsigned(commit.edges()));
        object.put("slots", Json.unsigned(commit.slotsUsed()));
        object.put("window", window.before() == null ? "open" : "interval");
        object.put("window_ms", window.length().toMillis());
        Map<String, Object> counters = new LinkedHashMap<>();
        Map<String, Object> rates = new LinkedHashMap<>();
        for (Counter counter : Counter.values()) {
            counters.put(counter.label(), Json.unsigned(window.counter(counter)));
            if (Window.hasRate(counter)) {
                rates.put(counter.label(), Math.round(window.rate(counter) * 10) / 10.0);
            }
        }
        object.put("counters", counters);
        object.put("rates_per_second", rates);
        Map<String, Object> latencies = new LinkedHashMap<>();
        for (Histogram histogram : Histogram.values()) {
            latencies.put(name(histogram), json(window.histogram(histogram)));
        }
        object.put("latencies", latencies);
        return object;
    }

    private static Map<String, Object> json(HistogramSnapshot counts) {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("count", counts.count());
        object.put("p50_ns", counts.percentileNanos(P50));
        object.put("p99_ns", counts.percentileNanos(P99));
        object.put("p99_9_ns", counts.percentileNanos(P999));
        object.put("max_ns", counts.maxNanos());
        return object;
    }
}
