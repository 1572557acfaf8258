package dev.lodestone.internal;

import dev.lodestone.bindings.HotCalls;
import dev.lodestone.bindings.Lodestone;
import java.lang.foreign.MemorySegment;

/**
 * Sleeping on a half word of shared memory and waking who sleeps there: the two things that need a call. Any thread, unless it
 * says otherwise.
 */
public interface Sleeper {
    /** Through the native library of this process. */
    Sleeper EMBEDDED = new Sleeper() {
        @Override
        public void sleep(MemorySegment word, int expected, long nanoseconds) {
            Lodestone.lodestone_word_wait(word, expected, nanoseconds);
        }

        @Override
        public void wake(MemorySegment word) {
            HotCalls.wake(word);
        }

        @Override
        public boolean isOrdered() {
            // The engine thread of this very process signed it up.
            return true;
        }
    };

    /**
     * Through the system alone, without the native library.
     *
     * @return a sleeper for one thread
     */
    static Sleeper ofSystem() {
        return new SystemSleeper();
    }

    /**
     * Sleeps while the half word is the expected one, until woken, for at most this time.
     *
     * @param word the half word
     * @param expected what it must be to fall asleep
     * @param nanoseconds the time
     */
    void sleep(MemorySegment word, int expected, long nanoseconds);

    /**
     * Wakes everyone of every process who sleeps on the half word.
     *
     * @param word the half word
     */
    void wake(MemorySegment word);

    /**
     * Whether this process signed up for the barrier that the engine issues before it sleeps ({@code membarrier}, registered
     * for global expedited commands). Else each commit has a full barrier of its own.
     *
     * @return true when it did
     */
    boolean isOrdered();
}
