package dev.lodestone.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lodestone.Status;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class CallTest {
    @Test
    void theDataPlanesOwnAdviceTakesThePlaceOfTheGeneralOne() {
        assertEquals("m.lsg has 9 nodes. What to do: set graph.nodes_max to 9 or more (now 5).",
                Call.withAdvice(Status.MAP_FILE, "m.lsg has 9 nodes; set graph.nodes_max to 9 or more (now 5)"));
        String damaged = "the graph file m.lsg is damaged: x";
        assertEquals(damaged, Call.withAdvice(Status.MAP_FILE, damaged));
        String facts = "arc 3: too high; the arcs before it are set";
        assertEquals(facts, Call.withAdvice(Status.INVALID_ARGUMENT, facts));
    }

    @Test
    void noTimeIsZeroSeconds() {
        assertEquals("0s", Durations.format(Duration.ZERO));
        assertEquals("2h", Durations.format(Duration.ofHours(2)));
    }
}
