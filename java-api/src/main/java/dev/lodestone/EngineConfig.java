package dev.lodestone;

import dev.lodestone.internal.ConfigKey;
import dev.lodestone.internal.ConfigProblem;
import dev.lodestone.internal.ConfigReader;
import dev.lodestone.internal.ConfigRules;
import dev.lodestone.internal.ConfigWriter;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * A complete, checked configuration. Immutable; any thread.
 *
 * <p>It comes from an {@code arena-runtime-config.yaml} file, from a {@link #builder()}, or is the {@link #defaults()}. Keys
 * that are not given have their default; unknown keys, wrong types and values out of range are refused with a
 * {@link ConfigException} that names file, line, key, what was found and what is allowed. The file of the defaults, with a
 * comment on every key, is the resource {@code dev/lodestone/arena-runtime-config.yaml}.
 */
public final class EngineConfig {
    /** Largest configuration file that is read, bytes. */
    private static final int FILE_BYTES_MAX = 1 << 20;

    private final Map<String, Object> values;

    private EngineConfig(Map<String, Object> values) {
        this.values = values;
    }

    /**
     * Reads a YAML file. Relative paths in it are relative to its folder.
     *
     * @param file the file, UTF-8
     * @return the configuration
     * @throws ConfigException when the file cannot be read or something in it is refused
     */
    public static EngineConfig load(Path file) {
        return new EngineConfig(ConfigReader.read(text(Objects.requireNonNull(file, "file")), file));
    }

    private static String text(Path file) {
        String allowed = "a readable UTF-8 file of at most " + FILE_BYTES_MAX + " bytes";
        try {
            BasicFileAttributes about = Files.readAttributes(file, BasicFileAttributes.class);
            if (!about.isRegularFile()) {
                // Devices and pipes may never end, or never begin.
                String found = about.isDirectory() ? "a folder" : "a device, a pipe or a socket";
                throw new ConfigException(file, 0, "", found, allowed, null);
            }
            try (InputStream in = Files.newInputStream(file)) {
                // Whatever size the system tells: no more than this is read.
                byte[] bytes = in.readNBytes(FILE_BYTES_MAX + 1);
                if (bytes.length > FILE_BYTES_MAX) {
                    throw new ConfigException(file, 0, "", "more than " + FILE_BYTES_MAX + " bytes", allowed, null);
                }
                return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
            }
        } catch (CharacterCodingException bad) {
            throw new ConfigException(file, 0, "", "bytes that are not UTF-8", allowed, bad);
        } catch (IOException bad) {
            throw new ConfigException(file, 0, "", "no readable file (" + bad + ")", allowed, bad);
        }
    }

    /**
     * Reads YAML text. Relative paths in it are relative to the working folder.
     *
     * @param yaml the text
     * @return the configuration
     * @throws ConfigException when something in it is refused
     */
    public static EngineConfig parse(String yaml) {
        return new EngineConfig(ConfigReader.read(Objects.requireNonNull(yaml, "yaml"), null));
    }

    /**
     * The default of every key.
     *
     * @return the configuration
     */
    public static EngineConfig defaults() {
        return builder().build();
    }

    /**
     * Starts from the defaults.
     *
     * @return a builder
     */
    public static Builder builder() {
        return new Builder(Map.of());
    }

    /**
     * Starts from this configuration.
     *
     * @return a builder
     */
    public Builder toBuilder() {
        return new Builder(values);
    }

    /**
     * The effective configuration as YAML, every key. Loading it gives an equal configuration. It holds the token secrets:
     * do not log it.
     *
     * @return the text
     */
    public String toYaml() {
        return ConfigWriter.yaml(values);
    }

    /**
     * One value.
     *
     * @param key the key's dotted path, for example {@code arena.capacity}
     * @return the value as YAML, on one line
     * @throws IllegalArgumentException when there is no such key
     */
    public String value(String key) {
        return ConfigWriter.yaml(Builder.known(key), values.get(key));
    }

    /**
     * {@code transport.listen}.
     *
     * @return host:port
     */
    public String listen() {
        return (String) values.get("transport.listen");
    }

    /**
     * {@code arena.capacity}.
     *
     * @return number of slots
     */
    public int arenaCapacity() {
        return (int) whole("arena.capacity");
    }

    /**
     * {@code graph.nodes_max}.
     *
     * @return number of nodes; the highest node is one less
     */
    public long nodesMax() {
        return whole("graph.nodes_max");
    }

    /**
     * {@code rollback.sla_ms}.
     *
     * @return the time that a rollback may take
     */
    public Duration rollbackSla() {
        return Duration.ofMillis(whole("rollback.sla_ms"));
    }

    /**
     * {@code transport.certificate}.
     *
     * @return the files, empty when the engine makes a certificate of its own at start
     */
    public Optional<CertificateFiles> certificate() {
        return ((Optional<?>) values.get("transport.certificate")).map(CertificateFiles.class::cast);
    }

    /**
     * {@code transport.auth}.
     *
     * @return the keys that sign tokens, empty when no tokens are asked for
     */
    public List<TokenKey> tokenKeys() {
        return ((List<?>) values.get("transport.auth")).stream().map(TokenKey.class::cast).toList();
    }

    /**
     * {@code arena.tenants}.
     *
     * @return the tenants with a share of their own
     */
    public List<Tenant> tenants() {
        return ((List<?>) values.get("arena.tenants")).stream().map(Tenant.class::cast).toList();
    }

    long whole(String key) {
        return (Long) values.get(key);
    }

    boolean flag(String key) {
        return (Boolean) values.get(key);
    }

    Duration duration(String key) {
        return (Duration) values.get(key);
    }

    /** The lines that the data plane reads. */
    String toFlatText() {
        return ConfigWriter.flat(values);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof EngineConfig config && values.equals(config.values);
    }

    @Override
    public int hashCode() {
        return values.hashCode();
    }

    /**
     * The effective configuration without secrets.
     *
     * @return text that is safe in a log
     */
    @Override
    public String toString() {
        return "EngineConfig" + values;
    }

    /** Collects values; {@link #build()} checks them all. Not for several threads at once. */
    public static final class Builder {
        private final Map<String, Object> values;

        private Builder(Map<String, Object> values) {
            this.values = new HashMap<>(values);
        }

        private static ConfigKey known(String key) {
            ConfigKey known = ConfigKey.BY_PATH.get(Objects.requireNonNull(key, "key"));
            if (known == null) {
                throw new IllegalArgumentException("no such key: " + key);
            }
            return known;
        }

        /**
         * Sets any key.
         *
         * @param key its dotted path, for example {@code arena.tenants}
         * @param yaml its value as YAML, for example {@code [{id: 1, guaranteed_slots: 1000}]}
         * @return this builder
         * @throws IllegalArgumentException when there is no such key
         * @throws ConfigException when the value is not of the key's kind
         */
        public Builder set(String key, String yaml) {
            values.put(key, ConfigReader.readValue(known(key), Objects.requireNonNull(yaml, "yaml")));
            return this;
        }

        /**
         * Sets a whole number.
         *
         * @param key the key's dotted path, for example {@code arena.capacity}
         * @param value the number
         * @return this builder
         * @throws IllegalArgumentException when there is no such key
         * @throws ConfigException when the key does not take a number
         */
        public Builder set(String key, long value) {
            return set(key, Long.toString(value));
        }

        /**
         * Sets {@code transport.listen}.
         *
         * @param address host:port; port 0 means any free one
         * @return this builder
         */
        public Builder listen(String address) {
            values.put("transport.listen", Objects.requireNonNull(address, "address"));
            return this;
        }

        /**
         * Sets {@code arena.capacity}.
         *
         * @param slots number of slots
         * @return this builder
         */
        public Builder arenaCapacity(int slots) {
            values.put("arena.capacity", (long) slots);
            return this;
        }

        /**
         * Sets {@code graph.nodes_max}.
         *
         * @param nodes number of nodes
         * @return this builder
         */
        public Builder nodesMax(long nodes) {
            values.put("graph.nodes_max", nodes);
            return this;
        }

        /**
         * Sets {@code transport.certificate} to files.
         *
         * @param files certificate and key
         * @return this builder
         */
        public Builder certificate(CertificateFiles files) {
            Objects.requireNonNull(files, "files");
            values.put("transport.certificate", Optional.of(new CertificateFiles(
                    files.certificateFile().toAbsolutePath(), files.keyFile().toAbsolutePath())));
            return this;
        }

        /**
         * Adds a key to {@code transport.auth}: from now on clients need a token.
         *
         * @param key the key
         * @return this builder
         */
        public Builder tokenKey(TokenKey key) {
            return add("transport.auth", Objects.requireNonNull(key, "key"));
        }

        /**
         * Sets all keys of {@code transport.auth} at once, for example {@link TokenIssuer#keys()}.
         *
         * @param keys the keys; none: clients need no token
         * @return this builder
         */
        public Builder tokenKeys(List<TokenKey> keys) {
            values.put("transport.auth", List.copyOf(keys));
            return this;
        }

        /**
         * Adds a tenant to {@code arena.tenants}.
         *
         * @param tenant the tenant
         * @return this builder
         */
        public Builder tenant(Tenant tenant) {
            return add("arena.tenants", Objects.requireNonNull(tenant, "tenant"));
        }

        private Builder add(String key, Object item) {
            List<Object> items = new ArrayList<>((List<?>) values.getOrDefault(key, List.of()));
            items.add(item);
            values.put(key, List.copyOf(items));
            return this;
        }

        /**
         * Checks everything.
         *
         * @return the configuration
         * @throws ConfigException when a value is refused
         */
        public EngineConfig build() {
            try {
                return new EngineConfig(ConfigRules.complete(values));
            } catch (ConfigProblem bad) {
                throw new ConfigException(null, 0, bad.key(), bad.found(), bad.allowed(), null);
            }
        }
    }
}
