package dev.lodestone.examples.hunt;

/**
 * Latencies in microseconds.
 *
 * @param p50 half are no slower
 * @param p99 99 of 100 are no slower
 * @param p999 999 of 1,000 are no slower
 */
record Percentiles(double p50, double p99, double p999) {
    static Percentiles of(JsonObject object) throws JsonException {
        return new Percentiles(object.decimal("p50"), object.decimal("p99"), object.decimal("p999"));
    }

    /** From nanoseconds. */
    static Percentiles ofNanos(double p50, double p99, double p999) {
        return new Percentiles(p50 / 1_000, p99 / 1_000, p999 / 1_000);
    }

    JsonWriter write(JsonWriter out) {
        return out.add("p50", p50, 3).add("p99", p99, 3).add("p999", p999, 3);
    }
}
