package dev.lodestone.benchmarks.rings;

import dev.lodestone.bindings.HotCalls;
import dev.lodestone.bindings.Lodestone;
import dev.lodestone.internal.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.function.LongUnaryOperator;

/**
 * What calls of C cost, as the linker makes them by default and marked critical, that is without a transition of the thread's
 * state: a function that does next to nothing, and the one call of ours that is left on a hot path, waking the engine, here
 * on a word that nobody sleeps on.
 */
final class Calls implements Contender {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final FunctionDescriptor LONG_TO_LONG =
            FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG);
    private static final MemorySegment LABS = LINKER.defaultLookup().findOrThrow("labs");
    private static final MethodHandle PLAIN = LINKER.downcallHandle(LABS, LONG_TO_LONG);
    private static final MethodHandle CRITICAL = LINKER.downcallHandle(LABS, LONG_TO_LONG, Linker.Option.critical(false));
    private static final MemorySegment WORD = Arena.global().allocate(ValueLayout.JAVA_INT);

    private final String name;
    private final LongUnaryOperator calls;

    private Calls(String name, LongUnaryOperator calls) {
        this.name = name;
        this.calls = calls;
    }

    /**
     * One of them.
     *
     * @param name plain, critical, wake_plain or wake_critical
     * @return the contender
     */
    static Contender of(String name) {
        if (name.startsWith("wake")) {
            NativeLibrary.require();
        }
        return new Calls(name, switch (name) {
            case "plain" -> Calls::plain;
            case "critical" -> Calls::critical;
            case "wake_plain" -> Calls::wakePlain;
            case "wake_critical" -> Calls::wakeCritical;
            default -> throw new IllegalArgumentException("there is no contender " + name);
        });
    }

    @Override
    public String row() {
        return Rows.CALLS;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public long run(int count) {
        long begun = Clock.begin();
        long sum = calls.applyAsLong(count);
        long took = Clock.end() - begun;
        if (sum != (name.startsWith("wake") ? 0 : count * (count - 1L) / 2)) {
            throw new IllegalStateException(name + " gave a sum of " + sum);
        }
        return took;
    }

    private static long plain(long count) {
        long sum = 0;
        try {
            for (long call = 0; call < count; call++) {
                sum += (long) PLAIN.invokeExact(-call);
            }
        } catch (Throwable failure) {
            throw new IllegalStateException("labs", failure);
        }
        return sum;
    }

    private static long critical(long count) {
        long sum = 0;
        try {
            for (long call = 0; call < count; call++) {
                sum += (long) CRITICAL.invokeExact(-call);
            }
        } catch (Throwable failure) {
            throw new IllegalStateException("labs", failure);
        }
        return sum;
    }

    private static long wakePlain(long count) {
        long sum = 0;
        for (long call = 0; call < count; call++) {
            sum += Lodestone.lodestone_word_wake(WORD);
        }
        return sum;
    }

    private static long wakeCritical(long count) {
        long sum = 0;
        for (long call = 0; call < count; call++) {
            sum += HotCalls.wake(WORD);
        }
        return sum;
    }
}
