package dev.lodestone.examples.hunt;

import java.util.Arrays;
import java.util.BitSet;

/**
 * The crossings that can all reach each other: the largest such part of a road map. The rest are car parks behind one-way
 * roads, roads cut off by the edge of the extract, and the like; a route from or to there may not exist.
 */
final class MainComponent {
    private final RoadMap map;
    private final int[] firstArcBack;
    private final int[] sources;

    private MainComponent(RoadMap map) {
        this.map = map;
        this.firstArcBack = new int[map.crossings() + 1];
        this.sources = new int[map.targets().length];
        turnArcs();
    }

    /**
     * Finds it.
     *
     * @param map the roads
     * @return its crossings; empty for an empty map
     */
    static BitSet of(RoadMap map) {
        return new MainComponent(map).largest();
    }

    /** Builds the same arcs grouped by target. */
    private void turnArcs() {
        int[] targets = map.targets();
        for (int target : targets) {
            firstArcBack[target + 1]++;
        }
        for (int node = 0; node < map.crossings(); node++) {
            firstArcBack[node + 1] += firstArcBack[node];
        }
        int[] next = Arrays.copyOf(firstArcBack, map.crossings());
        for (int source = 0; source < map.crossings(); source++) {
            for (int arc = map.firstArc()[source]; arc < map.firstArc()[source + 1]; arc++) {
                sources[next[targets[arc]]++] = source;
            }
        }
    }

    /** Takes each part once, until no larger one can be left. */
    private BitSet largest() {
        BitSet left = new BitSet(map.crossings());
        left.set(0, map.crossings());
        BitSet best = new BitSet();
        for (int start = left.nextSetBit(0); start >= 0; start = left.nextSetBit(0)) {
            BitSet part = reached(start, map.firstArc(), map.targets(), left);
            part.and(reached(start, firstArcBack, sources, left));
            left.andNot(part);
            if (part.cardinality() > best.cardinality()) {
                best = part;
            }
            if (best.cardinality() >= left.cardinality()) {
                break;
            }
        }
        return best;
    }

    private static BitSet reached(int start, int[] firstArc, int[] ends, BitSet within) {
        BitSet reached = new BitSet(within.length());
        int[] pending = new int[within.length()];
        int count = 0;
        reached.set(start);
        pending[count++] = start;
        while (count > 0) {
            int node = pending[--count];
            for (int arc = firstArc[node]; arc < firstArc[node + 1]; arc++) {
                if (within.get(ends[arc]) && !reached.get(ends[arc])) {
                    reached.set(ends[arc]);
                    pending[count++] = ends[arc];
                }
            }
        }
        return reached;
    }
}
