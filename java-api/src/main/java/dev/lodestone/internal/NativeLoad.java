package dev.lodestone.internal;

import dev.lodestone.EngineException;
import dev.lodestone.LoadProgress;
import dev.lodestone.LoadReport;
import dev.lodestone.bindings.Lodestone;
import dev.lodestone.bindings.LodestoneError;
import dev.lodestone.bindings.LodestoneLoad;
import dev.lodestone.bindings.LodestoneProgress;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;

/** A bulk load behind its number. One thread, that which began it. */
public final class NativeLoad implements AutoCloseable {
    private static final String NO_FILE = "";

    private final NativeEngine engine;
    /** Given back at the close: left to the collector, the memory of many short loads would pile up until it comes. */
    private final Arena lifetime = Arena.ofConfined();
    private final MemorySegment error = lifetime.allocate(LodestoneError.layout());
    private final MemorySegment progress = lifetime.allocate(LodestoneProgress.layout());
    private final long number;

    private NativeLoad(NativeEngine engine, String file, long arcsTotal) {
        this.engine = engine;
        LodestoneProgress.total(progress, arcsTotal);
        try (Call call = new Call()) {
            MemorySegment load = call.allocate(ValueLayout.JAVA_LONG);
            MemorySegment path = call.bytes(file);
            call.check(Lodestone.lodestone_load_open(
                    engine.handle(), path, path.byteSize(), arcsTotal, load, call.error()));
            this.number = load.get(ValueLayout.JAVA_LONG, 0);
        } catch (EngineException refused) {
            lifetime.close();
            throw refused;
        }
    }

    /**
     * Begins the load of a file.
     *
     * @param engine the engine
     * @param file the file
     * @return the load, to be driven by {@link #step}
     */
    public static NativeLoad ofFile(NativeEngine engine, Path file) {
        // Absolute, so that the empty path is a folder, and refused, and never "no file".
        return new NativeLoad(engine, file.toAbsolutePath().toString(), LoadProgress.TOTAL_UNKNOWN);
    }

    /**
     * Begins a load of arcs that will be handed over.
     *
     * @param engine the engine
     * @param arcsTotal how many, or {@link LoadProgress#TOTAL_UNKNOWN}
     * @return the load, to be driven by {@link #put}
     */
    public static NativeLoad ofArcs(NativeEngine engine, long arcsTotal) {
        return new NativeLoad(engine, NO_FILE, arcsTotal);
    }

    /**
     * Memory that lives until the load is closed.
     *
     * @param bytes how much
     * @return the memory
     */
    public MemorySegment allocate(long bytes) {
        return lifetime.allocate(bytes, Integer.BYTES);
    }

    /**
     * Loads from the file for a while.
     *
     * @param timeMs about how long, milliseconds
     * @return whether that was all
     */
    public boolean step(long timeMs) {
        Call.check(Lodestone.lodestone_load_step(engine.handle(), number, timeMs, progress, error), error);
        return LodestoneProgress.finished(progress) != 0;
    }

    /**
     * Hands arcs over.
     *
     * @param arcs memory outside the heap with three numbers each
     * @param count how many arcs
     */
    public void put(MemorySegment arcs, long count) {
        Call.check(Lodestone.lodestone_load_put(engine.handle(), number, arcs, count, progress, error), error);
    }

    /**
     * Arcs set, as of the last call.
     *
     * @return number of arcs
     */
    public long done() {
        return LodestoneProgress.done(progress);
    }

    /**
     * Arcs in all.
     *
     * @return number of arcs, or {@link LoadProgress#TOTAL_UNKNOWN}
     */
    public long total() {
        return LodestoneProgress.total(progress);
    }

    /**
     * Waits for all arcs handed over and ends the load.
     *
     * @param complete whether they are all there are
     * @return what it did
     */
    public LoadReport finish(boolean complete) {
        try (Call call = new Call()) {
            MemorySegment out = call.allocate(LodestoneLoad.layout());
            call.check(Lodestone.lodestone_load_finish(engine.handle(), number, out, call.error()));
            return new LoadReport(LodestoneLoad.revision(out), LodestoneLoad.nodes(out), LodestoneLoad.arcs(out),
                    LodestoneLoad.edges(out), Duration.ofNanos(LodestoneLoad.nanoseconds(out)), LodestoneLoad.unit_mm(out),
                    complete);
        }
    }

    /** Ends the load, unless {@link #finish} has, and gives its memory back. A second close does nothing. */
    @Override
    public void close() {
        engine.endLoad(number);
        if (lifetime.scope().isAlive()) {
            lifetime.close();
        }
    }
}
