package dev.lodestone.internal;

import dev.lodestone.ConfigException;
import dev.lodestone.EngineClosedException;
import dev.lodestone.EngineException;
import dev.lodestone.EnginePoisonedException;
import dev.lodestone.RollbackException;
import dev.lodestone.RouteException;
import dev.lodestone.Status;
import dev.lodestone.TransportException;
import dev.lodestone.bindings.LodestoneError;
import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import java.util.Set;

/** The memory of one control call: its outputs, its error text, and the way from a status to an exception. One thread. */
final class Call implements AutoCloseable {
    private static final Set<Status> ADVISED = EnumSet.of(Status.BIND, Status.CERTIFICATE, Status.IO, Status.MEMORY,
            Status.MAP_FILE, Status.GRAPH_FULL, Status.BUDGET, Status.OUT_OF_WINDOW, Status.OVERLOADED, Status.TIMEOUT,
            Status.WATCHES_FULL);

    private final Arena lifetime = Arena.ofConfined();
    private final MemorySegment error = lifetime.allocate(LodestoneError.layout());

    MemorySegment error() {
        return error;
    }

    MemorySegment allocate(MemoryLayout layout) {
        return lifetime.allocate(layout);
    }

    MemorySegment allocate(MemoryLayout layout, long count) {
        return lifetime.allocate(layout, count);
    }

    MemorySegment bytes(String text) {
        return lifetime.allocateFrom(ValueLayout.JAVA_BYTE, text.getBytes(StandardCharsets.UTF_8));
    }

    MemorySegment numbers(int[] numbers) {
        return lifetime.allocateFrom(ValueLayout.JAVA_INT, numbers);
    }

    void check(int status) {
        check(status, error);
    }

    /** Throws what the status stands for; returns when it is OK. */
    static void check(int status, MemorySegment error) {
        if (status != 0) {
            Status known = Status.of(status);
            throw failure(known, withAdvice(known, text(error)));
        }
    }

    static String text(MemorySegment error) {
        return Texts.of(LodestoneError.text(error), LodestoneError.text_length(error));
    }

    /**
     * The data plane's own advice, which knows the case, marked as such; so the status's general one is not added. Its texts
     * end in "; what to do" wherever there is something to do.
     */
    static String withAdvice(Status status, String what) {
        int cut = what.lastIndexOf("; ");
        if (!ADVISED.contains(status) || cut < 0 || what.contains("What to do:")) {
            return what;
        }
        return what.substring(0, cut) + ". What to do: " + what.substring(cut + 2) + ".";
    }

    private static EngineException failure(Status status, String what) {
        return switch (status) {
            case CLOSED -> new EngineClosedException();
            case POISONED -> new EnginePoisonedException(what);
            case CONFIG -> new ConfigException(what);
            case BIND, CERTIFICATE -> new TransportException(status, what);
            case OUT_OF_WINDOW -> new RollbackException(status, what);
            case BUDGET -> new RouteException(status, what);
            default -> new EngineException(status, what);
        };
    }

    @Override
    public void close() {
        lifetime.close();
    }
}
