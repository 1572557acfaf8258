package dev.lodestone.examples.hunt;

import java.util.BitSet;
import java.util.OptionalInt;

/** Finds the crossing nearest to a place. */
final class Crossings {
    /** A place without a road this near lies outside of the map. */
    static final double REACH_METRES = 5_000;

    private Crossings() {}

    /**
     * The nearest of the allowed crossings.
     *
     * @param map the roads
     * @param allowed the crossings to choose from
     * @param place the place
     * @return the crossing, empty when none is within {@value #REACH_METRES} m
     */
    static OptionalInt nearest(RoadMap map, BitSet allowed, Place place) {
        int nearest = -1;
        double nearestMetres = REACH_METRES;
        for (int crossing = allowed.nextSetBit(0); crossing >= 0; crossing = allowed.nextSetBit(crossing + 1)) {
            double metres = map.metres(crossing, place);
            if (metres < nearestMetres) {
                nearest = crossing;
                nearestMetres = metres;
            }
        }
        return nearest < 0 ? OptionalInt.empty() : OptionalInt.of(nearest);
    }
}
