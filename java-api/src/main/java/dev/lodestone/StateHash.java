package dev.lodestone;

/**
 * The hash of the whole state: slots with their numbers and tenants, versions of nodes, edges. The same moves in the same
 * order give the same hash on every replica, however they were batched; in another order they may take other slots.
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
