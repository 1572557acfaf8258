package dev.lodestone.internal;

import dev.lodestone.EngineClosedException;
import dev.lodestone.EngineException;
import dev.lodestone.RollbackReport;
import dev.lodestone.Session;
import dev.lodestone.StateHash;
import dev.lodestone.Status;
import dev.lodestone.bindings.Lodestone;
import dev.lodestone.bindings.LodestoneDescription;
import dev.lodestone.bindings.LodestoneHash;
import dev.lodestone.bindings.LodestoneRollback;
import dev.lodestone.bindings.LodestoneSession;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * One engine behind its number: makes the calls, turns statuses into exceptions. Any thread.
 *
 * <p>A number carries a version, so a call that meets the close is refused by the native side and never touches freed memory.
 */
public final class NativeEngine {
    /** Room for sessions beyond the number just reported, for those that arrive between the two calls. */
    private static final long SESSIONS_SPARE = 64;

    private final long handle;
    private final AtomicBoolean closed = new AtomicBoolean();
    private final Region region;
    private final InetSocketAddress address;
    private volatile Certificate certificate;
    private final Optional<Path> regionPath;

    /**
     * The certificate that clients see.
     *
     * @param pem its text
     * @param fingerprint SHA-256 of it
     */
    private record Certificate(String pem, String fingerprint) {
        static Certificate of(MemorySegment description) {
            String pem = Texts.of(LodestoneDescription.certificate(description),
                    Short.toUnsignedLong(LodestoneDescription.certificate_length(description)));
            byte[] sha256 = LodestoneDescription.fingerprint(description).toArray(ValueLayout.JAVA_BYTE);
            return new Certificate(pem, HexFormat.of().formatHex(sha256));
        }
    }

    private NativeEngine(long handle, MemorySegment description) {
        this.handle = handle;
        this.region = new Region(LodestoneDescription.region_address(description),
                LodestoneDescription.region_bytes(description), LodestoneDescription.generation(description));
        this.address = address(Texts.of(
                LodestoneDescription.address(description), LodestoneDescription.address_length(description)));
        this.certificate = Certificate.of(description);
        String path = Texts.of(
                LodestoneDescription.region_path(description), LodestoneDescription.region_path_length(description));
        this.regionPath = path.isEmpty() ? Optional.empty() : Optional.of(Path.of(path));
    }

    /**
     * Opens an engine.
     *
     * @param config the flat configuration text
     * @param checkLayouts whether to compare all layouts first
     * @return the engine
     * @throws EngineException when it cannot be opened
     */
    public static NativeEngine open(String config, boolean checkLayouts) {
        NativeLibrary.require();
        if (checkLayouts) {
            LayoutTable.require();
        }
        try (Call call = new Call()) {
            MemorySegment handle = call.allocate(ValueLayout.JAVA_LONG);
            MemorySegment text = call.bytes(config);
            call.check(Lodestone.lodestone_engine_open(text, text.byteSize(), handle, call.error()));
            return describe(call, handle.get(ValueLayout.JAVA_LONG, 0));
        }
    }

    private static NativeEngine describe(Call call, long handle) {
        try {
            MemorySegment description = call.allocate(LodestoneDescription.layout());
            call.check(Lodestone.lodestone_engine_describe(handle, description, call.error()));
            return new NativeEngine(handle, description);
        } catch (RuntimeException | Error bad) {
            Lodestone.lodestone_engine_close(handle, MemorySegment.NULL);
            throw bad;
        }
    }

    /** Reads {@code host:port} without asking a name server: the host is a number. */
    private static InetSocketAddress address(String text) {
        int colon = text.lastIndexOf(':');
        String host = text.substring(0, colon).replace("[", "").replace("]", "");
        try {
            return new InetSocketAddress(InetAddress.ofLiteral(host), Integer.parseInt(text.substring(colon + 1)));
        } catch (IllegalArgumentException bad) {
            throw new EngineException(Status.INTERNAL, "the native side reports the address \"" + text + "\"", bad);
        }
    }

    /**
     * The shared region.
     *
     * @return the region, which outlives the engine as zero pages
     */
    public Region region() {
        return region;
    }

    /**
     * Where QUIC connections are taken.
     *
     * @return the address
     */
    public InetSocketAddress address() {
        return address;
    }

    /**
     * The certificate.
     *
     * @return PEM text
     */
    public String certificatePem() {
        return certificate.pem();
    }

    /**
     * SHA-256 of the certificate.
     *
     * @return 64 hexadecimal digits
     */
    public String fingerprint() {
        return certificate.fingerprint();
    }

    /**
     * The region's file.
     *
     * @return the file, empty for anonymous memory
     */
    public Optional<Path> regionPath() {
        return regionPath;
    }

    /**
     * The number to call with.
     *
     * @return the number
     * @throws EngineClosedException when the engine is closed
     */
    public long handle() {
        if (closed.get()) {
            throw new EngineClosedException();
        }
        return handle;
    }

    /** Closes the engine; a second time does nothing. */
    public void close() {
        if (closed.compareAndSet(false, true)) {
            try (Call call = new Call()) {
                call.check(Lodestone.lodestone_engine_close(handle, call.error()));
            }
        }
    }

    /**
     * A state hash.
     *
     * @param revision the revision, -1 for the present one
     * @return the hash recorded with it
     */
    public StateHash hash(long revision) {
        try (Call call = new Call()) {
            MemorySegment out = call.allocate(LodestoneHash.layout());
            checkWindow(call, Lodestone.lodestone_state_hash(handle(), revision, out, call.error()), revision);
            return new StateHash(LodestoneHash.hash_low(out), LodestoneHash.hash_high(out));
        }
    }

    private void checkWindow(Call call, int status, long revision) {
        if (status == Status.OUT_OF_WINDOW.number()) {
            throw RollbackWindow.refusal(region, revision);
        }
        call.check(status);
    }

    /**
     * The state hash, computed anew.
     *
     * @return the hash
     */
    public StateHash verifyHash() {
        try (Call call = new Call()) {
            MemorySegment out = call.allocate(LodestoneHash.layout());
            call.check(Lodestone.lodestone_state_verify(handle(), out, call.error()));
            return new StateHash(LodestoneHash.hash_low(out), LodestoneHash.hash_high(out));
        }
    }

    /**
     * The newest revision of at least this age.
     *
     * @param ageMs the age, milliseconds
     * @return the revision; the oldest in the window when none is old enough
     */
    public long revisionBefore(long ageMs) {
        try (Call call = new Call()) {
            MemorySegment revision = call.allocate(ValueLayout.JAVA_LONG);
            call.check(Lodestone.lodestone_revision_find(handle(), ageMs, revision, call.error()));
            return revision.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    /**
     * Goes back.
     *
     * @param revision the revision to go back to
     * @return what was done
     */
    public RollbackReport rollback(long revision) {
        try (Call call = new Call()) {
            MemorySegment out = call.allocate(LodestoneRollback.layout());
            checkWindow(call, Lodestone.lodestone_state_rollback(handle(), revision, out, call.error()), revision);
            long from = LodestoneRollback.from_revision(out);
            long to = LodestoneRollback.to_revision(out);
            return new RollbackReport(from, to, from - to, LodestoneRollback.records(out),
                    Duration.ofNanos(LodestoneRollback.nanoseconds(out)),
                    new StateHash(LodestoneRollback.hash_low(out), LodestoneRollback.hash_high(out)),
                    LodestoneRollback.branch(out), LodestoneRollback.edges(out), LodestoneRollback.within_sla(out) != 0);
        }
    }

    /**
     * Gives up a question for routes; one that is over is allowed.
     *
     * @param question its number
     */
    void cancelRoutes(long question) {
        Lodestone.lodestone_routes_cancel(handle, question, MemorySegment.NULL);
    }

    /**
     * Ends a bulk load; one that is over is allowed.
     *
     * @param load its number
     */
    void endLoad(long load) {
        Lodestone.lodestone_load_close(handle, load, MemorySegment.NULL);
    }

    /**
     * Lists the sessions.
     *
     * @return the sessions of one moment
     */
    public List<Session> sessions() {
        long capacity = SESSIONS_SPARE;
        while (true) {
            try (Call call = new Call()) {
                MemorySegment out = call.allocate(LodestoneSession.layout(), capacity);
                MemorySegment total = call.allocate(ValueLayout.JAVA_LONG);
                call.check(Lodestone.lodestone_sessions_list(handle(), out, capacity, total, call.error()));
                long count = total.get(ValueLayout.JAVA_LONG, 0);
                if (count <= capacity) {
                    return sessions(out, count);
                }
                capacity = count + SESSIONS_SPARE;
            }
        }
    }

    private static List<Session> sessions(MemorySegment out, long count) {
        List<Session> sessions = new ArrayList<>();
        for (long index = 0; index < count; index++) {
            MemorySegment cell = LodestoneSession.asSlice(out, index);
            sessions.add(new Session(LodestoneSession.session(cell), LodestoneSession.tenant(cell),
                    address(Texts.of(LodestoneSession.address(cell), LodestoneSession.address_length(cell))),
                    Instant.ofEpochMilli(LodestoneSession.connected_unix_ms(cell)), LodestoneSession.frames(cell),
                    LodestoneSession.node_first(cell), LodestoneSession.node_last(cell)));
        }
        return List.copyOf(sessions);
    }

    /**
     * Closes a session.
     *
     * @param session its number
     * @return false when there is no such session
     */
    public boolean closeSession(int session) {
        try (Call call = new Call()) {
            int status = Lodestone.lodestone_session_close(handle(), session, call.error());
            if (status == Status.INVALID_ARGUMENT.number()) {
                return false;
            }
            call.check(status);
            return true;
        }
    }

    /**
     * Revokes a token.
     *
     * @param nonce the token's name
     */
    public void revoke(long nonce) {
        try (Call call = new Call()) {
            call.check(Lodestone.lodestone_token_revoke(handle(), nonce, call.error()));
        }
    }

    /**
     * Revokes the token of a session.
     *
     * @param session its number
     * @return false when there is no such session
     */
    public boolean revokeSession(int session) {
        try (Call call = new Call()) {
            int status = Lodestone.lodestone_session_revoke(handle(), session, call.error());
            if (status == Status.INVALID_ARGUMENT.number()) {
                return false;
            }
            call.check(status);
            return true;
        }
    }

    /**
     * Takes up certificate, authorities of clients and token keys.
     *
     * @param config the flat configuration text
     */
    public void reloadIdentity(String config) {
        try (Call call = new Call()) {
            MemorySegment text = call.bytes(config);
            call.check(Lodestone.lodestone_identity_reload(handle(), text, text.byteSize(), call.error()));
            MemorySegment description = call.allocate(LodestoneDescription.layout());
            call.check(Lodestone.lodestone_engine_describe(handle(), description, call.error()));
            certificate = Certificate.of(description);
        }
    }

    /**
     * Submits moves and waits until they are decided.
     *
     * @param moves cells, written back
     * @param count how many cells
     * @param tenant on whose quota
     * @param out where the outcome goes
     * @param error where the error goes
     */
    public void submit(MemorySegment moves, int count, int tenant, MemorySegment out, MemorySegment error) {
        Call.check(Lodestone.lodestone_moves_submit(handle(), moves, count, tenant, out, error), error);
    }
}
