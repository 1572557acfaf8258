package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * What became of the records of one kind of processes that are killed, counted by comparing what came with what they had
 * committed. Counts are told before they are judged: printed, and added as a line of JSON to the file that
 * {@code lodestone.kills.file} names.
 */
final class Kills {
    private static final String FILE = System.getProperty("lodestone.kills.file");
    private static final int PLACES_SHOWN = 5;

    private final String kind;
    private final List<String> places = new ArrayList<>();
    private long kills;
    private long records;
    private long repaired;
    private long lost;
    private long torn;
    private long doubled;
    private long stalls;

    Kills(String kind) {
        this.kind = kind;
    }

    /** One more was killed. */
    void killed() {
        kills++;
    }

    /** Records came and were compared. */
    void came(long count) {
        records += count;
    }

    /** Claims were turned into padding by the engine. */
    void repaired(long count) {
        repaired += count;
    }

    /** Records were committed and did not come. */
    void lost(long count, String where) {
        lost += noted(count, "lost", where);
    }

    /** Something came that is not what was written. */
    void torn(long count, String where) {
        torn += noted(count, "torn", where);
    }

    /** Records came that were not committed, or twice. */
    void doubled(long count, String where) {
        doubled += noted(count, "doubled", where);
    }

    /** Something did not go on. */
    void stalled(String where) {
        stalls += noted(1, "stalled", where);
    }

    private long noted(long count, String what, String where) {
        if (count > 0 && places.size() < PLACES_SHOWN) {
            places.add(count + " " + what + ", " + where);
        }
        return Math.max(count, 0);
    }

    /** Whether nothing was wrong so far. */
    boolean areHarmless() {
        return lost + torn + doubled + stalls == 0;
    }

    private String json() {
        return "{\"kind\": \"" + kind + "\", \"kills\": " + kills + ", \"records\": " + records + ", \"repaired\": " + repaired
                + ", \"lost\": " + lost + ", \"torn\": " + torn + ", \"doubled\": " + doubled + ", \"stalls\": " + stalls + "}\n";
    }

    /** Tells the counts of all, then fails where one is not harmless. */
    static void judge(Kills... all) {
        StringBuilder lines = new StringBuilder();
        List<String> wrong = new ArrayList<>();
        for (Kills one : all) {
            lines.append(one.json());
            wrong.addAll(one.places);
        }
        System.out.print(lines);
        if (FILE != null) {
            try {
                Files.writeString(Path.of(FILE), lines, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            } catch (IOException broken) {
                throw new UncheckedIOException(broken);
            }
        }
        assertTrue(wrong.isEmpty(), () -> String.join("\n", wrong) + "\n" + lines);
    }
}
