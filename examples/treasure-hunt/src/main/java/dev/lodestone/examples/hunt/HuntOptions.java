package dev.lodestone.examples.hunt;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * What a hunt shall be like.
 *
 * @param connections QUIC connections, one hunter on each
 * @param rate moves per second, of all hunters together
 * @param seconds length of the hunt
 * @param seed same seed, same walks
 * @param port UDP port, 0 for any free one; empty: the configuration's, and a free one when that is taken
 * @param config configuration file; empty: the defaults
 * @param map road graph
 * @param loadGenerator the client program
 * @param report where the report goes; certificate and the client's own report are put beside it
 * @param help only print the help
 */
record HuntOptions(long connections, long rate, long seconds, long seed, Optional<Integer> port, Optional<Path> config,
        Path map, Path loadGenerator, Path report, boolean help) {

    /** What {@code --help} prints. */
    static final String HELP = """
            treasure-hunt: hunters walk the roads of Delaware over QUIC while this Java service watches.

            Usage: java -jar treasure-hunt-VERSION.jar [options]      (from the top folder of the repository)

              --connections N       QUIC connections, one hunter each, 1..60000 (default 1000)
              --rate N              moves per second of all hunters together, 1..10000000 (default 20000)
              --seconds N           length of the hunt, 1..86400 (default 15)
              --seed N              same seed, same walks (default 1)
              --port N              UDP port, 0 for any free one (default: the configuration's 4433, or a free one)
              --config FILE         configuration of the engine, YAML (default: built in)
              --map FILE            road graph (default data/delaware.lsg)
              --load-generator FILE the client program (default native/target/release/lodestone-load)
              --report FILE         report, JSON (default target/run/report.json)
              --help                this text

            The environment may give CONNECTIONS, RATE, SECONDS, SEED, PORT and CONFIG; an option beats the environment.

            Exit status: 0 all went well; 1 the run failed (standard error says why); 2 wrong usage.
            """;

    private static final List<String> FROM_ENVIRONMENT = List.of("connections", "rate", "seconds", "seed", "port", "config");
    private static final Map<String, String> DEFAULTS = Map.of(
            "connections", "1000", "rate", "20000", "seconds", "15", "seed", "1", "port", "", "config", "",
            "map", "data/delaware.lsg", "load-generator", "native/target/release/lodestone-load",
            "report", "target/run/report.json");

    /**
     * Reads arguments and environment.
     *
     * @param arguments the command line
     * @param environment the environment; an empty value counts as not given
     * @return the options
     * @throws UsageException when something is unknown, missing or out of range
     */
    static HuntOptions parse(List<String> arguments, Map<String, String> environment) throws UsageException {
        Map<String, String> given = new HashMap<>(DEFAULTS);
        for (String name : FROM_ENVIRONMENT) {
            String value = environment.getOrDefault(name.toUpperCase(Locale.ROOT), "");
            if (!value.isEmpty()) {
                given.put(name, value);
            }
        }
        boolean help = readArguments(arguments, given);
        return new HuntOptions(
                number(given, "connections", 1, 60_000),
                number(given, "rate", 1, 10_000_000),
                number(given, "seconds", 1, 86_400),
                number(given, "seed", 0, Long.MAX_VALUE),
                given.get("port").isEmpty() ? Optional.empty() : Optional.of((int) number(given, "port", 0, 65_535)),
                given.get("config").isEmpty() ? Optional.empty() : Optional.of(Path.of(given.get("config"))),
                Path.of(given.get("map")),
                Path.of(given.get("load-generator")),
                Path.of(given.get("report")),
                help);
    }

    /** Takes {@code --name value} and {@code --name=value}; true when help is asked for. */
    private static boolean readArguments(List<String> arguments, Map<String, String> given) throws UsageException {
        for (int i = 0; i < arguments.size(); i++) {
            String argument = arguments.get(i);
            if (argument.equals("--help") || argument.equals("-h")) {
                return true;
            }
            int equals = argument.indexOf('=');
            String name = argument.substring(0, equals < 0 ? argument.length() : equals);
            if (!name.startsWith("--") || !DEFAULTS.containsKey(name.substring(2))) {
                throw new UsageException("unknown option " + argument);
            }
            if (equals < 0 && ++i == arguments.size()) {
                throw new UsageException(name + " needs a value");
            }
            String value = equals < 0 ? arguments.get(i) : argument.substring(equals + 1);
            if (value.isEmpty()) {
                throw new UsageException(name + " needs a value");
            }
            given.put(name.substring(2), value);
        }
        return false;
    }

    private static long number(Map<String, String> given, String name, long lowest, long highest) throws UsageException {
        String value = given.get(name);
        try {
            long number = Long.parseLong(value);
            if (number >= lowest && number <= highest) {
                return number;
            }
        } catch (NumberFormatException notANumber) {
            // Answered below, like a number out of range.
        }
        throw new UsageException(name + " is \"" + value + "\", not a whole number from " + lowest + " to " + highest);
    }
}
