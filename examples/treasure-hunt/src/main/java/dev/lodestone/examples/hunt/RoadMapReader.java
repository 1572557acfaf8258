package dev.lodestone.examples.hunt;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Reads a road graph file ({@code .lsg}); its layout stands in native/map/src/lib.rs. The engine has judged the file before
 * (checksum and all), so this reader only makes sure that it stays within the bytes.
 */
final class RoadMapReader {
    private static final long MAGIC = 0x3148_5041_5247_534CL; // "LSGRAPH1", little-endian
    private static final int HEADER_BYTES = 26;
    private static final int CHECKSUM_BYTES = 8;

    private final ByteBuffer bytes;

    private RoadMapReader(byte[] bytes) {
        this.bytes = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * Reads a file.
     *
     * @param file the file
     * @return the roads
     * @throws HuntException when it cannot be read or is no such file
     */
    static RoadMap read(Path file) throws HuntException {
        try {
            return decode(Files.readAllBytes(file), file.toString());
        } catch (IOException bad) {
            throw new HuntException("The road graph " + file + " cannot be read: " + bad
                    + ". What to do: run from the top folder of the repository, or give --map FILE.", bad);
        }
    }

    /** Reads the bytes of a file; the name is for messages. */
    static RoadMap decode(byte[] bytes, String name) throws HuntException {
        try {
            return new RoadMapReader(bytes).map();
        } catch (RuntimeException bad) {
            throw new HuntException(name + " is not a road graph file: " + bad.getMessage(), bad);
        }
    }

    private RoadMap map() {
        if (bytes.limit() < HEADER_BYTES + CHECKSUM_BYTES || bytes.getLong() != MAGIC || bytes.getInt() != 1) {
            throw new IllegalArgumentException("it does not begin with LSGRAPH1 and version 1");
        }
        int nodes = count(bytes.getInt());
        int arcs = count(bytes.getInt());
        long unitMillimetres = Integer.toUnsignedLong(bytes.getInt());
        byte[] attribution = new byte[Short.toUnsignedInt(bytes.getShort())];
        bytes.get(attribution);
        int[] latitudes = new int[nodes];
        int[] longitudes = new int[nodes];
        readPlaces(latitudes, longitudes);
        int[] firstArc = readDegrees(nodes, arcs);
        int[] targets = readTargets(firstArc);
        return new RoadMap(latitudes, longitudes, firstArc, targets, unitMillimetres,
                new String(attribution, StandardCharsets.UTF_8));
    }

    /** Every node and every arc takes at least two bytes, so a larger number cannot be true. */
    private int count(int number) {
        if (Integer.compareUnsigned(number, bytes.limit() / 2) > 0) {
            throw new IllegalArgumentException("it promises more than it holds");
        }
        return number;
    }

    private void readPlaces(int[] latitudes, int[] longitudes) {
        int latitude = 0;
        int longitude = 0;
        for (int node = 0; node < latitudes.length; node++) {
            latitude += (int) signed();
            longitude += (int) signed();
            latitudes[node] = latitude;
            longitudes[node] = longitude;
        }
    }

    private int[] readDegrees(int nodes, int arcs) {
        int[] firstArc = new int[nodes + 1];
        for (int node = 0; node < nodes; node++) {
            long end = firstArc[node] + varint();
            if (end > arcs) {
                throw new IllegalArgumentException("its degrees do not fit its arcs");
            }
            firstArc[node + 1] = (int) end;
        }
        return firstArc;
    }

    private int[] readTargets(int[] firstArc) {
        int nodes = firstArc.length - 1;
        int[] targets = new int[firstArc[nodes]];
        for (int source = 0; source < nodes; source++) {
            for (int arc = firstArc[source]; arc < firstArc[source + 1]; arc++) {
                targets[arc] = Math.toIntExact(source + signed());
                if (targets[arc] < 0 || targets[arc] >= nodes) {
                    throw new IllegalArgumentException("arc " + arc + " leads nowhere");
                }
                bytes.get(); // the weight: distances come from the engine
            }
        }
        return targets;
    }

    private long varint() {
        long value = 0;
        for (int shift = 0; shift < 35; shift += 7) {
            byte next = bytes.get();
            value |= (long) (next & 0x7f) << shift;
            if (next >= 0) {
                return value;
            }
        }
        throw new IllegalArgumentException("a number is too long at byte " + bytes.position());
    }

    private long signed() {
        long zigzag = varint();
        return zigzag >>> 1 ^ -(zigzag & 1);
    }
}
