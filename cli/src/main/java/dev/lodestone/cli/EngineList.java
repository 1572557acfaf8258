package dev.lodestone.cli;

import dev.lodestone.AttachException;
import dev.lodestone.AttachMode;
import dev.lodestone.AttachedEngine;
import dev.lodestone.Engine;
import dev.lodestone.EngineException;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The engines whose regions lie in a folder, living or not, in the order of their files' names.
 *
 * @param rows one for each region file
 * @param left region files beyond the first {@value #ROWS_MAX}, which are not looked at
 */
record EngineList(List<Row> rows, int left) {
    static final int ROWS_MAX = 256;

    /**
     * A region file and what is known of its engine.
     *
     * @param file the file
     * @param state the state of the engine, or why it cannot be told
     * @param alive whether it is open and its process lives
     * @param pid its process, 0 when not known
     * @param age time since it was opened, null when not known
     * @param revision its revision
     */
    record Row(Path file, String state, boolean alive, long pid, Duration age, long revision) {
        Map<String, Object> json() {
            Map<String, Object> object = new LinkedHashMap<>();
            object.put("file", file.toString());
            object.put("state", state);
            object.put("alive", alive);
            object.put("pid", pid == 0 ? null : pid);
            object.put("age_ms", age == null ? null : age.toMillis());
            object.put("revision", alive ? Json.unsigned(revision) : null);
            return object;
        }

        String text() {
            return alive
                    ? String.format(Locale.ROOT, "  %s  pid %d  open for %s  revision %,d  %s", file, pid, Texts.age(age),
                            revision, state)
                    : "  " + file + "  " + state;
        }
    }

    /** Looks at all of them. A folder that cannot be read is an {@link AttachException}. */
    static EngineList of(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new AttachException(AttachException.Reason.ABSENT, folder, "is no folder", null);
        }
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(folder, "lodestone-*.region")) {
            all.forEach(files::add);
        } catch (DirectoryIteratorException bad) {
            throw unreadable(folder, bad.getCause());
        } catch (IOException bad) {
            throw unreadable(folder, bad);
        }
        files.sort(null);
        List<Row> rows = files.stream().limit(ROWS_MAX).map(EngineList::row).toList();
        return new EngineList(rows, files.size() - rows.size());
    }

    private static AttachException unreadable(Path folder, IOException bad) {
        return new AttachException(AttachException.Reason.PERMISSION, folder, "cannot be listed: " + bad, bad);
    }

    private static Row row(Path file) {
        try (AttachedEngine engine = Engine.attach(file, AttachMode.READ_ONLY)) {
            Duration age = Duration.between(engine.openedAt(), Instant.now());
            return new Row(file, StatText.name(engine.state()), engine.isAlive(), engine.pid(),
                    age.isNegative() ? Duration.ZERO : age, engine.revision());
        } catch (AttachException refused) {
            return dead(file, StatText.name(refused.reason()));
        } catch (EngineException gone) {
            return dead(file, "gone");
        }
    }

    private static Row dead(Path file, String state) {
        return new Row(file, state, false, 0, null, 0);
    }

    boolean hasLiving() {
        return rows.stream().anyMatch(Row::alive);
    }

    List<String> table() {
        List<String> lines = new ArrayList<>(rows.stream().map(Row::text).toList());
        if (left > 0) {
            lines.add("  and " + left + " more files, which were not looked at");
        }
        return lines;
    }
}
