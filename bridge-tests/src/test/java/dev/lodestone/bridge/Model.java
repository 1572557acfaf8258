package dev.lodestone.bridge;

import dev.lodestone.Status;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The rules of docs/protocol.md, written down as plainly as possible and with no thought of speed. */
final class Model {
    /** A node's slot. */
    record Slot(int target, int mask, long version, byte[] payload) {}

    final int nodesMax;
    final int slotsMax;
    final int edgesMax;
    final Map<Integer, Slot> slots;
    final Map<Integer, Long> versions;
    /** Masks by source, then target. */
    final TreeMap<Integer, TreeMap<Integer, Integer>> edges;

    Model(int nodesMax, int slotsMax, int edgesMax) {
        this(nodesMax, slotsMax, edgesMax, new TreeMap<>(), new TreeMap<>(), new TreeMap<>());
    }

    private Model(int nodesMax, int slotsMax, int edgesMax, Map<Integer, Slot> slots, Map<Integer, Long> versions,
            TreeMap<Integer, TreeMap<Integer, Integer>> edges) {
        this.nodesMax = nodesMax;
        this.slotsMax = slotsMax;
        this.edgesMax = edgesMax;
        this.slots = slots;
        this.versions = versions;
        this.edges = edges;
    }

    Model copy() {
        TreeMap<Integer, TreeMap<Integer, Integer>> copied = new TreeMap<>();
        edges.forEach((source, targets) -> copied.put(source, new TreeMap<>(targets)));
        return new Model(nodesMax, slotsMax, edgesMax, new TreeMap<>(slots), new TreeMap<>(versions), copied);
    }

    long version(int node) {
        return versions.getOrDefault(node, 0L);
    }

    /** The 256 bytes of a node's slot, in hexadecimal; all zero when it has none. */
    String slotHex(int node) {
        ByteBuffer bytes = ByteBuffer.allocate(256).order(ByteOrder.LITTLE_ENDIAN);
        Slot slot = slots.get(node);
        if (slot != null) {
            bytes.putInt(node).putInt(slot.target()).putInt(slot.mask()).put((byte) weight(slot.mask())).put((byte) 1);
            bytes.putShort((short) slot.payload().length).putLong(slot.version()).put(slot.payload());
        }
        return HexFormat.of().formatHex(bytes.array());
    }

    int edgesCount() {
        return edges.values().stream().mapToInt(TreeMap::size).sum();
    }

    Status move(int source, int target, int mask, long expected, byte[] payload) {
        if (source < 0 || source >= nodesMax || target < 0 || target >= nodesMax || source == target) {
            return Status.OUT_OF_BOUNDS;
        }
        if (expected != 0 && (expected != version(source) || !slots.containsKey(source))) {
            return Status.CONFLICT;
        }
        if (!slots.containsKey(source) && slots.size() == slotsMax) {
            return Status.ARENA_EXHAUSTED;
        }
        TreeMap<Integer, Integer> targets = edges.getOrDefault(source, new TreeMap<>());
        if (mask != 0 && !targets.containsKey(target) && edgesCount() == edgesMax) {
            return Status.GRAPH_FULL;
        }
        if (mask == 0) {
            targets.remove(target);
        } else {
            targets.put(target, mask);
            edges.put(source, targets);
        }
        versions.put(source, version(source) + 1);
        slots.put(source, new Slot(target, mask, version(source), payload));
        return Status.OK;
    }

    Status release(int node) {
        if (node < 0 || node >= nodesMax) {
            return Status.OUT_OF_BOUNDS;
        }
        return slots.remove(node) == null ? Status.NO_SLOT : Status.OK;
    }

    static int weight(int mask) {
        return mask & 0xff ^ mask >>> 8 & 0xff;
    }

    /**
     * The shortest path: least distance, then fewest edges, then the lowest predecessor from the target backwards; empty
     * when there is none. The distance is put before the nodes.
     */
    List<Long> route(int source, int target) {
        long[] labels = new long[nodesMax];
        Arrays.fill(labels, Long.MAX_VALUE);
        labels[source] = 0;
        boolean changed = true;
        while (changed) {
            changed = false;
            for (var from : edges.entrySet()) {
                for (var to : from.getValue().entrySet()) {
                    long through = through(labels[from.getKey()], to.getValue());
                    if (through < labels[to.getKey()]) {
                        labels[to.getKey()] = through;
                        changed = true;
                    }
                }
            }
        }
        if (labels[target] == Long.MAX_VALUE) {
            return List.of();
        }
        List<Long> path = new ArrayList<>();
        int node = target;
        while (node != source) {
            path.add((long) node);
            node = predecessor(labels, node);
        }
        path.add((long) source);
        path.add(labels[target] >>> 32);
        Collections.reverse(path);
        return path;
    }

    /** Distance in the upper half, edges in the lower one. */
    private static long through(long label, int mask) {
        return label == Long.MAX_VALUE ? label : label + ((long) weight(mask) << 32) + 1;
    }

    private int predecessor(long[] labels, int node) {
        for (var from : edges.entrySet()) {
            Integer mask = from.getValue().get(node);
            if (mask != null && labels[from.getKey()] != Long.MAX_VALUE && through(labels[from.getKey()], mask) == labels[node]) {
                return from.getKey();
            }
        }
        throw new IllegalStateException("node " + node + " has a label and no predecessor");
    }
}
