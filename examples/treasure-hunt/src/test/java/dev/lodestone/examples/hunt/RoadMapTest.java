package dev.lodestone.examples.hunt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Reading road graphs and finding crossings on them. */
class RoadMapTest {
    private static final Path DATA = Path.of(System.getProperty("lodestone.root"), "data");

    @Test
    void delawareIsReadWholeAndItsTownsAreOnIt() throws HuntException {
        RoadMap map = RoadMapReader.read(DATA.resolve("delaware.lsg"));
        assertEquals(316_183, map.crossings());
        assertEquals(625_040, map.targets().length);
        assertEquals(7_200, map.unitMillimetres());
        assertTrue(map.attribution().contains("OpenStreetMap contributors"), map.attribution());
        BitSet main = MainComponent.of(map);
        assertTrue(main.cardinality() > 0.9 * map.crossings(), () -> main.cardinality() + " crossings hang together");
        for (Place place : Place.DELAWARE) {
            int crossing = Crossings.nearest(map, main, place).orElseThrow();
            assertTrue(main.get(crossing) && map.metres(crossing, place) < 200, place.name());
        }
    }

    @Test
    void damagedFilesAreRefusedOrReadButNeverBreakTheReader() throws IOException {
        byte[] good = Files.readAllBytes(DATA.resolve("andorra.lsg"));
        for (long seed = 0; seed < 200; seed++) {
            Random random = new Random(seed);
            byte[] damaged = Arrays.copyOf(good, seed % 2 == 0 ? random.nextInt(good.length) : good.length);
            for (int changes = 0; changes < 3 && damaged.length > 0; changes++) {
                damaged[random.nextInt(Math.min(damaged.length, seed % 4 == 3 ? 40 : good.length))] = (byte) random.nextInt();
            }
            try {
                RoadMapReader.decode(damaged, "damaged");
            } catch (HuntException refused) {
                assertTrue(refused.getMessage().startsWith("damaged is not a road graph file"), "seed " + seed);
            } catch (RuntimeException | OutOfMemoryError bad) {
                throw new AssertionError("seed " + seed, bad);
            }
        }
    }

    @Test
    void missingFileIsNamed() {
        HuntException missing = assertThrows(HuntException.class, () -> RoadMapReader.read(Path.of("no-such.lsg")));
        assertTrue(missing.getMessage().contains("no-such.lsg") && missing.getMessage().contains("--map"), missing.getMessage());
    }

    /** 0, 1, 2 form a ring; 3 can only be left, 4 only be entered, 5 and 6 are a small part of their own. */
    private static RoadMap ring() {
        int[] latitudes = {390_000_000, 390_100_000, 390_200_000, 390_010_000, 390_020_000, 0, 0};
        int[] longitudes = {-750_000_000, -750_000_000, -750_000_000, -750_000_000, -750_000_000, 0, 0};
        return new RoadMap(latitudes, longitudes, new int[] {0, 1, 2, 4, 5, 5, 6, 7}, new int[] {1, 2, 0, 4, 0, 6, 5}, 7_200, "");
    }

    @Test
    void mainComponentIsTheLargestPartInWhichAllReachAll() {
        BitSet expected = new BitSet();
        expected.set(0, 3);
        assertEquals(expected, MainComponent.of(ring()));
        RoadMap empty = new RoadMap(new int[0], new int[0], new int[] {0}, new int[0], 1, "");
        assertEquals(new BitSet(), MainComponent.of(empty));
    }

    @Test
    void nearestCrossingIsOneOfTheAllowedAndWithinReach() {
        RoadMap map = ring();
        BitSet main = MainComponent.of(map);
        // Nodes 3 and 4 are nearer to this place, but cannot be used.
        assertEquals(OptionalInt.of(0), Crossings.nearest(map, main, new Place("near", 39.0015, -75.0)));
        assertEquals(OptionalInt.of(2), Crossings.nearest(map, main, new Place("north", 39.03, -75.0)));
        assertEquals(OptionalInt.empty(), Crossings.nearest(map, main, new Place("far", 39.5, -75.0)));
        assertEquals(OptionalInt.empty(), Crossings.nearest(map, new BitSet(), new Place("near", 39.0, -75.0)));
    }

    @Test
    void distancesAreGreatCircle() {
        assertEquals(111_195.1, RoadMap.metres(39, -75, 40, -75), 0.5);
        assertEquals(86_413.9, RoadMap.metres(39, -75, 39, -76), 1.0);
        assertEquals(7.2, ring().kilometres(1_000), 1e-9);
    }

    @Test
    void positionsAreDescribedByTheNearestTown() {
        assertEquals("0.0 km north of Dover", Place.describe(Place.DELAWARE, 39.1581680, -75.5243682));
        assertEquals("1.1 km north of Dover", Place.describe(Place.DELAWARE, 39.168, -75.5243682));
        assertEquals("1.4 km south-west of Dover", Place.describe(Place.DELAWARE, 39.149, -75.536));
        assertEquals("at 1.0000, 2.0000", Place.describe(List.of(), 1, 2));
    }
}
