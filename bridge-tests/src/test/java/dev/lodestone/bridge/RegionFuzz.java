package dev.lodestone.bridge;

import dev.lodestone.AttachMode;
import dev.lodestone.AttachedEngine;
import dev.lodestone.Engine;
import dev.lodestone.EngineException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * The fuzz target of {@code ci/jazzer.sh}: an input is a list of changes to the file of a region, which is then attached to and
 * read to its ends. Coverage of the product's classes guides it; the JVM that it runs in is the one that must not crash.
 */
public final class RegionFuzz {
    private static final int SECTIONS_AT = 64;
    private static final int SECTION_BYTES = 32;
    private static final int SECTIONS = 11;
    private static final int FIELDS = 4;

    private static byte[] good;
    private static Path file;
    private static FileChannel channel;
    private static Locked locked;

    private RegionFuzz() {}

    /**
     * Makes the file.
     *
     * @throws IOException when it cannot
     */
    public static void fuzzerInitialize() throws IOException {
        Path folder = Files.createTempDirectory(Path.of("/dev/shm"), "lodestone-fuzz");
        try (Engine engine = Engine.open(Engines.small().set("runtime.shared_region", "file")
                .set("runtime.shared_region_directory", "\"" + folder + "\"").build())) {
            for (int node = 0; node < 100; node++) {
                Engines.move(engine, node, node + 1, 0x1_0002);
            }
            for (int round = 0; round < 20; round++) {
                engine.rollback(engine.revision());
            }
            engine.graph().watch(3);
            good = Files.readAllBytes(engine.regionPath().orElseThrow());
        }
        file = Files.write(folder.resolve("bytes"), good);
        channel = FileChannel.open(file, StandardOpenOption.WRITE);
        locked = Locked.of(file);
    }

    /**
     * Removes the file.
     *
     * @throws IOException when it cannot
     */
    public static void fuzzerTearDown() throws IOException {
        locked.close();
        channel.close();
        Files.deleteIfExists(file);
        Files.deleteIfExists(file.getParent());
    }

    /**
     * One input.
     *
     * @param input the changes: a place of three bytes, a value of eight, again and again
     * @throws IOException when the file cannot be written
     */
    public static void fuzzerTestOneInput(byte[] input) throws IOException {
        ByteBuffer changes = ByteBuffer.wrap(input).order(ByteOrder.LITTLE_ENDIAN);
        List<Integer> changed = new ArrayList<>();
        while (changes.remaining() >= 3 + Long.BYTES) {
            int at = place(changes.get(), Short.toUnsignedInt(changes.getShort()));
            ByteBuffer value = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(0, changes.getLong());
            if (at <= good.length - Long.BYTES) {
                channel.write(value, at);
                changed.add(at);
            }
        }
        boolean cut = changes.remaining() == 1;
        if (cut) {
            channel.truncate((long) good.length * Byte.toUnsignedInt(changes.get()) / 256);
        }
        try (AttachedEngine engine = Engine.attach(file, AttachMode.READ_ONLY)) {
            RegionReads.all(engine, new Random(input.length));
        } catch (EngineException refused) {
            // One of the answers there are.
            return;
        } finally {
            mend(changed, cut);
        }
    }

    /** A word of the header, a field of the section table, or a word of a section, near its beginning or not. */
    private static int place(byte kind, int number) {
        int section = Math.floorMod(kind / 4, SECTIONS);
        int entry = SECTIONS_AT + section * SECTION_BYTES;
        int offset = (int) ByteBuffer.wrap(good).order(ByteOrder.LITTLE_ENDIAN).getLong(entry + Long.BYTES);
        return switch (kind & 3) {
            case 0 -> number % 512 * Long.BYTES;
            case 1 -> entry + number % FIELDS * Long.BYTES;
            case 2 -> offset + number % 64 * Long.BYTES;
            default -> offset + number * Long.BYTES;
        };
    }

    private static void mend(List<Integer> changed, boolean cut) throws IOException {
        if (cut) {
            channel.write(ByteBuffer.wrap(good), 0);
        }
        for (int at : changed) {
            channel.write(ByteBuffer.wrap(good, at, Long.BYTES), at);
        }
    }
}
