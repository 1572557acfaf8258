package dev.lodestone.internal;

import dev.lodestone.CertificateFiles;
import dev.lodestone.Tenant;
import dev.lodestone.TokenKey;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** Writes values as YAML for people and as flat lines for the data plane. */
public final class ConfigWriter {
    private ConfigWriter() {}

    /**
     * All values as YAML that reads back to the same values. Token secrets are in it.
     *
     * @param values checked values
     * @return the text
     */
    public static String yaml(Map<String, Object> values) {
        StringBuilder text = new StringBuilder();
        String section = "";
        for (ConfigKey key : ConfigKey.ALL) {
            int dot = key.path().indexOf('.');
            String itsSection = dot < 0 ? "" : key.path().substring(0, dot);
            if (!itsSection.equals(section) && !itsSection.isEmpty()) {
                text.append(itsSection).append(":\n");
            }
            section = itsSection;
            text.append(dot < 0 ? "" : "  ").append(key.path().substring(dot + 1)).append(": ")
                    .append(yaml(key, values.get(key.path()))).append('\n');
        }
        return text.toString();
    }

    /**
     * One value as YAML.
     *
     * @param key its key
     * @param value the value
     * @return the text, on one line
     */
    public static String yaml(ConfigKey key, Object value) {
        return switch (key.kind()) {
            case NAME, LABEL, ADDRESS, FOLDER, FILE, RECORD -> quoted((String) value);
            case DURATION -> Durations.format((Duration) value);
            case TENANTS -> list((List<?>) value, item -> tenant((Tenant) item));
            case CERTIFICATE -> ((Optional<?>) value).map(files -> certificate((CertificateFiles) files)).orElse("self_signed");
            case AUTH -> ((List<?>) value).isEmpty()
                    ? "none"
                    : "{keys: " + list((List<?>) value, item -> tokenKey((TokenKey) item)) + "}";
            default -> value.toString();
        };
    }

    /**
     * All values as the lines {@code key=value} that the data plane reads.
     *
     * @param values checked values
     * @return the text, ending in a line feed
     */
    public static String flat(Map<String, Object> values) {
        StringBuilder text = new StringBuilder();
        for (ConfigKey key : ConfigKey.ALL) {
            flat(text, key, values.get(key.path()));
        }
        return text.toString();
    }

    private static void flat(StringBuilder text, ConfigKey key, Object value) {
        String path = key.path();
        switch (key.kind()) {
            case DURATION -> line(text, path, Durations.format((Duration) value));
            case CORES -> {
                int index = 0;
                for (Object core : (List<?>) value) {
                    line(text, path + "." + index++, core);
                }
            }
            case TENANTS -> {
                int index = 0;
                for (Object item : (List<?>) value) {
                    Tenant tenant = (Tenant) item;
                    String place = path + "." + index++;
                    line(text, place + ".id", Integer.toUnsignedString(tenant.id()));
                    line(text, place + ".guaranteed_slots", tenant.guaranteedSlots());
                    line(text, place + ".slots_max", tenant.slotsMax());
                }
            }
            case CERTIFICATE -> {
                if (((Optional<?>) value).orElse(null) instanceof CertificateFiles files) {
                    line(text, path + ".certificate_file", files.certificateFile());
                    line(text, path + ".key_file", files.keyFile());
                } else {
                    line(text, path, "self_signed");
                }
            }
            case AUTH -> flatAuth(text, path, (List<?>) value);
            default -> line(text, path, value);
        }
    }

    private static void flatAuth(StringBuilder text, String path, List<?> keys) {
        if (keys.isEmpty()) {
            line(text, path, "none");
        }
        int index = 0;
        for (Object item : keys) {
            TokenKey key = (TokenKey) item;
            String place = path + ".keys." + index++;
            line(text, place + ".id", Integer.toUnsignedString(key.id()));
            line(text, place + ".secret_hex", key.secretHex());
        }
    }

    private static void line(StringBuilder text, String key, Object value) {
        text.append(key).append('=').append(value).append('\n');
    }

    /** Writes one item of a list. */
    private interface ItemWriter {
        String write(Object item);
    }

    private static String list(List<?> items, ItemWriter writer) {
        return items.stream().map(writer::write).collect(Collectors.joining(", ", "[", "]"));
    }

    private static String tenant(Tenant tenant) {
        return "{id: " + Integer.toUnsignedString(tenant.id()) + ", guaranteed_slots: " + tenant.guaranteedSlots()
                + ", slots_max: " + tenant.slotsMax() + "}";
    }

    private static String tokenKey(TokenKey key) {
        return "{id: " + Integer.toUnsignedString(key.id()) + ", secret_hex: " + quoted(key.secretHex()) + "}";
    }

    private static String certificate(CertificateFiles files) {
        return "{certificate_file: " + quoted(files.certificateFile().toString()) + ", key_file: "
                + quoted(files.keyFile().toString()) + "}";
    }

    private static String quoted(String text) {
        return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    }
}
