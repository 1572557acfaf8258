package dev.lodestone.internal;

import dev.lodestone.CertificateFiles;
import dev.lodestone.ConfigException;
import dev.lodestone.Tenant;
import dev.lodestone.TokenKey;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Compose;
import org.snakeyaml.engine.v2.api.lowlevel.Parse;
import org.snakeyaml.engine.v2.events.CollectionEndEvent;
import org.snakeyaml.engine.v2.events.CollectionStartEvent;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.NodeTuple;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;
import org.snakeyaml.engine.v2.nodes.Tag;

/** Reads YAML into the values of {@link ConfigKey}, remembering the line of each, so that every refusal names its place. */
public final class ConfigReader {
    private static final LoadSettings SETTINGS = LoadSettings.builder().setLabel("configuration").build();

    private static final String WELL_FORMED = "well-formed YAML, one document";
    /** Most blocks and lists in each other; the keys that exist need five. */
    private static final int DEPTH_MAX = 32;
    /** Below this key values may be secrets, misplaced ones too: they stay out of messages, which end in logs. */
    private static final String SECRETS = "transport.auth";
    /** Longest name that can be a mistyped key of {@link #SECRETS}; what is longer may be a secret. */
    private static final int NAME_SHOWN_MAX = 20;

    private final Path file;
    private final Path base;
    private final Map<String, Integer> lines = new HashMap<>();
    private final Map<String, Object> values = new LinkedHashMap<>();

    private ConfigReader(Path file, Path base) {
        this.file = file;
        this.base = base;
    }

    /**
     * Reads a whole configuration.
     *
     * @param yaml the text; keys that it lacks have their default
     * @param file where it came from, or null; relative paths are relative to its folder
     * @return checked values, by dotted path
     * @throws ConfigException when something is wrong
     */
    public static Map<String, Object> read(String yaml, Path file) {
        Path folder = file == null ? null : file.toAbsolutePath().getParent();
        ConfigReader reader = new ConfigReader(file, folder == null ? Path.of("") : folder);
        return reader.located(() -> {
            Optional<Node> root = reader.compose(yaml);
            if (root.isPresent() && !isNull(root.get())) {
                reader.section("", root.get());
            }
            return ConfigRules.complete(reader.values);
        });
    }

    /**
     * Reads one value, without looking at any other key.
     *
     * @param key the key
     * @param yaml its value
     * @return the value
     * @throws ConfigException when it is not of the key's kind
     */
    public static Object readValue(ConfigKey key, String yaml) {
        ConfigReader reader = new ConfigReader(null, Path.of(""));
        return reader.located(() -> {
            Node node = reader.compose(yaml)
                    .orElseThrow(() -> new ConfigProblem(key.path(), "nothing", key.allowed()));
            return reader.value(key, node);
        });
    }

    /**
     * Something that may meet a problem.
     *
     * @param <T> what it brings
     */
    private interface Step<T> {
        T run() throws ConfigProblem;
    }

    private <T> T located(Step<T> step) {
        try {
            return step.run();
        } catch (ConfigProblem problem) {
            int line = lineOf(problem.key());
            throw new ConfigException(file, line, problem.key(), problem.found(), problem.allowed(), null);
        }
    }

    /** The line of a key, or of the nearest block around it that has one. */
    private int lineOf(String key) {
        String place = key;
        while (!lines.containsKey(place) && place.contains(".")) {
            place = place.substring(0, place.lastIndexOf('.'));
        }
        return lines.getOrDefault(place, 0);
    }

    private Optional<Node> compose(String yaml) {
        try {
            requireShallow(yaml);
            return new Compose(SETTINGS).composeString(yaml);
        } catch (MarkedYamlEngineException bad) {
            int line = bad.getProblemMark().map(mark -> mark.getLine() + 1).orElse(0);
            throw new ConfigException(file, line, "", broken(bad.getProblem()), WELL_FORMED, bad);
        } catch (YamlEngineException bad) {
            throw new ConfigException(file, 0, "", broken(bad.getMessage()), WELL_FORMED, bad);
        }
    }

    private static String broken(String problem) {
        return "broken YAML (" + problem + ")";
    }

    /** Composing goes one call deeper with each block, so how deep blocks lie is counted first, without that. */
    private void requireShallow(String yaml) {
        int depth = 0;
        for (Event event : new Parse(SETTINGS).parseString(yaml)) {
            if (event instanceof CollectionStartEvent && ++depth > DEPTH_MAX) {
                int line = event.getStartMark().map(mark -> mark.getLine() + 1).orElse(0);
                throw new ConfigException(file, line, "", "blocks more than " + DEPTH_MAX + " deep in each other", WELL_FORMED,
                        null);
            }
            depth -= event instanceof CollectionEndEvent ? 1 : 0;
        }
    }

    /** Reads the keys below {@code prefix}, which is empty or ends in a dot. */
    private void section(String prefix, Node node) throws ConfigProblem {
        for (Map.Entry<String, Node> entry : fields(prefix, node, "keys such as arena: and transport:").entrySet()) {
            String path = prefix + entry.getKey();
            ConfigKey key = ConfigKey.BY_PATH.get(path);
            if (key != null) {
                values.put(path, value(key, entry.getValue()));
            } else if (isSection(path)) {
                if (!isNull(entry.getValue())) {
                    section(path + ".", entry.getValue());
                }
            } else {
                throw unknown(prefix, entry.getKey());
            }
        }
    }

    /** How a dotted name is written as YAML. */
    private static String nested(String path) {
        if (!ConfigKey.BY_PATH.containsKey(path)) {
            return "one key below the other, as in arena: {capacity: 256000}";
        }
        int dot = path.indexOf('.');
        return "one key below the other, " + path.substring(0, dot) + ": {" + path.substring(dot + 1) + ": ...}";
    }

    private static boolean isSection(String path) {
        return ConfigKey.BY_PATH.keySet().stream().anyMatch(known -> known.startsWith(path + "."));
    }

    private static ConfigProblem unknown(String prefix, String name) {
        TreeSet<String> siblings = new TreeSet<>();
        for (String path : ConfigKey.BY_PATH.keySet()) {
            if (path.startsWith(prefix)) {
                siblings.add(path.substring(prefix.length()).split("\\.", 2)[0]);
            }
        }
        return unknown(prefix, name, siblings);
    }

    private static ConfigProblem unknown(String prefix, String name, Iterable<String> known) {
        if (prefix.startsWith(SECRETS) && name.length() > NAME_SHOWN_MAX) {
            return new ConfigProblem(prefix.substring(0, prefix.length() - 1), "an unknown key of " + name.length()
                    + " characters", "one of " + String.join(", ", known));
        }
        String hint = Nearest.of(name, known).map(near -> " (did you mean " + near + "?)").orElse("");
        return new ConfigProblem(prefix + name, "an unknown key" + hint, "one of " + String.join(", ", known));
    }

    /** The fields of a mapping; a key that is no text or occurs twice is refused. */
    private Map<String, Node> fields(String prefix, Node node, String allowed) throws ConfigProblem {
        String place = prefix.isEmpty() ? "" : prefix.substring(0, prefix.length() - 1);
        lines.putIfAbsent(place, line(node));
        if (!(node instanceof MappingNode mapping)) {
            throw new ConfigProblem(place, describe(place, node), allowed);
        }
        Map<String, Node> fields = new LinkedHashMap<>();
        for (NodeTuple tuple : mapping.getValue()) {
            if (!(tuple.getKeyNode() instanceof ScalarNode name)) {
                throw new ConfigProblem(place, "a key that is " + describe(tuple.getKeyNode()), allowed);
            }
            lines.put(prefix + name.getValue(), line(name));
            if (name.getValue().contains(".") && !prefix.startsWith(SECRETS)) {
                throw new ConfigProblem(prefix + name.getValue(), "an unknown key: a name with a dot",
                        nested(prefix + name.getValue()));
            }
            if (fields.put(name.getValue(), tuple.getValueNode()) != null) {
                throw new ConfigProblem(prefix + name.getValue(), "the same key a second time", "each key once");
            }
        }
        return fields;
    }

    private Object value(ConfigKey key, Node node) throws ConfigProblem {
        String path = key.path();
        return switch (key.kind()) {
            case WHOLE, POWER_OF_TWO -> whole(path, node, key.allowed());
            case FRACTION -> fraction(path, node, key.allowed());
            case FLAG -> flag(path, node, key.allowed());
            // A choice may be spelled `true`; YAML takes that for a flag, and the word is what counts.
            case CHOICE -> scalar(path, node, key.allowed()).getValue();
            case NAME, LABEL, ADDRESS -> text(path, node, key.allowed());
            case FOLDER -> folder(path, node, key.allowed());
            case FILE, RECORD -> file(path, node, key.allowed());
            case DURATION -> Durations.parse(scalar(path, node, key.allowed()).getValue())
                    .orElseThrow(() -> new ConfigProblem(path, describe(path, node), key.allowed()));
            case CORES -> cores(path, node, key.allowed());
            case TENANTS -> tenants(path, node, key.allowed());
            case CERTIFICATE -> certificate(path, node, key.allowed());
            case AUTH -> auth(path, node, key.allowed());
        };
    }

    private ScalarNode scalar(String path, Node node, String allowed) throws ConfigProblem {
        lines.putIfAbsent(path, line(node));
        if (node instanceof ScalarNode scalar && !isNull(node)) {
            return scalar;
        }
        throw new ConfigProblem(path, describe(path, node), allowed);
    }

    private String text(String path, Node node, String allowed) throws ConfigProblem {
        ScalarNode scalar = scalar(path, node, allowed);
        if (!scalar.getTag().equals(Tag.STR)) {
            throw new ConfigProblem(path, describe(path, node), allowed + " (quote it to make it text)");
        }
        return scalar.getValue();
    }

    private Long whole(String path, Node node, String allowed) throws ConfigProblem {
        ScalarNode scalar = scalar(path, node, allowed);
        if (!scalar.getTag().equals(Tag.INT)) {
            throw new ConfigProblem(path, describe(path, node), allowed);
        }
        try {
            return Long.valueOf(scalar.getValue());
        } catch (NumberFormatException tooLong) {
            throw new ConfigProblem(path, describe(path, node), allowed);
        }
    }

    private Double fraction(String path, Node node, String allowed) throws ConfigProblem {
        ScalarNode scalar = scalar(path, node, allowed);
        boolean number = scalar.getTag().equals(Tag.INT) || scalar.getTag().equals(Tag.FLOAT);
        try {
            if (number) {
                return Double.valueOf(scalar.getValue());
            }
        } catch (NumberFormatException special) {
            // YAML's .inf and .nan are numbers to it and not to Java; neither is allowed anyway.
            number = false;
        }
        throw new ConfigProblem(path, describe(path, node), allowed);
    }

    private Boolean flag(String path, Node node, String allowed) throws ConfigProblem {
        ScalarNode scalar = scalar(path, node, allowed);
        String word = scalar.getValue().toLowerCase(Locale.ROOT);
        // A tag that is written out, such as !!bool, goes before any word.
        if (!scalar.getTag().equals(Tag.BOOL) || !List.of("true", "false").contains(word)) {
            throw new ConfigProblem(path, describe(path, node), allowed);
        }
        return Boolean.valueOf(word);
    }

    private List<Node> items(String path, Node node, String allowed) throws ConfigProblem {
        lines.putIfAbsent(path, line(node));
        if (node instanceof SequenceNode sequence) {
            return sequence.getValue();
        }
        throw new ConfigProblem(path, describe(path, node), allowed);
    }

    private List<Long> cores(String path, Node node, String allowed) throws ConfigProblem {
        List<Long> cores = new ArrayList<>();
        for (Node item : items(path, node, allowed)) {
            cores.add(whole(path, item, allowed));
        }
        return List.copyOf(cores);
    }

    private List<Tenant> tenants(String path, Node node, String allowed) throws ConfigProblem {
        List<Tenant> tenants = new ArrayList<>();
        for (Node item : items(path, node, allowed)) {
            String prefix = path + "." + tenants.size() + ".";
            Map<String, Node> fields = fields(prefix, item, allowed);
            only(prefix, fields, List.of("id", "guaranteed_slots", "slots_max"));
            tenants.add(new Tenant(
                    unsigned(prefix + "id", required(prefix, fields, "id", "a number from 1"), 1),
                    count(prefix + "guaranteed_slots", fields.get("guaranteed_slots"), 0, 0),
                    count(prefix + "slots_max", fields.get("slots_max"), 1, Tenant.WHOLE_CAPACITY)));
        }
        return List.copyOf(tenants);
    }

    private int unsigned(String path, Node node, long min) throws ConfigProblem {
        String allowed = "a whole number from " + min + " to 4294967295";
        long number = whole(path, node, allowed);
        if (number < min || number > 0xffff_ffffL) {
            throw new ConfigProblem(path, describe(path, node), allowed);
        }
        return (int) number;
    }

    private int count(String path, Node node, int min, int absent) throws ConfigProblem {
        if (node == null) {
            return absent;
        }
        String allowed = "a whole number from " + min + " to arena.capacity";
        long number = whole(path, node, allowed);
        if (number < min || number > Integer.MAX_VALUE) {
            throw new ConfigProblem(path, Long.toString(number), allowed);
        }
        return (int) number;
    }

    private Optional<CertificateFiles> certificate(String path, Node node, String allowed) throws ConfigProblem {
        lines.putIfAbsent(path, line(node));
        if (node instanceof ScalarNode word) {
            if (word.getValue().equals("self_signed")) {
                return Optional.empty();
            }
            throw new ConfigProblem(path, describe(path, node), allowed);
        }
        String prefix = path + ".";
        Map<String, Node> fields = fields(prefix, node, allowed);
        only(prefix, fields, List.of("certificate_file", "key_file"));
        return Optional.of(new CertificateFiles(
                file(prefix, fields, "certificate_file"), file(prefix, fields, "key_file")));
    }

    private Path file(String prefix, Map<String, Node> fields, String name) throws ConfigProblem {
        String allowed = "the path of a PEM file";
        String text = text(prefix + name, required(prefix, fields, name, allowed), allowed);
        return base.resolve(ConfigRules.path(prefix + name, text, allowed)).toAbsolutePath().normalize();
    }

    private String folder(String path, Node node, String allowed) throws ConfigProblem {
        String text = text(path, node, allowed);
        Path folder = ConfigRules.path(path, text, allowed);
        return folder.isAbsolute() ? text : base.resolve(folder).toAbsolutePath().normalize().toString();
    }

    private String file(String path, Node node, String allowed) throws ConfigProblem {
        String text = text(path, node, allowed);
        return text.isEmpty() ? "" : base.resolve(ConfigRules.path(path, text, allowed)).toAbsolutePath().normalize().toString();
    }

    private List<TokenKey> auth(String path, Node node, String allowed) throws ConfigProblem {
        lines.putIfAbsent(path, line(node));
        if (node instanceof ScalarNode word) {
            if (word.getValue().equals("none")) {
                return List.of();
            }
            throw new ConfigProblem(path, describe(path, node), allowed);
        }
        String prefix = path + ".";
        Map<String, Node> fields = fields(prefix, node, allowed);
        only(prefix, fields, List.of("keys"));
        String list = prefix + "keys";
        List<TokenKey> keys = new ArrayList<>();
        for (Node item : items(list, required(prefix, fields, "keys", allowed), allowed)) {
            String place = list + "." + keys.size() + ".";
            Map<String, Node> key = fields(place, item, allowed);
            only(place, key, List.of("id", "secret_hex"));
            ScalarNode secret = scalar(place + "secret_hex", required(place, key, "secret_hex", ConfigRules.SECRET_ALLOWED),
                    ConfigRules.SECRET_ALLOWED);
            keys.add(new TokenKey(
                    unsigned(place + "id", required(place, key, "id", "a whole number"), 0), secret.getValue()));
        }
        if (keys.isEmpty()) {
            throw new ConfigProblem(list, "an empty list", allowed);
        }
        return List.copyOf(keys);
    }

    private static void only(String prefix, Map<String, Node> fields, List<String> known) throws ConfigProblem {
        for (String name : fields.keySet()) {
            if (!known.contains(name)) {
                throw unknown(prefix, name, known);
            }
        }
    }

    private static Node required(String prefix, Map<String, Node> fields, String name, String allowed) throws ConfigProblem {
        Node node = fields.get(name);
        if (node == null) {
            throw new ConfigProblem(prefix + name, "nothing", allowed);
        }
        return node;
    }

    private static boolean isNull(Node node) {
        return node.getTag().equals(Tag.NULL);
    }

    private static int line(Node node) {
        return node.getStartMark().map(mark -> mark.getLine() + 1).orElse(0);
    }

    private static String describe(String path, Node node) {
        if (path.startsWith(SECRETS) && node instanceof ScalarNode scalar && !isNull(node)) {
            return "a value of " + scalar.getValue().length() + " characters, not shown because it may be a secret";
        }
        return describe(node);
    }

    private static String describe(Node node) {
        return switch (node) {
            case MappingNode _ -> "a block of keys";
            case SequenceNode _ -> "a list";
            case ScalarNode scalar when isNull(scalar) -> "nothing";
            case ScalarNode scalar when scalar.getTag().equals(Tag.STR) -> "the text \"" + scalar.getValue() + "\"";
            case ScalarNode scalar -> scalar.getValue();
            default -> "something else";
        };
    }
}
