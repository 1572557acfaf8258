package dev.lodestone;

/**
 * The share of the slot arena that one tenant gets.
 *
 * @param id the tenant's number, unsigned, from 1
 * @param guaranteedSlots slots that nobody else can take
 * @param slotsMax most slots it may hold, from 1, or {@link #WHOLE_CAPACITY}
 */
public record Tenant(int id, int guaranteedSlots, int slotsMax) {
    /** In place of {@code slotsMax}: as many as {@code arena.capacity}. */
    public static final int WHOLE_CAPACITY = -1;
}
