package dev.lodestone.internal;

import dev.lodestone.EngineClosedException;
import dev.lodestone.EngineException;
import dev.lodestone.EnginePoisonedException;
import dev.lodestone.Status;
import dev.lodestone.bindings.Lodestone;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Begins and ends watches of distances. Any thread. */
public final class NativeWatches {
    private NativeWatches() {}

    /**
     * Begins a watch.
     *
     * @param engine the engine
     * @param source the node to measure from
     * @return the watch's id; the low half is its place in the shared region
     * @throws EngineException when the node is out of bounds or every watch is in use
     */
    public static long add(NativeEngine engine, int source) {
        try (Call call = new Call()) {
            MemorySegment watch = call.allocate(ValueLayout.JAVA_LONG);
            int status = Lodestone.lodestone_watch_add(engine.handle(), source, watch, call.error());
            if (status == Status.OUT_OF_BOUNDS.number()) {
                throw new EngineException(Status.OUT_OF_BOUNDS, "node " + Integer.toUnsignedString(source)
                        + " is not in the graph. What to do: keep it below graph.nodes_max, "
                        + engine.region().nodesMax() + ".");
            }
            call.check(status);
            return watch.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    /**
     * Ends a watch, unless that has happened already or the engine is closed or failed, which ends all of them.
     *
     * @param engine the engine
     * @param watch the watch's id
     */
    public static void remove(NativeEngine engine, long watch) {
        try (Call call = new Call()) {
            int status = Lodestone.lodestone_watch_remove(engine.handle(), watch, call.error());
            if (status != Status.INVALID_ARGUMENT.number()) {
                call.check(status);
            }
        } catch (EngineClosedException | EnginePoisonedException ended) {
            // Nothing is left to give back.
        }
    }
}
