package dev.lodestone.internal;

import dev.lodestone.CertificateFiles;
import dev.lodestone.Tenant;
import dev.lodestone.TokenKey;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What values are allowed, alone and together. The same rules hold for files and for configurations built in Java. */
public final class ConfigRules {
    /** What a token secret may look like. */
    static final String SECRET_ALLOWED = ConfigKey.SECRET_BYTES_MIN + " to " + ConfigKey.SECRET_BYTES_MAX
            + " bytes, as pairs of hexadecimal digits, in quotes";

    private static final Pattern NAME = Pattern.compile("[a-z0-9-]{1,12}");
    private static final Pattern LABEL = Pattern.compile("[A-Za-z0-9._:-]{0,64}");
    private static final Pattern ADDRESS = Pattern.compile("([A-Za-z0-9.-]{1,253}|\\[[0-9A-Fa-f:.]{2,45}]):([0-9]{1,5})");
    private static final Pattern HEX = Pattern.compile("([0-9a-f]{2})+");
    private static final int PORT_MAX = 65_535;

    private ConfigRules() {}

    /**
     * Adds the defaults, checks everything, and brings it into the order of the file.
     *
     * @param given values by dotted path
     * @return all values, unmodifiable
     * @throws ConfigProblem when a value is refused
     */
    public static Map<String, Object> complete(Map<String, Object> given) throws ConfigProblem {
        Map<String, Object> values = new LinkedHashMap<>();
        for (ConfigKey key : ConfigKey.ALL) {
            values.put(key.path(), given.getOrDefault(key.path(), key.standard()));
        }
        // The tenants' shares are counted against the capacity, so that has to be right first.
        check(ConfigKey.BY_PATH.get("arena.capacity"), values.get("arena.capacity"));
        values.put("arena.tenants", tenants(values));
        for (ConfigKey key : ConfigKey.ALL) {
            boolean unused = key.kind() == ConfigKey.Kind.FOLDER && values.get("runtime.shared_region").equals("anonymous");
            if (!unused) {
                check(key, values.get(key.path()));
            }
        }
        requireSmallInline((String) values.get("graph.pathfinder"), (Long) values.get("graph.edges_max"));
        requireAuthorities((String) values.get("transport.client_certificates"), (String) values.get("transport.client_ca_file"));
        requireRoomForWatches((Long) values.get("graph.watches_max"), (Long) values.get("graph.nodes_max"));
        return Collections.unmodifiableMap(values);
    }

    /** Routes on the engine thread hold up moves, so they are for graphs where that is short. */
    private static void requireSmallInline(String pathfinder, long edgesMax) throws ConfigProblem {
        if (pathfinder.equals("inline") && edgesMax > ConfigKey.INLINE_EDGES_MAX) {
            throw new ConfigProblem("graph.pathfinder", "inline with graph.edges_max " + edgesMax,
                    "inline up to " + ConfigKey.INLINE_EDGES_MAX + " edges, or thread");
        }
    }

    /** Certificates of clients are worth what their authorities are. */
    private static void requireAuthorities(String clientCertificates, String caFile) throws ConfigProblem {
        if (!clientCertificates.equals("off") && caFile.isEmpty()) {
            throw new ConfigProblem("transport.client_ca_file", "nothing with transport.client_certificates "
                    + clientCertificates, "a PEM file with the authorities that sign for clients");
        }
    }

    /** Each watch keeps a label of 8 bytes for each node. */
    private static void requireRoomForWatches(long watchesMax, long nodesMax) throws ConfigProblem {
        if (watchesMax * nodesMax * Long.BYTES > ConfigKey.WATCHED_BYTES_MAX) {
            throw new ConfigProblem("graph.watches_max", watchesMax + " with graph.nodes_max " + nodesMax,
                    "at most " + ConfigKey.WATCHED_BYTES_MAX + " bytes, 8 for each watch and node");
        }
    }

    private static void check(ConfigKey key, Object value) throws ConfigProblem {
        boolean good = switch (key.kind()) {
            case WHOLE -> (Long) value >= key.min() && (Long) value <= key.max();
            case POWER_OF_TWO -> (Long) value >= key.min() && (Long) value <= key.max() && Long.bitCount((Long) value) == 1;
            case FRACTION -> (Double) value >= 0.0 && (Double) value <= 1.0;
            case CHOICE -> key.choices().contains(value);
            case NAME -> NAME.matcher((String) value).matches();
            case LABEL -> LABEL.matcher((String) value).matches();
            case ADDRESS -> isAddress((String) value);
            case DURATION -> ((Duration) value).compareTo(ConfigKey.DURATION_MIN) >= 0
                    && ((Duration) value).compareTo(ConfigKey.DURATION_MAX) <= 0;
            case FOLDER -> Files.isDirectory(path(key.path(), (String) value, key.allowed()));
            case FILE -> isFile(key.path(), (String) value);
            case RECORD -> canBeMade(key, (String) value);
            case CORES -> areCores((List<?>) value);
            case FLAG, TENANTS -> true;
            case CERTIFICATE -> areFiles((Optional<?>) value);
            case AUTH -> areKeys((List<?>) value);
        };
        if (!good) {
            String found = value instanceof Duration duration ? Durations.format(duration) : value.toString();
            throw new ConfigProblem(key.path(), found, key.allowed());
        }
    }

    /** Puts the capacity in place of an absent slots_max, and checks the shares against it. */
    private static List<Tenant> tenants(Map<String, Object> values) throws ConfigProblem {
        long capacity = (Long) values.get("arena.capacity");
        List<Tenant> tenants = new ArrayList<>();
        Set<Integer> ids = new HashSet<>();
        long guaranteed = 0;
        for (Object item : (List<?>) values.get("arena.tenants")) {
            Tenant given = (Tenant) item;
            String place = "arena.tenants." + tenants.size();
            int slotsMax = given.slotsMax() == Tenant.WHOLE_CAPACITY ? (int) capacity : given.slotsMax();
            if (given.id() == 0 || !ids.add(given.id())) {
                String what = given.id() == 0 ? "0" : Integer.toUnsignedString(given.id()) + " a second time";
                throw new ConfigProblem(place + ".id", what, "a number from 1 to 4294967295, each once");
            }
            within(place + ".guaranteed_slots", given.guaranteedSlots(), 0, capacity);
            within(place + ".slots_max", slotsMax, Math.max(1, given.guaranteedSlots()), capacity);
            guaranteed += given.guaranteedSlots();
            tenants.add(new Tenant(given.id(), given.guaranteedSlots(), slotsMax));
        }
        if (tenants.size() > ConfigKey.TENANTS_MAX) {
            throw new ConfigProblem("arena.tenants", tenants.size() + " tenants", "at most " + ConfigKey.TENANTS_MAX);
        }
        if (guaranteed > capacity) {
            throw new ConfigProblem("arena.tenants", "guaranteed_slots that add up to " + guaranteed,
                    "a sum of at most arena.capacity, " + capacity);
        }
        return List.copyOf(tenants);
    }

    private static void within(String place, long value, long min, long max) throws ConfigProblem {
        if (value < min || value > max) {
            throw new ConfigProblem(place, Long.toString(value), "a whole number from " + min + " to " + max);
        }
    }

    private static boolean isAddress(String text) {
        Matcher matcher = ADDRESS.matcher(text);
        return matcher.matches() && Integer.parseInt(matcher.group(2)) <= PORT_MAX;
    }

    private static boolean areCores(List<?> cores) {
        return cores.size() <= 2
                && new HashSet<>(cores).size() == cores.size()
                && cores.stream().allMatch(core -> (Long) core >= 0 && (Long) core <= ConfigKey.CORE_MAX);
    }

    private static boolean areFiles(Optional<?> certificate) throws ConfigProblem {
        if (certificate.isPresent()) {
            CertificateFiles files = (CertificateFiles) certificate.get();
            readable("transport.certificate.certificate_file", files.certificateFile());
            readable("transport.certificate.key_file", files.keyFile());
        }
        return true;
    }

    private static boolean isFile(String place, String file) throws ConfigProblem {
        if (!file.isEmpty()) {
            readable(place, path(place, file, "the path of a PEM file"));
        }
        return true;
    }

    private static boolean canBeMade(ConfigKey key, String file) throws ConfigProblem {
        if (file.isEmpty()) {
            return true;
        }
        Path folder = path(key.path(), file, key.allowed()).toAbsolutePath().getParent();
        return folder != null && Files.isDirectory(folder) && !Files.isDirectory(Path.of(file));
    }

    private static void readable(String place, Path file) throws ConfigProblem {
        path(place, file.toString(), "the path of a PEM file");
        if (!Files.isRegularFile(file) || !Files.isReadable(file)) {
            throw new ConfigProblem(place, file.toString(), "a file that exists and can be read");
        }
    }

    private static boolean areKeys(List<?> keys) throws ConfigProblem {
        Set<Integer> ids = new HashSet<>();
        for (Object item : keys) {
            TokenKey key = (TokenKey) item;
            String place = "transport.auth.keys." + ids.size();
            int secretBytes = key.secretHex().length() / 2;
            if (secretBytes < ConfigKey.SECRET_BYTES_MIN
                    || secretBytes > ConfigKey.SECRET_BYTES_MAX
                    || !HEX.matcher(key.secretHex()).matches()) {
                // The secret itself stays out of messages, which end in logs.
                throw new ConfigProblem(place + ".secret_hex", key.secretHex().length() + " characters", SECRET_ALLOWED);
            }
            if (!ids.add(key.id())) {
                throw new ConfigProblem(place + ".id", Integer.toUnsignedString(key.id()) + " a second time", "each id once");
            }
        }
        return keys.size() <= ConfigKey.TOKEN_KEYS_MAX;
    }

    /** The path, refused when the system or the line format of the data plane could not take it. */
    static Path path(String place, String text, String allowed) throws ConfigProblem {
        try {
            if (!text.isBlank() && text.chars().noneMatch(Character::isISOControl)) {
                return Path.of(text);
            }
        } catch (InvalidPathException bad) {
            throw new ConfigProblem(place, "\"" + text + "\" (" + bad.getReason() + ")", allowed);
        }
        throw new ConfigProblem(place, "an empty path, or one with control characters", allowed);
    }
}
