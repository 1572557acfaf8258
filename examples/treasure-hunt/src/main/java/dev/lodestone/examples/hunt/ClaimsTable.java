package dev.lodestone.examples.hunt;

import java.util.ArrayList;
import java.util.List;

/** This run beside the published figures that the product exists to beat, saying where it falls short or says nothing. */
final class ClaimsTable {
    private static final double PUBLISHED_UPDATE_MICROS = 42;
    private static final double PUBLISHED_ROLLBACK_MILLIS = 178;
    private static final double PUBLISHED_CONNECTIONS = 50_000;
    private static final double PUBLISHED_END_TO_END_MICROS = 14_000;
    private static final double PUBLISHED_RSS_BYTES = 32e6;
    private static final double PUBLISHED_GC_MILLIS = 1.2;
    private static final double PUBLISHED_HANDSHAKE_MICROS = 3_000;
    private static final double PUBLISHED_EDGES = 47e6;

    private final RunReport run;
    private final List<Row> rows = new ArrayList<>();

    private ClaimsTable(RunReport run) {
        this.run = run;
    }

    /**
     * The table as lines.
     *
     * @param run what this run measured
     * @return the lines
     */
    static List<String> lines(RunReport run) {
        ClaimsTable table = new ClaimsTable(run);
        table.addLatencies();
        table.addMemory();
        table.addRest();
        List<String> lines = new ArrayList<>();
        lines.add(Console.text("  %-27s %-24s %-24s %s", "what", "published", "this run", "verdict"));
        for (Row row : table.rows) {
            lines.add(Console.text("  %-27s %-24s %-24s %s", row.what, row.published, row.here, row.verdict));
            lines.add("      " + row.remark);
        }
        return lines;
    }

    private void addLatencies() {
        HuntOptions options = run.options();
        double update = run.engine().p99();
        add("in-engine update, p99", "42 us at 80,000/s", Console.text("%.0f us at %,d/s", update, options.rate()),
                lighter(update <= PUBLISHED_UPDATE_MICROS),
                Console.text("Published on 47 M edges; here %,d. Measured per batch of moves, from taken to published.",
                        run.edges()));
        double rollback = run.rollback().millis();
        add("rollback", "178 ms +- 3", Console.text("%.2f ms", rollback), lighter(rollback <= PUBLISHED_ROLLBACK_MILLIS),
                Console.text("%,d revisions, %,d changes undone. The goal is 60 s of history at 80,000 moves/s: not measured"
                        + " here.", run.rollback().report().revisions(), run.rollback().report().records()));
        long connections = run.client().connections();
        double endToEnd = run.client().endToEnd().p99();
        boolean within = endToEnd <= PUBLISHED_END_TO_END_MICROS;
        String verdict = connections < PUBLISHED_CONNECTIONS ? lighter(within) : verdict(within);
        add("end to end, p99", "14 ms, 50,000 conns", Console.text("%,.2f ms, %,d conns", endToEnd / 1000, connections), verdict,
                connections < PUBLISHED_CONNECTIONS
                        ? Console.text("Falls short in size: %,d connections, not 50,000. Client and server share one machine.",
                                connections)
                        : "Client and server share one machine.");
    }

    private void addMemory() {
        boolean known = run.rssEndBytes() != ProcessMemory.UNKNOWN && run.rssStartBytes() != ProcessMemory.UNKNOWN;
        double growth = 100.0 * (run.rssEndBytes() - run.rssStartBytes()) / run.rssStartBytes();
        add("RSS", "flat at 32 MB", ProcessMemory.describe(run.rssEndBytes()),
                !known ? "not measured" : verdict(run.rssEndBytes() <= PUBLISHED_RSS_BYTES),
                known
                        ? Console.text("%+.1f %% during the hunt of %d s, its connections included. The JVM is in it, and all"
                                + " that the engine takes at start.", growth, run.options().seconds())
                        : "This system has no /proc/self/status to read it from; the report says -1.");
        add("longest GC pause", "1.2 ms", run.pauses().maxMillis() + " ms",
                verdict(run.pauses().maxMillis() <= PUBLISHED_GC_MILLIS),
                Console.text("Pauses of the whole service: %d, in whole ms; %s bytes allocated per slot read (%,d reads).",
                        run.pauses().count(), bytesPerRead(), run.reads().readsMeasured()));
        add("allocator tail, p99.9", "92 us", "-", "not measured",
                "Not measured by this run. The nearest that `make bench-core` measures: copying a packet into a bump page.");
    }

    private String bytesPerRead() {
        double bytes = run.reads().bytesPerRead();
        return bytes == 0 ? "0" : Console.text("%.6f", bytes);
    }

    private void addRest() {
        double handshake = run.client().handshake().p99();
        add("TLS handshake, p99", "3 ms", Console.text("%.2f ms (p50 %.2f)", handshake / 1000,
                run.client().handshake().p50() / 1000), verdict(handshake <= PUBLISHED_HANDSHAKE_MICROS),
                "Several at a time, as the client sees them, while all connections open: not an unloaded server.");
        add("dynamic edges", "47 M", Console.text("%,d", run.edges()), verdict(run.edges() >= PUBLISHED_EDGES),
                "This road graph has no more; `make bench-graph` works on one of 47 million.");
    }

    private static String verdict(boolean holds) {
        return holds ? "holds here" : "falls short";
    }

    /** For a load lighter than the published one: a better figure proves little, a worse one is plainly worse. */
    private static String lighter(boolean within) {
        return within ? "lower, but lighter load" : "falls short";
    }

    private void add(String what, String published, String here, String verdict, String remark) {
        rows.add(new Row(what, published, here, verdict, remark));
    }

    /**
     * One claim.
     *
     * @param what what it is about
     * @param published the published figure
     * @param here the figure of this run
     * @param verdict whether it holds
     * @param remark what the comparison leaves out
     */
    private record Row(String what, String published, String here, String verdict, String remark) {}
}
