package dev.lodestone.examples.hunt;

/**
 * A road graph in the service's own memory: where the crossings are, and how the roads join them. The engine holds the roads
 * too, but it knows nothing of places on the Earth.
 *
 * @param latitudeE7 latitude of each crossing in 1e-7 degree
 * @param longitudeE7 longitude of each crossing in 1e-7 degree
 * @param firstArc index of the first arc of each crossing, and the number of arcs at the end
 * @param targets where each arc leads
 * @param unitMillimetres length that one unit of weight stands for
 * @param attribution who made the data
 */
record RoadMap(int[] latitudeE7, int[] longitudeE7, int[] firstArc, int[] targets, long unitMillimetres,
        String attribution) {
    private static final double EARTH_RADIUS_METRES = 6_371_008.8;
    private static final double DEGREE_E7 = 1e-7;

    int crossings() {
        return latitudeE7.length;
    }

    /** Length in kilometres of a distance in units of weight. */
    double kilometres(long distance) {
        return distance * (unitMillimetres / 1e6);
    }

    double latitude(int crossing) {
        return latitudeE7[crossing] * DEGREE_E7;
    }

    double longitude(int crossing) {
        return longitudeE7[crossing] * DEGREE_E7;
    }

    /** Great-circle distance from a crossing to a place, metres. */
    double metres(int crossing, Place place) {
        return metres(latitude(crossing), longitude(crossing), place.latitude(), place.longitude());
    }

    static double metres(double latitude1, double longitude1, double latitude2, double longitude2) {
        double sinLatitude = Math.sin(Math.toRadians(latitude2 - latitude1) / 2);
        double sinLongitude = Math.sin(Math.toRadians(longitude2 - longitude1) / 2);
        double cosines = Math.cos(Math.toRadians(latitude1)) * Math.cos(Math.toRadians(latitude2));
        double h = sinLatitude * sinLatitude + cosines * sinLongitude * sinLongitude;
        return 2 * EARTH_RADIUS_METRES * Math.asin(Math.sqrt(Math.min(h, 1)));
    }
}
