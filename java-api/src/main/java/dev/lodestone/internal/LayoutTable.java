package dev.lodestone.internal;

import dev.lodestone.NativeLibraryException;
import dev.lodestone.bindings.Lodestone;
import dev.lodestone.bindings.LodestoneClientInfo;
import dev.lodestone.bindings.LodestoneCompletion;
import dev.lodestone.bindings.LodestoneDescription;
import dev.lodestone.bindings.LodestoneError;
import dev.lodestone.bindings.LodestoneHash;
import dev.lodestone.bindings.LodestoneLayout;
import dev.lodestone.bindings.LodestoneLoad;
import dev.lodestone.bindings.LodestoneMove;
import dev.lodestone.bindings.LodestoneNodeNews;
import dev.lodestone.bindings.LodestoneProgress;
import dev.lodestone.bindings.LodestoneRequest;
import dev.lodestone.bindings.LodestoneRollback;
import dev.lodestone.bindings.LodestoneRoute;
import dev.lodestone.bindings.LodestoneRouteAnswer;
import dev.lodestone.bindings.LodestoneSession;
import dev.lodestone.bindings.LodestoneSubmission;
import dev.lodestone.bindings.NativeAccess;
import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Compares where Rust and the bindings put each field of each struct. */
public final class LayoutTable {
    private static final List<MemoryLayout> STRUCTS = List.of(
            LodestoneClientInfo.layout(), LodestoneCompletion.layout(), LodestoneDescription.layout(), LodestoneError.layout(),
            LodestoneHash.layout(), LodestoneLayout.layout(), LodestoneLoad.layout(), LodestoneMove.layout(),
            LodestoneNodeNews.layout(),
            LodestoneProgress.layout(), LodestoneRequest.layout(), LodestoneRollback.layout(), LodestoneRoute.layout(),
            LodestoneRouteAnswer.layout(), LodestoneSession.layout(), LodestoneSubmission.layout());

    /**
     * Where a struct or field lies.
     *
     * @param offset bytes from the struct's start
     * @param bytes bytes it takes
     */
    public record Place(long offset, long bytes) {}

    private LayoutTable() {}

    /**
     * Refuses a library that puts a field elsewhere than the bindings do.
     *
     * @throws NativeLibraryException naming the first fields that differ
     */
    public static void require() {
        List<String> differences = differences(ofLibrary(), ofBindings());
        if (!differences.isEmpty()) {
            throw new NativeLibraryException("library and bindings lay out values differently: "
                    + String.join("; ", differences.subList(0, Math.min(3, differences.size()))),
                    "run make bindings and build again", null);
        }
    }

    /**
     * Compares two tables.
     *
     * @param library what Rust says
     * @param bindings what the bindings say
     * @return one line a difference, none when they agree
     */
    public static List<String> differences(Map<String, Place> library, Map<String, Place> bindings) {
        List<String> lines = new ArrayList<>();
        TreeMap<String, Place> all = new TreeMap<>(library);
        all.putAll(bindings);
        for (String name : all.keySet()) {
            Place rust = library.get(name);
            Place java = bindings.get(name);
            if (rust == null || !rust.equals(java)) {
                lines.add(name + " is " + rust + " in Rust and " + java + " in Java");
            }
        }
        return lines;
    }

    /**
     * The table of the loaded library.
     *
     * @return places by name, {@code Struct} or {@code Struct.field}
     */
    public static Map<String, Place> ofLibrary() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment entries = arena.allocate(ValueLayout.ADDRESS);
            MemorySegment count = arena.allocate(ValueLayout.JAVA_LONG);
            int status = Lodestone.lodestone_layout_list(entries, count);
            if (status != 0) {
                throw new NativeLibraryException("the library refuses to list its layouts, status " + status,
                        "use the jars of one version together", null);
            }
            long address = entries.get(ValueLayout.JAVA_LONG, 0);
            Map<String, Place> table = new TreeMap<>();
            for (long index = 0; index < count.get(ValueLayout.JAVA_LONG, 0); index++) {
                MemorySegment entry = NativeAccess.ALL.asSlice(
                        address + index * LodestoneLayout.sizeof(), LodestoneLayout.layout());
                Place place = new Place(LodestoneLayout.offset(entry), LodestoneLayout.bytes(entry));
                table.put(Texts.padded(LodestoneLayout.name(entry)), place);
            }
            return table;
        }
    }

    /**
     * The table of the bindings.
     *
     * @return places by name, {@code Struct} or {@code Struct.field}
     */
    public static Map<String, Place> ofBindings() {
        Map<String, Place> table = new TreeMap<>();
        for (MemoryLayout layout : STRUCTS) {
            StructLayout struct = (StructLayout) layout;
            String name = struct.name().orElseThrow();
            table.put(name, new Place(0, struct.byteSize()));
            for (MemoryLayout member : struct.memberLayouts()) {
                if (member.name().isPresent()) {
                    String field = member.name().get();
                    long offset = struct.byteOffset(PathElement.groupElement(field));
                    table.put(name + "." + field, new Place(offset, member.byteSize()));
                }
            }
        }
        return table;
    }
}
