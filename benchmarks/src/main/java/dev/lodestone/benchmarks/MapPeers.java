package dev.lodestone.benchmarks;

import it.unimi.dsi.fastutil.longs.Long2IntOpenHashMap;
import java.util.HashMap;
import java.util.Map;

/** Maps from both ends of an edge to its mask: what a team has that keeps a graph in Java today, and the best of its kind. */
final class MapPeers {
    private MapPeers() {}

    private static long key(int source, int target) {
        return (long) source << 32 | target;
    }

    /** fastutil's open addressing over two primitive arrays, sized for what comes. */
    static final class Fastutil implements GraphPeers.Peer {
        private Long2IntOpenHashMap map = new Long2IntOpenHashMap();

        @Override
        public void load(GraphPeers.Arcs arcs) {
            map = new Long2IntOpenHashMap((int) arcs.count());
            for (long number = 0; number < arcs.count(); number++) {
                int source = arcs.source(number);
                int target = arcs.target(number);
                map.put(key(source, target), GraphPeers.Arcs.mask(source, target));
            }
        }

        @Override
        public void change(int[] sources, int[] targets, int[] masks) {
            for (int index = 0; index < sources.length; index++) {
                map.put(key(sources[index], targets[index]), masks[index]);
            }
        }

        @Override
        public long oneToAll(int source) {
            return -1;
        }
    }

    /** The JDK's map, with a box for each key and value. */
    static final class JdkHashMap implements GraphPeers.Peer {
        private Map<Long, Integer> map = new HashMap<>();

        @Override
        public void load(GraphPeers.Arcs arcs) {
            map = HashMap.newHashMap((int) arcs.count());
            for (long number = 0; number < arcs.count(); number++) {
                int source = arcs.source(number);
                int target = arcs.target(number);
                map.put(key(source, target), GraphPeers.Arcs.mask(source, target));
            }
        }

        @Override
        public void change(int[] sources, int[] targets, int[] masks) {
            for (int index = 0; index < sources.length; index++) {
                map.put(key(sources[index], targets[index]), masks[index]);
            }
        }

        @Override
        public long oneToAll(int source) {
            return -1;
        }
    }
}
