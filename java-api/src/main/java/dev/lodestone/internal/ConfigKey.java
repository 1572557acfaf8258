package dev.lodestone.internal;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One key of the configuration: its path, its default and what it allows. {@link #ALL} is the whole table.
 *
 * @param path dotted path, as in the YAML file
 * @param kind what sort of value it takes
 * @param standard the default
 * @param min lowest number allowed
 * @param max highest number allowed
 * @param choices the words allowed, for {@link Kind#CHOICE}
 */
public record ConfigKey(String path, Kind kind, Object standard, long min, long max, List<String> choices) {
    /** Sorts of values, with the Java type that holds them. */
    public enum Kind {
        /** A whole number: Long. */
        WHOLE,
        /** A whole number that is a power of two: Long. */
        POWER_OF_TWO,
        /** A number from 0 to 1: Double. */
        FRACTION,
        /** true or false: Boolean. */
        FLAG,
        /** One of a few words: String. */
        CHOICE,
        /** A name for threads: String. */
        NAME,
        /** What a server is called, or "" for what it derives: String. */
        LABEL,
        /** host:port: String. */
        ADDRESS,
        /** A time with its unit: Duration. */
        DURATION,
        /** A folder that exists: String. */
        FOLDER,
        /** A file that exists, or "" for none: String. */
        FILE,
        /** A file that is made in a folder that exists, or "" for none: String. */
        RECORD,
        /** Processor core numbers: List of Long. */
        CORES,
        /** Tenants of the slot arena: List of Tenant. */
        TENANTS,
        /** self_signed or files: Optional of CertificateFiles. */
        CERTIFICATE,
        /** none or keys: List of TokenKey. */
        AUTH
    }

    /** Longest time that a duration may have. */
    static final Duration DURATION_MAX = Duration.ofHours(24);
    /** Shortest time that a duration may have. */
    static final Duration DURATION_MIN = Duration.ofMillis(100);
    /** Most tenants with a share of their own. */
    static final int TENANTS_MAX = 255;
    /** Most token keys. */
    static final int TOKEN_KEYS_MAX = 16;
    /** Fewest bytes of a token key's secret. */
    static final int SECRET_BYTES_MIN = 32;
    /** Most bytes of a token key's secret. */
    static final int SECRET_BYTES_MAX = 1_024;
    /** Most edges of a graph whose routes the engine thread finds. */
    static final long INLINE_EDGES_MAX = 1_000_000;
    /** Most bytes of labels of watched sources. */
    static final long WATCHED_BYTES_MAX = 16L << 30;
    /** Highest core number that can be asked for. */
    static final long CORE_MAX = 1_023;

    /** Every key, in the order of the file. */
    public static final List<ConfigKey> ALL = List.of(
            choice("runtime.hot_path", "native_arena"),
            choice("runtime.gc_managed_layer", "control_plane"),
            whole("runtime.worker_threads", 0, 0, 256),
            whole("runtime.max_blocking_threads", 4, 1, 512),
            of("runtime.thread_name", Kind.NAME, "lodestone"),
            of("runtime.pin_cores", Kind.CORES, List.of()),
            choice("runtime.idle_strategy", "park", "yield", "busy_spin"),
            choice("runtime.shared_region", "file", "anonymous"),
            of("runtime.shared_region_directory", Kind.FOLDER, "/dev/shm"),
            whole("arena.capacity", 256_000, 1, 16_777_216),
            whole("arena.slot_size_bytes", 256, 256, 256),
            of("arena.preallocate", Kind.FLAG, true),
            of("arena.fragmentation_threshold", Kind.FRACTION, 0.05),
            whole("arena.bump_mib", 64, 1, 4_096),
            of("arena.tenants", Kind.TENANTS, List.of()),
            whole("graph.nodes_max", 1_000_000, 2, 134_217_728),
            whole("graph.edges_max", 4_000_000, 1, 200_000_000),
            choice("graph.pathfinder", "thread", "inline"),
            whole("graph.route_budget", 4_000_000, 1, 1L << 32),
            whole("graph.route_queue", 1_024, 1, 65_536),
            whole("graph.watches_max", 4, 0, 64),
            whole("graph.watch_budget", 50_000, 1, 1L << 32),
            whole("bridge.lanes", 4, 1, 64),
            powerOfTwo("bridge.lane_kib", 64, 4, 16_384),
            powerOfTwo("bridge.ring_kib", 1_024, 4, 65_536),
            choice("log.level", "info", "off", "error", "warn", "debug", "trace"),
            powerOfTwo("log.ring_kib", 512, 4, 16_384),
            choice("fanout.policy", "own", "all", "granted", "none"),
            whole("fanout.subscriptions_max", 65_536, 0, 1L << 26),
            whole("fanout.session_subscriptions_max", 1_024, 1, 1L << 26),
            whole("rollback.window_mib", 128, 1, 65_536),
            whole("rollback.sla_ms", 200, 1, 60_000),
            of("rollback.verify", Kind.FLAG, false),
            choice("transport.protocol", "quic"),
            of("transport.listen", Kind.ADDRESS, "127.0.0.1:4433"),
            of("transport.server_id", Kind.LABEL, ""),
            whole("transport.sockets", 0, 0, 64),
            choice("transport.zero_copy", "true"),
            whole("transport.stream_multiplexing", 128, 128, 4_096),
            whole("transport.tls_handshake_target_ms", 3, 1, 60_000),
            of("transport.certificate", Kind.CERTIFICATE, Optional.empty()),
            choice("transport.client_certificates", "off", "optional", "required"),
            of("transport.client_ca_file", Kind.FILE, ""),
            of("transport.auth", Kind.AUTH, List.of()),
            of("transport.revocations_file", Kind.RECORD, ""),
            whole("transport.slow_consumer_ms", 30_000, 100, 600_000),
            whole("transport.connections_max", 60_000, 1, 1_000_000),
            whole("transport.channel_batches", 1_024, 1, 65_536),
            whole("transport.answer_buffer_kib", 64, 40, 4_096),
            whole("transport.idle_timeout_ms", 30_000, 1_000, 600_000),
            whole("transport.handshake_timeout_ms", 10_000, 100, 600_000),
            whole("transport.retry_handshakes", 256, 0, 1_000_000),
            whole("transport.handshakes_max", 4_096, 1, 1_000_000),
            whole("transport.address_connections_max", 1_000, 0, 1_000_000),
            whole("transport.address_handshakes_per_second", 100, 0, 1_000_000),
            of("transport.limit_loopback", Kind.FLAG, false),
            whole("transport.session_moves_per_second", 0, 0, 100_000_000),
            whole("transport.session_kib_per_second", 0, 0, 100_000_000),
            whole("transport.session_streams_per_second", 1_000, 0, 1_000_000),
            choice("transport.stream_credit", "at_welcome", "on_use"),
            of("transport.migration", Kind.FLAG, true),
            whole("transport.receive_buffer_kib", 4_096, 64, 65_536),
            of("monitoring.heap_profile_interval", Kind.DURATION, Duration.ofSeconds(30)),
            whole("monitoring.gc_pause_alert_ms", 5, 1, 60_000),
            of("monitoring.rss_flatness_window", Kind.DURATION, Duration.ofMinutes(5)),
            whole("monitoring.rollback_sla_ms", 200, 1, 60_000),
            of("ci_native_integration", Kind.FLAG, true),
            whole("testing.panic_at_revision", 0, 0, Long.MAX_VALUE),
            of("testing.rollback_verify_fails", Kind.FLAG, false));

    /** Every key by its path, in the order of the file. */
    public static final Map<String, ConfigKey> BY_PATH = byPath();

    private static ConfigKey whole(String path, long standard, long min, long max) {
        return new ConfigKey(path, Kind.WHOLE, standard, min, max, List.of());
    }

    private static ConfigKey powerOfTwo(String path, long standard, long min, long max) {
        return new ConfigKey(path, Kind.POWER_OF_TWO, standard, min, max, List.of());
    }

    private static ConfigKey choice(String path, String... choices) {
        return new ConfigKey(path, Kind.CHOICE, choices[0], 0, 0, List.of(choices));
    }

    private static ConfigKey of(String path, Kind kind, Object standard) {
        return new ConfigKey(path, kind, standard, 0, 0, List.of());
    }

    private static Map<String, ConfigKey> byPath() {
        Map<String, ConfigKey> keys = new LinkedHashMap<>();
        ALL.forEach(key -> keys.put(key.path, key));
        return keys;
    }

    /**
     * What the key allows, in words.
     *
     * @return one line
     */
    public String allowed() {
        return switch (kind) {
            case WHOLE -> min == max ? "only " + min : "a whole number from " + min + " to " + max;
            case POWER_OF_TWO -> "a power of two from " + min + " to " + max;
            case FRACTION -> "a number from 0.0 to 1.0";
            case FLAG -> "true or false";
            case CHOICE -> choices.size() == 1 ? "only " + choices.getFirst() : String.join(", ", choices);
            case NAME -> "1 to 12 characters of a-z, 0-9 and -";
            case LABEL -> "\"\", or 1 to 64 of a-z, A-Z, 0-9, -, ., _ and :";
            case ADDRESS -> "host:port, for example 127.0.0.1:4433 (port 0: any free one)";
            case DURATION -> "a time with its unit, from 100ms to 24h, for example 500ms, 30s, 5m, 1h";
            case FOLDER -> "a folder that exists";
            case FILE -> "a file that exists and can be read, or \"\" for none";
            case RECORD -> "a file in a folder that exists, or \"\" for none";
            case CORES -> "a list of at most two different core numbers from 0 to " + CORE_MAX + ", for example [2, 3]";
            case TENANTS -> "a list of {id, guaranteed_slots, slots_max}, at most " + TENANTS_MAX;
            case CERTIFICATE -> "self_signed, or {certificate_file: PEM, key_file: PEM}";
            case AUTH -> "none, or {keys: [{id: number, secret_hex: digits}, ...]} with 1 to " + TOKEN_KEYS_MAX + " keys";
        };
    }
}
