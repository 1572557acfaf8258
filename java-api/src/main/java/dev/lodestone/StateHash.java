package dev.lodestone;

/**
 * The hash of the whole state, slots and edges. Equal states have equal hashes, on every replica, however the moves were
 * batched.
 *
 * @param low first lane
 * @param high second lane
 */
public record StateHash(long low, long high) {
    /**
     * The hash as 32 hexadecimal digits, high lane first.
     *
     * @return the digits
     */
    @Override
    public String toString() {
        return String.format("%016x%016x", high, low);
    }
}
