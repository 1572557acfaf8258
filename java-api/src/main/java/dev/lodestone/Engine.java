package dev.lodestone;

import dev.lodestone.internal.Attachment;
import dev.lodestone.internal.LargePages;
import dev.lodestone.internal.LogForwarder;
import dev.lodestone.internal.Monitors;
import dev.lodestone.internal.NativeEngine;
import dev.lodestone.internal.Sleeper;
import java.lang.System.Logger.Level;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;

/**
 * A state engine inside this process that the garbage collector cannot see: it takes moves over QUIC and from Java, holds
 * slots and a live weighted graph, answers routes, and goes back to any recent revision.
 *
 * <pre>{@code
 * try (Engine engine = Engine.open(EngineConfig.defaults())) {
 *     MoveBatch batch = engine.moveBatch(1);
 *     batch.add(1, 2, 0x1_0007, 0);
 *     batch.submit();
 *     SlotReader slot = engine.slotReader();
 *     slot.read(1);
 *     System.out.println(slot.target());
 * }
 * }</pre>
 *
 * <p>Any thread may call; several engines may be open at once. After {@link #close()} every call but {@link #state()} and the
 * plain facts (address, certificate) throws {@link EngineClosedException}, and so do readers still at work. When the engine
 * has failed, calls that change throw {@link EnginePoisonedException} and reading goes on.
 */
public final class Engine extends RegionEngine {
    private static final System.Logger LOGGER = System.getLogger("dev.lodestone");

    private final EngineConfig config;
    private final NativeEngine engine;
    private final Monitors monitors;
    private final LogForwarder log;
    private final Graph graph;
    private final Sessions sessions;
    private final Metrics metrics;
    private EngineConfig identity;

    private Engine(EngineConfig config, NativeEngine engine, Level routine) {
        super(engine.region());
        this.config = config;
        this.identity = config;
        this.engine = engine;
        this.graph = new Graph(engine);
        this.sessions = new Sessions(engine, config.tokenKeys());
        // Its thread ends with the engine, also where nobody has this object to close it; that of the monitors would not.
        this.log = new LogForwarder(region(), LogReader.from(region(), region().generation(), 0), routine);
        this.monitors = new Monitors(new Monitors.Limits(
                config.duration("monitoring.heap_profile_interval"),
                config.whole("monitoring.gc_pause_alert_ms"),
                config.duration("monitoring.rss_flatness_window")), region());
        this.metrics = new Metrics(region(), monitors);
    }

    /**
     * Opens an engine; returns once it takes moves and connections. The {@link System.Logger} {@code dev.lodestone.native} is
     * told what the engine writes into its log: warnings and errors as such, what is routine ({@code INFO}, as in
     * {@link #logs}) as {@code DEBUG}, so that with the settings that Java comes with nothing is printed unless something is
     * wrong. Records of the start are logged on the thread that calls this, before it returns; later ones on a thread of the
     * engine's own.
     *
     * @param config the configuration
     * @return the engine
     * @throws NativeLibraryException when the native library cannot be used
     * @throws ConfigException when the data plane refuses the configuration
     * @throws TransportException when the address is taken or the certificate is bad
     * @throws EngineException when memory or another resource is missing
     */
    public static Engine open(EngineConfig config) {
        return open(config, Level.DEBUG);
    }

    /** As {@link #open(EngineConfig)}, with the level at which what is routine is logged. */
    static Engine open(EngineConfig config, Level routine) {
        Objects.requireNonNull(config, "config");
        NativeEngine opened = NativeEngine.open(config.toFlatText(), config.flag("ci_native_integration"));
        try {
            // Loggers of the application are called here, and may throw: nobody would have the engine to close it then.
            LargePages.tell(LOGGER, routine);
            return new Engine(config, opened, routine);
        } catch (RuntimeException | Error failed) {
            try {
                opened.close();
            } catch (EngineException also) {
                failed.addSuppressed(also);
            }
            throw failed;
        }
    }

    /**
     * Attaches to an engine of another process, as {@link #attach(Path, AttachMode)} with {@link AttachMode#READ_WRITE}.
     *
     * @param region the file of the engine's shared region, or a folder that holds the one of one living engine
     * @return the attached engine
     */
    public static AttachedEngine attach(Path region) {
        return attach(region, AttachMode.READ_WRITE);
    }

    /**
     * Attaches to an engine of another process: {@code lodestoned}, or one that another JVM has opened. No native library is
     * loaded and nothing is asked of that process: its shared region is mapped into this one. Several processes may be
     * attached at once.
     *
     * @param region the file of the engine's shared region, or a folder that holds the one of one living engine
     * @param mode whether the memory may be written; what only reads works with both
     * @return the attached engine
     * @throws AttachException when there is no such file, it may not be read (or written), is no region, is of another layout
     *     version, or is damaged; {@link AttachException#reason()} tells which
     * @throws EngineGoneException when its engine is closed, or its process ended without closing it
     * @throws NativeLibraryException when this JVM denies access to memory outside the heap
     */
    public static AttachedEngine attach(Path region, AttachMode mode) {
        return new AttachedEngine(Attachment.open(Objects.requireNonNull(region, "region"),
                Objects.requireNonNull(mode, "mode") == AttachMode.READ_WRITE));
    }

    /**
     * The configuration that it was opened with.
     *
     * @return the configuration
     */
    public EngineConfig config() {
        return config;
    }

    /**
     * Where QUIC connections are taken.
     *
     * @return the address, with the real port when port 0 was asked for
     */
    public InetSocketAddress quicAddress() {
        return engine.address();
    }

    /**
     * Reads certificate, key and the authorities of clients from their files again and takes them up, all or nothing.
     * Handshakes from here on meet the new ones; clients that are connected stay so. A self-signed certificate stays the same.
     *
     * @throws TransportException when a file cannot be used: the old certificate goes on
     */
    public void reloadIdentity() {
        synchronized (sessions) {
            reloadIdentity(identity);
        }
    }

    /**
     * Takes up {@code transport.certificate}, {@code transport.client_certificates}, {@code transport.client_ca_file} and
     * {@code transport.auth} of another configuration, all or nothing. This is how token keys are exchanged: see
     * {@link TokenIssuer}. Sessions that are open stay so. The other keys are checked, and stay as they were at the opening.
     *
     * @param config where to take them from, usually {@link #config()} with changes
     * @throws TransportException when a file cannot be used: everything goes on as it was
     * @throws ConfigException when the data plane refuses the configuration
     */
    public void reloadIdentity(EngineConfig config) {
        Objects.requireNonNull(config, "config");
        synchronized (sessions) {
            engine.reloadIdentity(config.toFlatText());
            identity = config;
            sessions.keys(config.tokenKeys());
        }
    }

    /**
     * The certificate that clients see.
     *
     * @return PEM text
     */
    public String certificatePem() {
        return engine.certificatePem();
    }

    /**
     * SHA-256 of that certificate (DER).
     *
     * @return 64 hexadecimal digits
     */
    public String certificateFingerprint() {
        return engine.fingerprint();
    }

    @Override
    public Optional<Path> regionPath() {
        return engine.regionPath();
    }

    @Override
    Sleeper sleeper() {
        return Sleeper.EMBEDDED;
    }

    @Override
    StateHash hashOf(long revision) {
        return engine.hash(revision);
    }

    @Override
    long revisionBeforeMs(long ageMs) {
        return engine.revisionBefore(ageMs);
    }

    /**
     * The hash computed anew from the whole state, which takes time during which no move is decided.
     *
     * @return the hash; anything but {@link #stateHash()} of the same revision is a fault of this product
     */
    public StateHash verifyHash() {
        return engine.verifyHash();
    }

    @Override
    public RollbackReport rollback(long revision) {
        RollbackReport report = engine.rollback(revision);
        long limitMs = config.whole("monitoring.rollback_sla_ms");
        if (report.elapsed().compareTo(Duration.ofMillis(limitMs)) > 0) {
            LOGGER.log(Level.WARNING, "a rollback of {0} revisions took {1} ms, more than monitoring.rollback_sla_ms {2}",
                    report.revisions(), report.elapsed().toMillis(), limitMs);
        }
        return report;
    }

    /**
     * Makes a batch for moves from Java.
     *
     * @param capacity most moves in it, 1 to 128
     * @return a batch for one thread
     * @throws IllegalArgumentException when the capacity is out of its range
     */
    public MoveBatch moveBatch(int capacity) {
        region().requireOpen();
        return new MoveBatch(engine, capacity);
    }

    @Override
    public Graph graph() {
        return graph;
    }

    /**
     * The connected clients.
     *
     * @return always the same object
     */
    public Sessions sessions() {
        return sessions;
    }

    @Override
    public Metrics metrics() {
        return metrics;
    }

    /**
     * Closes the engine: clients are told, everything accepted is committed, memory is given back. Readers may run on; they
     * get {@link EngineClosedException}. A second close does nothing.
     */
    @Override
    public void close() {
        monitors.close();
        log.hurry();
        engine.close();
        log.close();
    }
}
