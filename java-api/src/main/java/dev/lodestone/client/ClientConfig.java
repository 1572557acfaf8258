package dev.lodestone.client;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Executor;

/** How a {@link LodestoneClient} reaches its server, and as whom. Immutable; any thread. */
public final class ClientConfig {
    private static final int IN_FLIGHT_LIMIT = 65_536;
    private static final int UPDATES_LIMIT = 1 << 20;
    private static final Duration TIME_MAX = Duration.ofDays(1);

    private final Map<String, String> settings;
    private final int inFlightMax;
    private final Duration requestTimeout;
    private final Executor executor;

    private ClientConfig(Builder builder) {
        this.settings = Map.copyOf(builder.settings);
        this.inFlightMax = builder.inFlightMax;
        this.requestTimeout = builder.requestTimeout;
        this.executor = builder.executor;
    }

    /**
     * Starts a configuration.
     *
     * @param address host:port of the server (UDP)
     * @return a builder, to be told whom to trust
     */
    public static Builder to(String address) {
        return new Builder(Objects.requireNonNull(address, "address"));
    }

    /** The lines that the native library reads. */
    String text() {
        StringBuilder text = new StringBuilder();
        settings.forEach((key, value) -> text.append(key).append('=').append(value).append('\n'));
        return text.toString();
    }

    /**
     * Requests that may be under way at once.
     *
     * @return the number
     */
    public int inFlightMax() {
        return inFlightMax;
    }

    /**
     * How long a blocking call waits for its answer.
     *
     * @return the time
     */
    public Duration requestTimeout() {
        return requestTimeout;
    }

    Executor executor() {
        return executor;
    }

    /**
     * The configuration without secrets.
     *
     * @return text that is safe in a log
     */
    @Override
    public String toString() {
        return "ClientConfig[" + settings.get("address") + ", inFlightMax=" + inFlightMax + "]";
    }

    /** Collects settings. Not for several threads at once. */
    public static final class Builder {
        private final Map<String, String> settings = new LinkedHashMap<>();
        private int inFlightMax = 1_024;
        private Duration requestTimeout = Duration.ofSeconds(30);
        private Executor executor = Runnable::run;

        private Builder(String address) {
            settings.put("address", oneLine("address", address));
        }

        private static String oneLine(String name, String value) {
            if (value.chars().anyMatch(Character::isISOControl)) {
                throw new IllegalArgumentException(name + " has control characters");
            }
            return value;
        }

        private static String hex(String pem) {
            return HexFormat.of().formatHex(pem.getBytes(StandardCharsets.UTF_8));
        }

        private static String text(Path file) {
            try {
                return Files.readString(file);
            } catch (IOException unreadable) {
                throw new IllegalArgumentException("cannot read " + file + ": " + unreadable, unreadable);
            }
        }

        private Builder time(String key, Duration time, Duration shortest) {
            if (time.compareTo(shortest) < 0 || time.compareTo(TIME_MAX) > 0) {
                throw new IllegalArgumentException(key + " " + time + " is not from " + shortest + " to " + TIME_MAX);
            }
            settings.put(key, Long.toString(time.toMillis()));
            return this;
        }

        /**
         * Trusts the certificates in PEM text: the server's own, or the authorities that sign for it.
         *
         * @param pem the text
         * @return this builder
         */
        public Builder trustPem(String pem) {
            settings.remove("fingerprint");
            settings.put("trust_pem_hex", hex(pem));
            return this;
        }

        /**
         * Trusts the certificates in a PEM file.
         *
         * @param file the file
         * @return this builder
         * @throws IllegalArgumentException when it cannot be read
         */
        public Builder trustFile(Path file) {
            return trustPem(text(file));
        }

        /**
         * Trusts the one certificate with this SHA-256.
         *
         * @param sha256 64 hexadecimal digits, colons allowed between them
         * @return this builder
         */
        public Builder trustFingerprint(String sha256) {
            settings.remove("trust_pem_hex");
            settings.put("fingerprint", oneLine("fingerprint", sha256));
            return this;
        }

        /**
         * Asks for the server by this name instead of its address; for certificates that an authority has signed.
         *
         * @param name the name in the certificate
         * @return this builder
         */
        public Builder serverName(String name) {
            settings.put("server_name", oneLine("serverName", name));
            return this;
        }

        /**
         * Shows a certificate of the client, to servers that ask for one.
         *
         * @param chainPem the certificate chain, leaf first, PEM text
         * @param keyPem its private key, PEM text
         * @return this builder
         */
        public Builder identityPem(String chainPem, String keyPem) {
            settings.put("identity_pem_hex", hex(chainPem));
            settings.put("identity_key_pem_hex", hex(keyPem));
            return this;
        }

        /**
         * Shows a token, to servers that ask for one.
         *
         * @param token the token, as issued
         * @return this builder
         */
        public Builder token(byte[] token) {
            settings.put("token_hex", HexFormat.of().formatHex(token));
            return this;
        }

        /**
         * Bounds the requests under way.
         *
         * @param requests 1 to 65,536; default 1,024
         * @return this builder
         * @throws IllegalArgumentException when it is out of that range
         */
        public Builder inFlightMax(int requests) {
            if (requests < 1 || requests > IN_FLIGHT_LIMIT) {
                throw new IllegalArgumentException("inFlightMax " + requests + " is not from 1 to " + IN_FLIGHT_LIMIT);
            }
            inFlightMax = requests;
            settings.put("in_flight_max", Integer.toString(requests));
            return this;
        }

        /**
         * Lets the client subscribe to nodes, and bounds the nodes whose news wait to be taken: each with its newest state, in
         * some 350 bytes outside the heap. While so many wait, the client reads no more of the stream of updates, and drops what
         * comes of further nodes by datagram. The server must speak protocol version 2 or 3, as it does unless
         * {@code fanout.subscriptions_max} is 0.
         *
         * @param nodes 0 to 1,048,576; default 0: the client cannot subscribe
         * @return this builder
         * @throws IllegalArgumentException when it is out of that range
         */
        public Builder updatesMax(int nodes) {
            if (nodes < 0 || nodes > UPDATES_LIMIT) {
                throw new IllegalArgumentException("updatesMax " + nodes + " is not from 0 to " + UPDATES_LIMIT);
            }
            settings.put("updates_max", Integer.toString(nodes));
            return this;
        }

        /**
         * How long the answer to a datagram is waited for.
         *
         * @param time 1 ms to a day; default 1 s
         * @return this builder
         * @throws IllegalArgumentException when it is out of that range
         */
        public Builder datagramTimeout(Duration time) {
            return time("datagram_timeout_ms", time, Duration.ofMillis(1));
        }

        /**
         * Bounds the wait of blocking calls.
         *
         * @param time default 30 s
         * @return this builder
         */
        public Builder requestTimeout(Duration time) {
            requestTimeout = Objects.requireNonNull(time, "time");
            return this;
        }

        /**
         * How long a lost connection is tried to be had again before everything under way fails.
         *
         * @param time 0 (not at all) to a day; default 30 s
         * @return this builder
         * @throws IllegalArgumentException when it is out of that range
         */
        public Builder reconnectTimeout(Duration time) {
            return time("reconnect_timeout_ms", time, Duration.ZERO);
        }

        /**
         * How long the first session, and each further one, may take to open.
         *
         * @param time 1 ms to a day; default 10 s
         * @return this builder
         * @throws IllegalArgumentException when it is out of that range
         */
        public Builder connectTimeout(Duration time) {
            return time("connect_timeout_ms", time, Duration.ofMillis(1));
        }

        /**
         * After how long without a sign of life a connection is lost.
         *
         * @param time 100 ms to a day; default 30 s, which is the server's own limit. Less finds a dead path sooner, and takes a
         *     slow one for dead
         * @return this builder
         * @throws IllegalArgumentException when it is out of that range
         */
        public Builder idleTimeout(Duration time) {
            return time("idle_timeout_ms", time, Duration.ofMillis(100));
        }

        /**
         * How often a quiet connection is kept alive.
         *
         * @param time 10 ms to a day, below the idle time-out; default 10 s
         * @return this builder
         * @throws IllegalArgumentException when it is out of that range
         */
        public Builder keepAlive(Duration time) {
            return time("keep_alive_ms", time, Duration.ofMillis(10));
        }

        /**
         * Says that nobody else moves the nodes that this client moves, and that it counts their versions. Then a move that was
         * sent before a connection broke, and that its node's version has passed, is known to have been applied, and never in
         * doubt.
         *
         * @param alone default false
         * @return this builder
         */
        public Builder soleWriter(boolean alone) {
            settings.put("sole_writer", Boolean.toString(alone));
            return this;
        }

        /**
         * Who completes futures, and so runs what depends on them. By default the client's own thread does: what depends on a
         * future must be short then, and must not wait for the client.
         *
         * @param completes the executor; it must run what it is given, sooner or later
         * @return this builder
         */
        public Builder executor(Executor completes) {
            executor = Objects.requireNonNull(completes, "completes");
            return this;
        }

        /**
         * Makes the configuration.
         *
         * @return the configuration
         * @throws IllegalStateException when nobody is trusted: without {@link #trustPem} or {@link #trustFingerprint} any server
         *     could be another one
         */
        public ClientConfig build() {
            if (!settings.containsKey("trust_pem_hex") && !settings.containsKey("fingerprint")) {
                throw new IllegalStateException("tell whom to trust: trustPem, trustFile or trustFingerprint");
            }
            return new ClientConfig(this);
        }
    }
}
