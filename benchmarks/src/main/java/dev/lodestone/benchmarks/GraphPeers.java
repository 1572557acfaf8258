package dev.lodestone.benchmarks;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What Java has for a graph of edges, measured in turns with the engine: this process waits while others measure.
 *
 * <p>Loads the uniform graph that the Rust program makes, arc for arc, or a smaller one of its kind. Prints a line of JSON
 * when it is ready; then, for each line {@code TURN ROUND} on standard input, measures one round and prints what it found:
 * {@code {"metric": ["unit", value]}}. Ends with its input. Left out: whoever feeds a map, and what a service needs besides
 * (undo, hash, routes).
 */
public final class GraphPeers {
    /** Changes that are drawn, untimed, before they are timed together: as many as a batch of the engine. */
    static final int RUN = 128;

    private final Arcs arcs;
    private final Peer peer;
    private final long changes;
    private final long[] numbers = new long[RUN];
    private long drawn;

    /** A structure under test. */
    interface Peer {
        /**
         * Sets every arc.
         *
         * @param arcs all of them
         */
        void load(Arcs arcs);

        /**
         * Looks up and changes existing arcs; timed.
         *
         * @param sources where they begin
         * @param targets where they end
         * @param masks what they become
         */
        void change(int[] sources, int[] targets, int[] masks);

        /**
         * Distances from one node to all.
         *
         * @param source the node
         * @return the sum of the distances of all nodes reached, or a negative number where the structure has no routes
         */
        long oneToAll(int source);
    }

    private GraphPeers(Peer peer, Arcs arcs, long changes) {
        this.peer = peer;
        this.arcs = arcs;
        this.changes = changes;
    }

    /**
     * Loads, then takes its turns.
     *
     * @param arguments the peer (fastutil, jdk_hash_map, jgrapht), the graph's name in the results, its nodes and degree, and
     *     the changes of a round
     * @throws IOException when standard input breaks
     */
    public static void main(String[] arguments) throws IOException {
        Peer peer = switch (arguments[0]) {
            case "fastutil" -> new MapPeers.Fastutil();
            case "jdk_hash_map" -> new MapPeers.JdkHashMap();
            case "jgrapht" -> new JgraphtPeer();
            default -> throw new IllegalArgumentException("there is no peer " + arguments[0]);
        };
        Arcs arcs = new Arcs(Integer.parseInt(arguments[2]), Integer.parseInt(arguments[3]));
        new GraphPeers(peer, arcs, Long.parseLong(arguments[4])).run(arguments[1] + "." + arguments[0]);
    }

    private void run(String name) throws IOException {
        print(loaded(name));
        BufferedReader turns = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = turns.readLine(); line != null; line = turns.readLine()) {
            String[] turn = line.split(" ");
            print(turn[0].endsWith("one_to_all") ? paths(name, Long.parseLong(turn[1])) : changes(name));
        }
    }

    private Map<String, String> loaded(String name) {
        long heapBefore = heapBytes();
        long started = System.nanoTime();
        peer.load(arcs);
        double seconds = (System.nanoTime() - started) / 1e9;
        double bytes = (double) (heapBytes() - heapBefore) / arcs.count();
        // The just-in-time compiler has seen everything before the first round counts.
        for (int warmUp = 0; warmUp < 3; warmUp++) {
            nanosecondsOfChange();
            peer.oneToAll(arcs.source(warmUp));
        }
        Map<String, String> results = new TreeMap<>();
        put(results, name + ".arcs", "arcs", arcs.count());
        put(results, name + ".load", "s", seconds);
        put(results, name + ".bytes", "B/edge", bytes);
        return results;
    }

    private Map<String, String> changes(String name) {
        Map<String, String> results = new TreeMap<>();
        put(results, name + ".change", "ns", nanosecondsOfChange());
        return results;
    }

    private double nanosecondsOfChange() {
        int[] sources = new int[RUN];
        int[] targets = new int[RUN];
        int[] masks = new int[RUN];
        long spent = 0;
        for (long run = 0; run < changes / RUN; run++) {
            for (int index = 0; index < RUN; index++) {
                numbers[index] = Long.remainderUnsigned(Arcs.mix(++drawn), arcs.count());
                sources[index] = arcs.source(numbers[index]);
                targets[index] = arcs.target(numbers[index]);
                masks[index] = 0x1_0000 | (int) drawn & 0xffff;
            }
            long started = System.nanoTime();
            peer.change(sources, targets, masks);
            spent += System.nanoTime() - started;
        }
        return (double) spent / (changes / RUN * RUN);
    }

    private Map<String, String> paths(String name, long round) {
        // A change of before must not lengthen what the other contenders find.
        peer.load(arcs);
        int source = arcs.source(Long.remainderUnsigned(Arcs.mix(round), arcs.count()));
        long started = System.nanoTime();
        long sum = peer.oneToAll(source);
        double spent = (double) (System.nanoTime() - started) / arcs.count();
        Map<String, String> results = new TreeMap<>();
        put(results, name + ".one_to_all", "ns/arc", spent);
        put(results, name + ".sum", "units", sum);
        return results;
    }

    private static void put(Map<String, String> results, String name, String unit, double value) {
        results.put(name, String.format(Locale.ROOT, "[\"%s\", %.6f]", unit, value));
    }

    private static void print(Map<String, String> results) {
        System.out.println(results.entrySet().stream().map(entry -> "\"" + entry.getKey() + "\": " + entry.getValue())
                .collect(Collectors.joining(", ", "{", "}")));
    }

    private static long heapBytes() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    /**
     * The uniform graph of the Rust program: every node has as many arcs, to nodes that look random.
     *
     * @param nodes nodes are numbered below this
     * @param degree arcs that leave each
     */
    record Arcs(int nodes, int degree) {
        long count() {
            return (long) nodes * degree;
        }

        int source(long number) {
            return (int) (number / degree);
        }

        int target(long number) {
            long source = number / degree;
            long away = Long.remainderUnsigned(mix(source << 32 | number % degree), nodes - 1L);
            return (int) ((source + 1 + away) % nodes);
        }

        static int mask(int source, int target) {
            return 0x1_0000 | (int) mix((long) source << 32 | target) & 0xffff;
        }

        static int weight(int mask) {
            return mask & 0xff ^ mask >> 8 & 0xff;
        }

        static long mix(long value) {
            long mixed = value + 0x9e37_79b9_7f4a_7c15L;
            mixed = (mixed ^ mixed >>> 30) * 0xbf58_476d_1ce4_e5b9L;
            mixed = (mixed ^ mixed >>> 27) * 0x94d0_49bb_1331_11ebL;
            return mixed ^ mixed >>> 31;
        }
    }
}
