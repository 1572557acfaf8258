package dev.lodestone.internal;

import java.time.Duration;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Times as the configuration writes them: 500ms, 30s, 5m, 1h. */
final class Durations {
    private static final Pattern SHAPE = Pattern.compile("([0-9]{1,9})(ms|s|m|h)");

    private Durations() {}

    static Optional<Duration> parse(String text) {
        Matcher matcher = SHAPE.matcher(text);
        if (!matcher.matches()) {
            return Optional.empty();
        }
        long amount = Long.parseLong(matcher.group(1));
        return Optional.of(switch (matcher.group(2)) {
            case "ms" -> Duration.ofMillis(amount);
            case "s" -> Duration.ofSeconds(amount);
            case "m" -> Duration.ofMinutes(amount);
            default -> Duration.ofHours(amount);
        });
    }

    static String format(Duration duration) {
        long milliseconds = duration.toMillis();
        if (milliseconds == 0) {
            return "0s";
        }
        if (milliseconds % 1_000 != 0) {
            return milliseconds + "ms";
        }
        long seconds = milliseconds / 1_000;
        if (seconds % 60 != 0) {
            return seconds + "s";
        }
        return seconds % 3_600 != 0 ? seconds / 60 + "m" : seconds / 3_600 + "h";
    }
}
