package dev.lodestone.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lodestone.Counter;
import dev.lodestone.Histogram;
import dev.lodestone.Status;
import dev.lodestone.bindings.AbiFingerprint;
import dev.lodestone.bindings.Lodestone;
import dev.lodestone.internal.BridgeLayout;
import dev.lodestone.internal.LayoutTable;
import dev.lodestone.internal.LayoutTable.Place;
import dev.lodestone.internal.NativeLibrary;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What both languages must know is the same on both sides. */
class BindingsTest {
    private static final Path ROOT = Path.of(System.getProperty("lodestone.root"));

    @BeforeAll
    static void load() {
        NativeLibrary.require();
    }

    @Test
    void everyFieldOfEveryStructLiesWhereRustPutsIt() {
        Map<String, Place> library = LayoutTable.ofLibrary();
        assertTrue(library.size() > 60, library.toString());
        assertEquals(List.of(), LayoutTable.differences(library, LayoutTable.ofBindings()));
    }

    @Test
    void aMovedOrMissingFieldIsFound() {
        Map<String, Place> other = new TreeMap<>(LayoutTable.ofBindings());
        other.put("LodestoneError.text", new Place(12, 1_016));
        other.remove("LodestoneHash.revision");
        other.put("LodestoneHash.reversion", new Place(0, 8));
        assertEquals(3, LayoutTable.differences(LayoutTable.ofLibrary(), other).size());
    }

    @Test
    void headerBindingsAndLibraryHaveOneFingerprint() throws IOException {
        long hash = 0xcbf2_9ce4_8422_2325L;
        for (byte one : Files.readAllBytes(ROOT.resolve("native/ffi/include/lodestone.h"))) {
            hash = (hash ^ Byte.toUnsignedInt(one)) * 0x0000_0100_0000_01b3L;
        }
        assertEquals(hash, AbiFingerprint.VALUE);
        assertEquals(hash, Lodestone.lodestone_abi_fingerprint());
    }

    @Test
    void javaKnowsEveryStatusOfTheHeader() throws ReflectiveOperationException {
        String prefix = "LODESTONE_STATUS_";
        int seen = 0;
        for (Method method : Lodestone.class.getMethods()) {
            if (method.getName().startsWith(prefix)) {
                Status status = Status.valueOf(method.getName().substring(prefix.length()));
                assertEquals(method.invoke(null), status.number(), status.name());
                seen++;
            }
        }
        assertTrue(seen >= 29, "only " + seen);
    }

    @Test
    void countersAndHistogramsHaveTheirPlacesInTheRegion() throws IOException {
        List<String> counters = matches("counters.rs", "= (\\d+) \"([a-z_]+)\"");
        assertEquals(Counter.values().length, counters.size());
        for (Counter counter : Counter.values()) {
            assertEquals(counter.ordinal() + " " + counter.label(), counters.get(counter.ordinal()));
        }
        List<String> histograms = matches("histogram.rs", "    ()([A-Z][a-z]+) = \\d+,");
        assertFalse(histograms.isEmpty());
        for (Histogram histogram : Histogram.values()) {
            assertEquals(histogram.name(), histograms.get(histogram.ordinal()).strip().toUpperCase(Locale.ROOT));
        }
    }

    @Test
    void theBridgeLiesWhereRustPutsIt() throws IOException, IllegalAccessException {
        Map<String, Long> rust = new TreeMap<>();
        for (String line : matches("rings/layout.rs", "pub const (\\w+): (?:usize|u16) = ([0-9_]+);")) {
            String[] parts = line.split(" ");
            rust.put(parts[0], Long.parseLong(parts[1].replace("_", "")));
        }
        int compared = 0;
        for (Field field : BridgeLayout.class.getFields()) {
            if (rust.containsKey(field.getName())) {
                assertEquals(rust.get(field.getName()), ((Number) field.get(null)).longValue(), field.getName());
                compared++;
            }
        }
        // BELL_AWAKE, BELL_ASLEEP and SLEEP_NS_MAX are values and no places.
        assertEquals(BridgeLayout.class.getFields().length - 3, compared);
    }

    private static List<String> matches(String file, String pattern) throws IOException {
        String source = Files.readString(ROOT.resolve("native/memory/src").resolve(file));
        return Pattern.compile(pattern).matcher(source).results().map((MatchResult one) -> one.group(1) + " " + one.group(2))
                .toList();
    }
}
