package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Engine;
import dev.lodestone.RollbackReport;
import dev.lodestone.StateHash;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Going back by a time, not by a number. */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class RollbackTimeTest {
    /** The newest revision committed by then. */
    private static long at(TreeMap<Long, Long> lastOfMs, long unixMs) {
        Map.Entry<Long, Long> entry = lastOfMs.floorEntry(unixMs);
        return entry == null ? 0 : entry.getValue();
    }

    @Test
    void whatIsYoungerThanTheAgeIsUndoneAndNothingElse() {
        try (Engine engine = Engines.open()) {
            TreeMap<Long, Long> lastOfMs = new TreeMap<>();
            TreeMap<Long, StateHash> hashes = new TreeMap<>(Map.of(0L, engine.stateHash()));
            // Commits over at least 40 different milliseconds.
            while (lastOfMs.size() < 40) {
                Engines.move(engine, 1, 2 + (int) (engine.revision() % 900), 0x1_0001);
                lastOfMs.put(engine.commit().time().toEpochMilli(), engine.revision());
                hashes.put(engine.revision(), engine.stateHash());
            }
            while (lastOfMs.size() > 2) {
                long fromRevision = engine.revision();
                long middleMs = (lastOfMs.firstKey() + lastOfMs.lastKey()) / 2;
                Duration age = Duration.ofMillis(Math.max(0, System.currentTimeMillis() - middleMs));
                long earliest = System.currentTimeMillis() - age.toMillis();
                RollbackReport report = engine.rollback(age);
                long latest = System.currentTimeMillis() - age.toMillis();
                // The engine's clock was read in between.
                String what = report + " is not between " + earliest + " and " + latest + " of " + lastOfMs;
                assertTrue(report.toRevision() >= Math.min(fromRevision, at(lastOfMs, earliest)), what);
                assertTrue(report.toRevision() <= at(lastOfMs, latest), what);
                assertEquals(hashes.get(report.toRevision()), report.hash());
                assertEquals(engine.verifyHash(), report.hash());
                assertEquals(report.toRevision(), engine.revision());
                int before = lastOfMs.size();
                lastOfMs.values().removeIf(revision -> revision > report.toRevision());
                if (lastOfMs.size() == before) {
                    // The machine was slow between the two looks at the clock: all was older by then.
                    lastOfMs.pollLastEntry();
                    engine.rollback(lastOfMs.lastEntry().getValue());
                }
            }
        }
    }

    @Test
    void anAgeOfZeroUndoesNothingAndAnyOlderThanTheWindowGoesToItsStart() {
        try (Engine engine = Engines.open()) {
            Engines.move(engine, 1, 2, 3);
            StateHash hash = engine.stateHash();
            RollbackReport report = engine.rollback(Duration.ZERO);
            assertEquals(0, report.revisions());
            assertEquals(hash, report.hash());
            assertEquals(1, engine.branch());
            report = engine.rollback(Duration.ofDays(1));
            assertEquals(engine.commit().oldestRevision(), report.toRevision());
            assertEquals(0, report.edges());
            assertThrows(IllegalArgumentException.class, () -> engine.rollback(Duration.ofMillis(-1)));
            assertEquals("age", assertThrows(NullPointerException.class, () -> engine.rollback(null)).getMessage());
        }
    }
}
