package dev.lodestone.examples.hunt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.RollbackReport;
import dev.lodestone.StateHash;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The report, its verdict and the table of claims. */
class RunReportTest {
    private static final StateHash HASH = new StateHash(1, 2);
    private static final StateHash OTHER_HASH = new StateHash(1, 3);

    private static RunReport report(long acked, int clientStatus, StateHash recomputed, boolean found) throws UsageException {
        return report(acked, clientStatus, recomputed, found, 0, 4_000);
    }

    private static RunReport report(long acked, int clientStatus, StateHash recomputed, boolean found, long bytesAllocated,
            double endToEndP99) throws UsageException {
        RollbackReport rollback = new RollbackReport(900, 700, 200, 5_000, Duration.ofNanos(1_234_567), HASH, 1, 99, true);
        HunterWatch.ReadCost cost =
                new HunterWatch.ReadCost(5_000_000, 0, 9_000, 4_000_000, bytesAllocated, 500, bytesAllocated > 0 ? 251 : 0);
        return new RunReport(HuntOptions.parse(List.of(), Map.of()),
                new LoadEvent.Done(1_000, 300, acked, 10, Map.of(), new Percentiles(200, endToEndP99, 500_000),
                        new Percentiles(1_000, 2_000, 3_000)),
                clientStatus, Percentiles.ofNanos(1_500, 20_000, 30_000), Percentiles.ofNanos(4_000, 50_000, 60_000),
                new RollbackCheck.Result(rollback, false, HASH, HASH, recomputed), 200L << 20, 201L << 20,
                new GcWatch.Pauses(3, 4), cost, 316_183, 624_586,
                List.of(new RouteSurvey.Journey("Dover", "Lewes", found, 60.1234, 500, 1.5, 900)));
    }

    @Test
    void jsonHasExactlyTheAgreedFields() throws Exception {
        JsonObject json = JsonParser.parse(report(290, 0, HASH, true).json().replaceAll("(?s)\\[(.*)]", "$1"));
        assertEquals(Set.of("connections", "moves_sent", "moves_acked", "moves_rejected", "end_to_end_us", "queue_us",
                "engine_us", "rollback_ms", "rollback_revisions", "rollback_hash_equal", "rss_start_bytes", "rss_end_bytes",
                "gc_pause_max_ms", "java_bytes_per_read", "nodes", "edges", "routes"), json.names());
        assertEquals(290, json.number("moves_acked"));
        assertEquals(1.5, json.object("queue_us").decimal("p50"));
        assertEquals(60, json.object("engine_us").decimal("p999"));
        assertEquals(1.235, json.decimal("rollback_ms"));
        assertTrue(json.flag("rollback_hash_equal"));
        assertEquals(0, json.number("java_bytes_per_read"));
        assertEquals(Set.of("from", "to", "found", "distance_km", "crossings", "time_ms", "revision"),
                json.object("routes").names());
    }

    @Test
    void aGoodRunHasNoProblems() throws Exception {
        assertEquals(List.of(), report(290, 0, HASH, true).problems());
    }

    @Test
    void aScheduleThatWasNotKeptIsSaidPlainly() throws Exception {
        assertEquals(List.of(), report(290, 0, HASH, true).caveats());
        RunReport late = report(290, 0, HASH, true, 0, 120_000);
        assertEquals(List.of(), late.problems());
        assertTrue(late.caveats().getFirst().contains("the schedule was not kept: this machine's cores were saturated"));
    }

    @Test
    void whatTheJvmAllocatesOnceIsNotTheReads() {
        HunterWatch.ReadCost stray = new HunterWatch.ReadCost(5_000, 2, 9, 4_000, 344, 500, 250);
        assertEquals(0, stray.bytesPerRead());
        assertEquals("Java read 5,000 slots meanwhile, 2 of them busy; 9 crossings have one (the JVM itself: 344 bytes, in 250 of"
                + " 500 rounds)", stray.describe());
        assertEquals(0.1, new HunterWatch.ReadCost(5_000, 2, 9, 4_000, 400, 500, 251).bytesPerRead());
    }

    @Test
    void eachFaultIsAProblem() throws Exception {
        assertProblem("300 moves were sent, but 289 acknowledged and 10 rejected", report(289, 0, HASH, true));
        assertProblem("the load generator ended with status 1", report(290, 1, HASH, true));
        assertProblem("the load generator was killed by signal 9", report(290, 137, HASH, true));
        assertProblem("reading a slot allocated: 0.000250 bytes a read, over 4,000,000 reads",
                report(290, 0, HASH, true, 1_000, 4_000));
        assertProblem("the hashes differ", report(290, 0, OTHER_HASH, true));
        assertProblem("no route from Dover to Lewes", report(290, 0, HASH, false));
    }

    private static void assertProblem(String expected, RunReport report) {
        List<String> problems = report.problems();
        assertEquals(1, problems.size(), problems::toString);
        assertTrue(problems.getFirst().contains(expected), problems::toString);
    }

    @Test
    void theTableSaysWhatHoldsAndWhatWasNotMeasured() throws Exception {
        String table = String.join("\n", ClaimsTable.lines(report(290, 0, HASH, true)));
        for (String expected : List.of(
                "in-engine update, p99       42 us at 80,000/s        50 us at 20,000/s        falls short",
                "rollback                    178 ms +- 3              1.23 ms                  lower, but lighter load",
                "end to end, p99             14 ms, 50,000 conns      4.00 ms, 1,000 conns     lower, but lighter load",
                "Falls short in size: 1,000 connections, not 50,000.",
                "RSS                         flat at 32 MB            201.0 MiB                falls short",
                "+0.5 % during the hunt of 15 s",
                "longest GC pause            1.2 ms                   4 ms                     falls short",
                "allocator tail, p99.9       92 us                    -                        not measured",
                "TLS handshake, p99          3 ms                     2.00 ms (p50 1.00)       holds here",
                "dynamic edges               47 M                     624,586                  falls short")) {
            assertTrue(table.contains(expected), () -> expected + "\nis not in\n" + table);
        }
    }

    @Test
    void theLiveLineShowsTheSecondJustPast() {
        LoadEvent.Tick before = new LoadEvent.Tick(6, 120_000, 119_900, 1, 200, 900);
        LoadEvent.Tick now = new LoadEvent.Tick(7, 140_000, 139_904, 3, 250, 1_200);
        assertEquals("    7 s   20,004 moves/s  p50 250 us  p99 1,200 us  RSS 214.5 MiB  GC pauses 2 (max 3 ms)  rejected 3",
                LiveView.line(before, now, 224_919_552, new GcWatch.Pauses(2, 3)));
    }

    @Test
    void residentMemoryIsReadFromTheProcText() {
        assertEquals(219_648 * 1024L, ProcessMemory.residentBytes("VmPeak:\t 1 kB\nVmRSS:\t  219648 kB\nThreads:\t9\n"));
        assertEquals(ProcessMemory.UNKNOWN, ProcessMemory.residentBytes("nothing of use"));
        assertEquals("unknown", ProcessMemory.describe(ProcessMemory.UNKNOWN));
    }
}
