package dev.lodestone.cli;

import java.time.Duration;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads how long ago something was, such as 500ms, 30s, 5m or 2h; 0s is now. */
final class Age implements ITypeConverter<Duration> {
    @Override
    public Duration convert(String text) {
        return Interval.parse(text).orElseThrow(
                () -> new TypeConversionException("'" + text + "' is no time such as 500ms, 30s, 5m or 2h"));
    }
}
