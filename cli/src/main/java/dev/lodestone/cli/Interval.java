package dev.lodestone.cli;

import java.time.Duration;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads a time such as 500ms, 1s or 5m, from 100 ms to an hour. */
final class Interval implements ITypeConverter<Duration> {
    private static final Duration SHORTEST = Duration.ofMillis(100);
    private static final Duration LONGEST = Duration.ofHours(1);
    private static final Pattern FORM = Pattern.compile("(\\d{1,7})(ms|s|m|h)");

    @Override
    public Duration convert(String text) {
        return parse(text).filter(time -> time.compareTo(SHORTEST) >= 0 && time.compareTo(LONGEST) <= 0)
                .orElseThrow(() -> new TypeConversionException("'" + text + "' is no time from 100ms to 1h"));
    }

    /** The time that is written so; empty when none is. */
    static Optional<Duration> parse(String text) {
        Matcher parts = FORM.matcher(text);
        return parts.matches() ? Optional.of(time(Long.parseLong(parts.group(1)), parts.group(2))) : Optional.empty();
    }

    private static Duration time(long number, String unit) {
        return switch (unit) {
            case "ms" -> Duration.ofMillis(number);
            case "s" -> Duration.ofSeconds(number);
            case "m" -> Duration.ofMinutes(number);
            default -> Duration.ofHours(number);
        };
    }
}
