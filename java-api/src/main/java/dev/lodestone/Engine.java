package dev.lodestone;

import dev.lodestone.internal.Attachment;
import dev.lodestone.internal.LargePages;
import dev.lodestone.internal.LogForwarder;
import dev.lodestone.internal.Monitors;
import dev.lodestone.internal.NativeEngine;
import dev.lodestone.internal.Region;
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
public final class Engine implements EngineView {
    private static final System.Logger LOGGER = System.getLogger("dev.lodestone");
    private static final long REVISION_NOW = -1;
    private static final Duration AGE_MAX = Duration.ofDays(36_500);

    private final EngineConfig config;
    private final NativeEngine engine;
    private final Region region;
    private final Monitors monitors;
    private final LogForwarder log;
    private final Graph graph;
    private final Sessions sessions;
    private final Metrics metrics;
    private EngineConfig identity;

    private Engine(EngineConfig config, NativeEngine engine) {
        this.config = config;
        this.identity = config;
        this.engine = engine;
        this.region = engine.region();
        this.monitors = new Monitors(new Monitors.Limits(
                config.duration("monitoring.heap_profile_interval"),
                config.whole("monitoring.gc_pause_alert_ms"),
                config.duration("monitoring.rss_flatness_window")), region);
        this.log = new LogForwarder(region, LogReader.from(region, region.generation(), 0));
        this.graph = new Graph(engine);
        this.sessions = new Sessions(engine, config.tokenKeys());
        this.metrics = new Metrics(region, monitors);
    }

    /**
     * Opens an engine; returns once it takes moves and connections. The log tells when the system gives no large pages.
     *
     * @param config the configuration
     * @return the engine
     * @throws NativeLibraryException when the native library cannot be used
     * @throws ConfigException when the data plane refuses the configuration
     * @throws TransportException when the address is taken or the certificate is bad
     * @throws EngineException when memory or another resource is missing
     */
    public static Engine open(EngineConfig config) {
        Objects.requireNonNull(config, "config");
        Engine engine = new Engine(config, NativeEngine.open(config.toFlatText(), config.flag("ci_native_integration")));
        LargePages.tell(LOGGER);
        return engine;
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
    public long instance() {
        return region.generation();
    }

    @Override
    public EngineState state() {
        return region.state();
    }

    @Override
    public String poisonText() {
        return region.poisonText();
    }

    @Override
    public long revision() {
        long revision = region.revision();
        region.requireOpen();
        return revision;
    }

    @Override
    public Commit commit() {
        return region.commit();
    }

    /**
     * The hash recorded with a revision.
     *
     * @param revision a revision in the rollback window
     * @return the hash
     * @throws RollbackException when the revision is not in the window
     */
    public StateHash stateHash(long revision) {
        if (revision == REVISION_NOW) {
            throw engine.outOfWindow(revision);
        }
        return engine.hash(revision);
    }

    /**
     * The hash computed anew from the whole state, which takes time during which no move is decided.
     *
     * @return the hash; anything but {@link #stateHash()} of the same revision is a fault of this product
     */
    public StateHash verifyHash() {
        return engine.verifyHash();
    }

    /**
     * Goes back to a revision: every later move is undone, connected clients are told.
     *
     * @param revision a revision in the rollback window
     * @return what was done
     * @throws RollbackException when the revision is not in the window; nothing is changed then
     * @throws EnginePoisonedException when the state is found damaged, by what is counted always or, with
     *     {@code rollback.verify}, by a hash of the whole state: it is never gone on with
     */
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
     * Goes back in time, as {@link #rollback(long)} to {@link #revisionBefore(Duration)}: what was committed less than this
     * long ago is undone.
     *
     * @param age how far
     * @return what was done
     * @throws IllegalArgumentException when the age is negative
     */
    public RollbackReport rollback(Duration age) {
        return rollback(revisionBefore(age));
    }

    /**
     * The newest revision in the rollback window that is at least this old.
     *
     * @param age how old
     * @return the revision; the oldest in the window when none is old enough
     * @throws IllegalArgumentException when the age is negative
     */
    public long revisionBefore(Duration age) {
        if (Objects.requireNonNull(age, "age").isNegative()) {
            throw new IllegalArgumentException("age " + age + " lies in the future");
        }
        // Further back than any window reaches it is all the same, and more milliseconds would not fit.
        return engine.revisionBefore(age.compareTo(AGE_MAX) > 0 ? AGE_MAX.toMillis() : age.toMillis());
    }

    @Override
    public SlotReader slotReader() {
        region.requireOpen();
        return new SlotReader(region);
    }

    @Override
    public EventReader events() {
        return EventReader.ofNext(region);
    }

    @Override
    public EventReader events(long instance, long from) {
        return EventReader.from(region, instance, from);
    }

    @Override
    public LogReader logs() {
        return LogReader.ofNext(region);
    }

    @Override
    public LogReader logs(long instance, long from) {
        return LogReader.from(region, instance, from);
    }

    /**
     * Makes a batch for moves from Java.
     *
     * @param capacity most moves in it, 1 to 128
     * @return a batch for one thread
     * @throws IllegalArgumentException when the capacity is out of its range
     */
    public MoveBatch moveBatch(int capacity) {
        region.requireOpen();
        return new MoveBatch(engine, capacity);
    }

    /**
     * Makes commands: moves and releases through shared memory, without a call and without waiting.
     *
     * @return commands for one thread; close them
     * @throws EngineException when all 64 producers are taken
     */
    public Commands commands() {
        return commands(0);
    }

    /**
     * Makes commands whose moves count on the quota of a tenant.
     *
     * @param tenant the tenant, unsigned; 0 for none in particular
     * @return commands for one thread; close them
     * @throws EngineException when all 64 producers are taken
     */
    public Commands commands(int tenant) {
        region.requireOpen();
        return new Commands(region, Sleeper.EMBEDDED, tenant);
    }

    /**
     * The graph.
     *
     * @return always the same object
     */
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
