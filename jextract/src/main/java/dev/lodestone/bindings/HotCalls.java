package dev.lodestone.bindings;

import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The one call of our library that a hot path makes, without the change of the thread's state that other calls pay for: waking
 * the engine when it sleeps. Everything else that is hot reads and writes shared memory, and what waits must not be called this
 * way, for the JVM could not stop its threads meanwhile. Waking takes about a microsecond, waits for nothing and calls nothing
 * back. Any thread.
 */
public final class HotCalls {
    private static final MethodHandle WAKE = Linker.nativeLinker().downcallHandle(
            Lodestone.lodestone_word_wake$address(), Lodestone.lodestone_word_wake$descriptor(), Linker.Option.critical(false));

    private HotCalls() {}

    /**
     * Wakes every thread of every process that sleeps on the word.
     *
     * @param word a half word that stays mapped
     * @return the status, 0 for success
     */
    public static int wake(MemorySegment word) {
        try {
            return (int) WAKE.invokeExact(word);
        } catch (Throwable impossible) {
            throw new LinkageError("a call of the native library threw", impossible);
        }
    }
}
