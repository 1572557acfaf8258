package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * The state is nowhere on the heap: millions of moves and reads later the same objects are there as before, and no collection
 * happened in between, though the heap has room for a few seconds of careless code only.
 */
class HeapTest {
    private static final long MOVES = Long.getLong("lodestone.heap.moves", 1_000_000);
    /** What a rollback, which is a call, may leave behind: its report and its hash. */
    private static final long ROLLBACK_BYTES_MAX = 4_096;
    /** What the JVM's own counting of allocations leaves open. */
    private static final long CALIBRATION_BYTES = 65_536;

    @Test
    void movesAndReadsLeaveTheHeapAsItWas() throws Exception {
        List<String> command = new ArrayList<>(List.of("--enable-native-access=ALL-UNNAMED", "-Xms64m", "-Xmx64m",
                "-XX:+AlwaysPreTouch"));
        command.addAll(Child.libraryOption());
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), HeapRun.class.getName(), Long.toString(MOVES)));
        Child.End end = Child.run(command);
        assertEquals(0, end.exit(), end.out() + end.err());
        System.out.print(end.out());
        assertFalse(end.err().contains("INFO"), () -> "routine is for those who ask for it: " + end.err());
        assertTrue(end.out().lines().noneMatch(line -> line.startsWith("changed")), end.out());
        assertTrue(number(end, "objects") > 10, "the classes of the product are in the histogram: " + end.out());
        assertEquals(0, number(end, "collections"), end.out());
        long rollbacks = number(end, "rollbacks");
        assertTrue(rollbacks > 0 && number(end, "events") > 0, end.out());
        assertTrue(number(end, "allocated") <= rollbacks * ROLLBACK_BYTES_MAX + CALIBRATION_BYTES, end.out());
    }

    private static long number(Child.End end, String name) {
        Matcher found = Pattern.compile("\\b" + name + " (\\d+)").matcher(end.out());
        assertTrue(found.find(), end.out());
        return Long.parseLong(found.group(1));
    }
}
