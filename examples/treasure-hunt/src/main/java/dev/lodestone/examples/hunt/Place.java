package dev.lodestone.examples.hunt;

import java.util.List;
import java.util.Locale;

/**
 * A named place.
 *
 * @param name its name
 * @param latitude degrees
 * @param longitude degrees
 */
record Place(String name, double latitude, double longitude) {
    /** Towns of Delaware from north to south, where OpenStreetMap puts their names. */
    static final List<Place> DELAWARE = List.of(
            new Place("Wilmington", 39.7459468, -75.5465890),
            new Place("Newark", 39.6852191, -75.7508289),
            new Place("Middletown", 39.4495560, -75.7163207),
            new Place("Smyrna", 39.2998339, -75.6046494),
            new Place("Dover", 39.1581680, -75.5243682),
            new Place("Milford", 38.9130342, -75.4280735),
            new Place("Lewes", 38.7745565, -75.1393498),
            new Place("Rehoboth Beach", 38.7209436, -75.0760265),
            new Place("Georgetown", 38.6901099, -75.3857270),
            new Place("Seaford", 38.6412256, -75.6110381));

    /** The place nearest to a point, as {@code "2.3 km north-east of Dover"}. */
    static String describe(List<Place> places, double latitude, double longitude) {
        Place nearest = null;
        double nearestMetres = Double.POSITIVE_INFINITY;
        for (Place place : places) {
            double metres = RoadMap.metres(place.latitude, place.longitude, latitude, longitude);
            if (metres < nearestMetres) {
                nearest = place;
                nearestMetres = metres;
            }
        }
        if (nearest == null) {
            return String.format(Locale.ROOT, "at %.4f, %.4f", latitude, longitude);
        }
        return String.format(Locale.ROOT, "%.1f km %s of %s", nearestMetres / 1000,
                nearest.directionTo(latitude, longitude), nearest.name);
    }

    private String directionTo(double toLatitude, double toLongitude) {
        double north = toLatitude - latitude;
        double east = (toLongitude - longitude) * Math.cos(Math.toRadians(latitude));
        String[] directions = {"north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"};
        int eighth = (int) Math.round(Math.toDegrees(Math.atan2(east, north)) / 45);
        return directions[Math.floorMod(eighth, directions.length)];
    }
}
