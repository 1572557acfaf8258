package dev.lodestone.examples.hunt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The command line and the environment. */
class HuntOptionsTest {
    @Test
    void defaultsAreThoseOfTheMainJob() throws UsageException {
        HuntOptions options = HuntOptions.parse(List.of(), Map.of("CONNECTIONS", "", "HOME", "x"));
        assertEquals(1_000, options.connections());
        assertEquals(20_000, options.rate());
        assertEquals(15, options.seconds());
        assertEquals(1, options.seed());
        assertEquals(Optional.empty(), options.port());
        assertEquals(Optional.empty(), options.config());
        assertEquals(Path.of("data", "delaware.lsg"), options.map());
        assertEquals(Path.of("native", "target", "release", "lodestone-load"), options.loadGenerator());
        assertEquals(Path.of("target", "run", "report.json"), options.report());
    }

    @Test
    void optionsBeatTheEnvironment() throws UsageException {
        Map<String, String> environment = Map.of("CONNECTIONS", "10", "RATE", "200", "SECONDS", "3", "SEED", "9", "PORT", "0",
                "CONFIG", "a.yaml");
        HuntOptions options = HuntOptions.parse(List.of("--rate", "300", "--config=b.yaml", "--map", "m", "--report=r",
                "--load-generator", "g"), environment);
        HuntOptions expected = new HuntOptions(10, 300, 3, 9, Optional.of(0), Optional.of(Path.of("b.yaml")), Path.of("m"),
                Path.of("g"), Path.of("r"), false);
        assertEquals(expected, options);
    }

    @Test
    void helpIsFound() throws UsageException {
        assertTrue(HuntOptions.parse(List.of("--seed", "2", "--help"), Map.of()).help());
        assertTrue(HuntOptions.parse(List.of("-h"), Map.of()).help());
        for (String name : List.of("connections", "rate", "seconds", "seed", "port", "config", "map", "load-generator",
                "report")) {
            assertTrue(HuntOptions.HELP.contains("--" + name + " "), name);
        }
    }

    @Test
    void saysWhatIsWrong() {
        assertWrong("unknown option --speed", "--speed", "3");
        assertWrong("unknown option extra", "extra");
        assertWrong("unknown option --", "--");
        assertWrong("--rate needs a value", "--rate");
        assertWrong("--rate needs a value", "--rate=");
        assertWrong("connections is \"0\", not a whole number from 1 to 60000", "--connections", "0");
        assertWrong("seconds is \"1.5\", not a whole number from 1 to 86400", "--seconds=1.5");
        assertWrong("port is \"65536\", not a whole number from 0 to 65535", "--port", "65536");
    }

    private static void assertWrong(String message, String... arguments) {
        UsageException wrong = assertThrows(UsageException.class, () -> HuntOptions.parse(List.of(arguments), Map.of()));
        assertEquals(message, wrong.getMessage());
    }
}
