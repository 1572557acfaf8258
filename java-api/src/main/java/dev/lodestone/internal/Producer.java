package dev.lodestone.internal;

import static dev.lodestone.bindings.NativeAccess.ALL;

import dev.lodestone.EngineException;
import dev.lodestone.Status;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * An entry in the table of producers: how it is taken and left, what the engine says in it, and sleeping until it says more.
 * Its steps are those of {@code native/memory/src/rings}. One thread.
 */
public final class Producer {
    private static final int STAGE_FREE = 0;
    private static final long STAGE_REGISTERING = 1;
    private static final long STAGE_LIVE = 2;
    private static final long STAGE_LEAVING = 3;
    private static final long STAGE_MASK = 0xff;
    private static final long EPOCH_MASK = 0xff_ffff;
    private static final int ORDER_STRANGERS = 1;
    private static final int ORDER_NONE = 2;
    private static final int LOOKS_BEFORE_SLEEP = 2_000;

    private final Region region;
    private final Sleeper sleeper;
    private final int entry;
    private final long address;
    private final long state;
    private final int lane;
    private final MemorySegment bell;
    private final MemorySegment engineBell;
    private final long engineBellAddress;
    private final boolean fences;
    private long rejection;
    private long missed;

    private Producer(Region region, Sleeper sleeper, int entry, long state, int lane) {
        this.region = region;
        this.sleeper = sleeper;
        this.entry = entry;
        this.address = region.producers() + entry * BridgeLayout.PRODUCER_BYTES;
        this.state = state;
        this.lane = lane;
        this.bell = ALL.asSlice(address + BridgeLayout.PRODUCER_BELL, Integer.BYTES);
        this.engineBellAddress = region.bell();
        this.engineBell = ALL.asSlice(engineBellAddress, Integer.BYTES);
        this.fences = switch (region.order()) {
            case ORDER_NONE -> false;
            case ORDER_STRANGERS -> !sleeper.isOrdered();
            default -> true;
        };
    }

    /**
     * Registers a producer.
     *
     * @param region the region
     * @param sleeper how to sleep and wake
     * @param tenant on whose quota its moves count, unsigned
     * @param wantsLane whether it takes a lane where one is free
     * @return the producer
     * @throws EngineException when all entries are taken, or the region may not be written
     */
    public static Producer register(Region region, Sleeper sleeper, int tenant, boolean wantsLane) {
        region.requireWritable();
        ProcessIdentity process = ProcessIdentity.own();
        synchronized (region.producersHere()) {
            // Whoever takes the memory away comes before or after.
            region.requireOpen();
            Producer producer = register(region, sleeper, tenant, wantsLane, process);
            region.producersHere().add(producer);
            return producer;
        }
    }

    private static Producer register(Region region, Sleeper sleeper, int tenant, boolean wantsLane, ProcessIdentity process) {
        // Said with the very step that takes the entry: the engine takes nobody for dead by a number of another namespace.
        long pid = process.namespace() == region.namespace() ? process.pid() : 0;
        for (int entry = 0; entry < region.producersMax(); entry++) {
            long at = region.producers() + entry * BridgeLayout.PRODUCER_BYTES;
            long found = Words.acquire(at + BridgeLayout.PRODUCER_STATE);
            long epoch = (found >>> Byte.SIZE) + 1 & EPOCH_MASK;
            long taken = STAGE_REGISTERING | epoch << Byte.SIZE | pid << Integer.SIZE;
            if ((found & STAGE_MASK) != STAGE_FREE || !Words.replace(at + BridgeLayout.PRODUCER_STATE, found, taken)) {
                continue;
            }
            Words.putOpaque(at + BridgeLayout.PRODUCER_START, process.startTicks());
            Words.putOpaque(at + BridgeLayout.PRODUCER_NAMESPACE, process.namespace());
            Words.putOpaque(at + BridgeLayout.PRODUCER_SIGN, System.currentTimeMillis());
            int lane = wantsLane ? takeLane(region, owner(entry, taken)) : -1;
            Words.putOpaque(at + BridgeLayout.PRODUCER_PLACE, lane + 1L | (long) tenant << Integer.SIZE);
            long live = taken & ~STAGE_MASK | STAGE_LIVE;
            if (Words.replace(at + BridgeLayout.PRODUCER_STATE, taken, live)) {
                return new Producer(region, sleeper, entry, live, lane);
            }
            // The engine took the registration for that of a process that died in it: the next entry.
        }
        region.requireOpen();
        throw new EngineException(Status.OVERLOADED, "all " + region.producersMax() + " producers of commands are taken. "
                + "What to do: close those that are not needed; an entry comes free within a moment of its close.");
    }

    private static int takeLane(Region region, long owner) {
        for (int lane = 0; lane < region.lanes(); lane++) {
            if (Words.replace(region.lane(lane) + BridgeLayout.RING_OWNER, 0, owner)) {
                return lane;
            }
        }
        return -1;
    }

    private static long owner(int entry, long state) {
        return entry + 1L | (state >>> Byte.SIZE & EPOCH_MASK) << Integer.SIZE;
    }

    /** Leaves; what was committed is still decided. A second time does nothing. */
    public void leave() {
        synchronized (region.producersHere()) {
            if (region.producersHere().remove(this) && leaveBy(region.producers())) {
                ringEngine();
            }
        }
    }

    /**
     * Says in a table of producers that this one leaves.
     *
     * @param table address of the table
     * @return whether it was still there
     */
    boolean leaveBy(long table) {
        return Words.replace(table + entry * BridgeLayout.PRODUCER_BYTES + BridgeLayout.PRODUCER_STATE, state,
                state & ~STAGE_MASK | STAGE_LEAVING);
    }

    /**
     * Its place in the table.
     *
     * @return the entry
     */
    public int entry() {
        return entry;
    }

    /**
     * Its lane.
     *
     * @return the lane, -1 when it uses the ring
     */
    public int lane() {
        return lane;
    }

    /**
     * Address of its claim word.
     *
     * @return the address
     */
    long claimWord() {
        return address + BridgeLayout.PRODUCER_CLAIM;
    }

    /** Notes that there was no room. */
    void countFull() {
        long word = address + BridgeLayout.PRODUCER_FULL;
        Words.putOpaque(word, Words.opaque(word) + 1);
        sign();
    }

    /** Gives a sign of life. */
    void sign() {
        Words.putOpaque(address + BridgeLayout.PRODUCER_SIGN, System.currentTimeMillis());
    }

    /** After a commit: wakes the engine thread if it sleeps. */
    void ringEngine() {
        // Pairs with the engine's barrier: either it sees the commit before it sleeps, or this sees that it sleeps. Where that
        // barrier orders this processor too, only the compiler has to keep the order, and opaque accesses make it.
        if (fences) {
            VarHandle.fullFence();
        }
        if (Words.opaqueInt(Words.line(engineBellAddress)) == BridgeLayout.BELL_ASLEEP
                && Words.replaceInt(engineBellAddress, BridgeLayout.BELL_ASLEEP, BridgeLayout.BELL_AWAKE)) {
            sleeper.wake(engineBell);
        }
    }

    /**
     * The counter up to which every command is decided.
     *
     * @return the counter, 0 before the first
     */
    public long decided() {
        return Words.acquire(address + BridgeLayout.PRODUCER_ANSWERS + Long.BYTES);
    }

    /**
     * A word of the acknowledgement line, all of whose words belong together.
     *
     * @param index 1 decided, 2 revision, 3 accepted, 4 rejected
     * @return the word
     */
    public long answer(int index) {
        long line = address + BridgeLayout.PRODUCER_ANSWERS;
        for (int looks = 0;; looks++) {
            long before = Words.acquire(line);
            long word = Words.opaque(line + (long) index * Long.BYTES);
            VarHandle.acquireFence();
            // A word alone is always whole. A line that keeps changing only means that it is newer than that; in one whose writer
            // stands still, no word is older than what was seen to be decided, which is written last.
            if ((before & 1) == 0 && Words.opaque(line) == before || looks == Region.LOOKS_SPINNING_MAX) {
                return word;
            }
            Thread.onSpinWait();
        }
    }

    /**
     * Waits until a command is decided: looks for a while, then sleeps.
     *
     * @param counter the command's counter
     * @param nanoseconds longest wait
     * @return whether it is decided
     * @throws EngineException when the engine is closed or failed
     */
    public boolean await(long counter, long nanoseconds) {
        long begun = System.nanoTime();
        for (int looks = 0; looks < LOOKS_BEFORE_SLEEP; looks++) {
            if (decided() >= counter) {
                return true;
            }
            Thread.onSpinWait();
        }
        sign();
        while (decided() < counter) {
            region.requireAlive();
            long left = nanoseconds - (System.nanoTime() - begun);
            if (left <= 0) {
                return decided() >= counter;
            }
            sleepUnlessDecided(counter, Math.min(left, BridgeLayout.SLEEP_NS_MAX));
        }
        return true;
    }

    /**
     * Sleeps until the engine decided a command, or says anything else, or the time is over.
     *
     * @param counter the command's counter
     * @param nanoseconds longest sleep
     */
    void sleepUnlessDecided(long counter, long nanoseconds) {
        long word = address + BridgeLayout.PRODUCER_BELL;
        Words.putOpaqueInt(word, BridgeLayout.BELL_ASLEEP);
        VarHandle.fullFence();
        if (decided() < counter) {
            sleeper.sleep(bell, BridgeLayout.BELL_ASLEEP, nanoseconds);
        }
        Words.putOpaqueInt(word, BridgeLayout.BELL_AWAKE);
    }

    /**
     * Sleeps until the engine replied to a call, or says anything else, or the time is over.
     *
     * @param reply address of the reply area
     * @param counter the call's counter
     * @param nanoseconds longest sleep
     */
    void sleepUnlessReplied(long reply, long counter, long nanoseconds) {
        long word = address + BridgeLayout.PRODUCER_BELL;
        Words.putOpaqueInt(word, BridgeLayout.BELL_ASLEEP);
        VarHandle.fullFence();
        if (Words.acquire(reply) != counter) {
            sleeper.sleep(bell, BridgeLayout.BELL_ASLEEP, Math.min(nanoseconds, BridgeLayout.SLEEP_NS_MAX));
        }
        Words.putOpaqueInt(word, BridgeLayout.BELL_AWAKE);
    }

    /**
     * Looks for the next refusal.
     *
     * @param into gets the counter, then node and status: {@code node | status << 32}
     * @return whether there was one
     * @throws EngineException when the refusals kept changing, which an engine that lives does not let happen
     */
    public boolean nextRejection(long[] into) {
        for (int looks = 0; looks < Region.LOOKS_SPINNING_MAX + Region.LOOKS_YIELDING_MAX; looks++) {
            long written = Words.acquire(address + BridgeLayout.PRODUCER_REJECTED);
            if (rejection >= written) {
                return false;
            }
            long oldest = Math.max(rejection, written - BridgeLayout.REJECTIONS_MAX);
            missed += oldest - rejection;
            rejection = oldest;
            long at = address + BridgeLayout.PRODUCER_REJECTIONS
                    + rejection % BridgeLayout.REJECTIONS_MAX * BridgeLayout.REJECTION_BYTES;
            into[0] = Words.opaque(at);
            into[1] = Words.opaque(at + Long.BYTES);
            VarHandle.acquireFence();
            if (Words.opaque(address + BridgeLayout.PRODUCER_REJECTING) - rejection <= BridgeLayout.REJECTIONS_MAX) {
                rejection++;
                return true;
            }
            Region.pause(looks);
        }
        throw region.stuck(region.damaged("refusals that keep changing"));
    }

    /**
     * How many refusals were overwritten before they were looked at.
     *
     * @return the number
     */
    public long missed() {
        return missed;
    }
}
