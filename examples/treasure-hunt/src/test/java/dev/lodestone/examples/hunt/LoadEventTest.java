package dev.lodestone.examples.hunt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The lines of the load generator. */
class LoadEventTest {
    static final String DONE = "{\"event\":\"done\",\"connections\":10,\"seconds\":3,\"moves_sent\":5,\"moves_acked\":3,"
            + "\"moves_rejected\":2,\"rejected_by_status\":{\"CONFLICT\":1,\"99\":1},"
            + "\"end_to_end_us\":{\"p50\":200,\"p99\":400,\"p999\":401,\"max\":900},"
            + "\"handshake_us\":{\"p50\":1000,\"p99\":2000,\"p999\":3000,\"max\":4000}}";

    @Test
    void eachEventIsRead() throws JsonException {
        assertEquals(Optional.of(new LoadEvent.Connecting(3, 10)),
                LoadEvent.parse("{\"event\":\"connecting\",\"done\":3,\"total\":10}"));
        assertEquals(Optional.of(new LoadEvent.Tick(2, 30, 20, 5, 210, 900)),
                LoadEvent.parse("{\"event\":\"tick\",\"second\":2,\"moves_sent\":30,\"moves_acked\":20,\"moves_rejected\":5,"
                        + "\"connections_lost\":0,\"p50_us\":210,\"p99_us\":900}"));
        LoadEvent.Done done = new LoadEvent.Done(10, 5, 3, 2, Map.of("CONFLICT", 1L, "99", 1L), new Percentiles(200, 400, 401),
                new Percentiles(1000, 2000, 3000));
        assertEquals(Optional.of(done), LoadEvent.parse(DONE));
    }

    @Test
    void eventsOfLaterVersionsArePassedOver() throws JsonException {
        assertEquals(Optional.empty(), LoadEvent.parse("{\"event\":\"weather\",\"rain\":true}"));
    }

    @Test
    void linesThatAreNotWhatTheyShouldBeAreRefused() {
        assertThrows(JsonException.class, () -> LoadEvent.parse("connecting"));
        assertThrows(JsonException.class, () -> LoadEvent.parse("{\"second\":1}"));
        assertThrows(JsonException.class, () -> LoadEvent.parse("{\"event\":\"connecting\",\"done\":3}"));
        assertThrows(JsonException.class, () -> LoadEvent.parse(DONE.replace("\"p99\":400,", "")));
    }
}
