package dev.lodestone.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Optional;
import org.junit.jupiter.api.Test;

class GcAlertsTest {
    private static final long SECOND = 1_000_000_000;

    private static GcAlerts.Pause pause(long number, long millis) {
        return new GcAlerts.Pause("G1 Young Generation", number, "G1 Evacuation Pause", millis);
    }

    @Test
    void aPauseIsToldOnceHoweverManyEnginesWatch() {
        GcAlerts alerts = new GcAlerts();
        assertTrue(alerts.alert(pause(1, 7), 0).orElseThrow().contains("stopped this JVM for 7 ms (G1 Young Generation, "));
        assertEquals(Optional.empty(), alerts.alert(pause(1, 7), 20 * SECOND));
    }

    @Test
    void linesAreFewAndCountWhatTheyLeftOut() {
        GcAlerts alerts = new GcAlerts();
        alerts.alert(pause(1, 7), 5);
        assertEquals(Optional.empty(), alerts.alert(pause(2, 90), 6));
        assertEquals(Optional.empty(), alerts.alert(pause(3, 8), 9 * SECOND));
        String line = alerts.alert(pause(4, 9), 11 * SECOND).orElseThrow();
        assertTrue(line.contains("for 9 ms") && line.endsWith("2 more, the longest 90 ms"), line);
        assertFalse(alerts.alert(pause(5, 9), 30 * SECOND).orElseThrow().contains("more, the longest"));
    }

    @Test
    void workBesideTheProgramIsNoPause() {
        assertFalse(GcAlerts.countsPauses("ZGC Major Cycles"));
        assertFalse(GcAlerts.countsPauses("Shenandoah Cycles"));
        assertTrue(GcAlerts.countsPauses("ZGC Major Pauses"));
        assertTrue(GcAlerts.countsPauses("G1 Young Generation"));
    }
}
