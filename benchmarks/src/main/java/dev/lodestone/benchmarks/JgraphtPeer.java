package dev.lodestone.benchmarks;

import org.jgrapht.alg.interfaces.ShortestPathAlgorithm.SingleSourcePaths;
import org.jgrapht.alg.shortestpath.IntVertexDijkstraShortestPath;
import org.jgrapht.graph.DefaultGraphType;
import org.jgrapht.graph.DefaultWeightedEdge;
import org.jgrapht.opt.graph.fastutil.FastutilMapIntVertexGraph;
import org.jgrapht.util.SupplierUtil;

/** JGraphT in its compact form: nodes are ints, edges objects, both in fastutil's maps; its search for nodes that are ints. */
final class JgraphtPeer implements GraphPeers.Peer {
    private final FastutilMapIntVertexGraph<DefaultWeightedEdge> graph = new FastutilMapIntVertexGraph<>(
            null, SupplierUtil.createDefaultWeightedEdgeSupplier(), DefaultGraphType.directedSimple().asWeighted());
    private final IntVertexDijkstraShortestPath<DefaultWeightedEdge> search = new IntVertexDijkstraShortestPath<>(graph);
    private int nodes;

    /** Adds what is missing and sets every weight, so that a second call undoes changes. */
    @Override
    public void load(GraphPeers.Arcs arcs) {
        nodes = arcs.nodes();
        for (int node = 0; node < nodes; node++) {
            graph.addVertex(node);
        }
        for (long number = 0; number < arcs.count(); number++) {
            int source = arcs.source(number);
            int target = arcs.target(number);
            int weight = GraphPeers.Arcs.weight(GraphPeers.Arcs.mask(source, target));
            DefaultWeightedEdge added = graph.addEdge(source, target);
            graph.setEdgeWeight(added == null ? graph.getEdge(source, target) : added, weight);
        }
    }

    @Override
    public void change(int[] sources, int[] targets, int[] masks) {
        for (int index = 0; index < sources.length; index++) {
            DefaultWeightedEdge edge = graph.getEdge(sources[index], targets[index]);
            graph.setEdgeWeight(edge, GraphPeers.Arcs.weight(masks[index]));
        }
    }

    @Override
    public long oneToAll(int source) {
        SingleSourcePaths<Integer, DefaultWeightedEdge> paths = search.getPaths(source);
        double sum = 0;
        for (int node = 0; node < nodes; node++) {
            double distance = paths.getWeight(node);
            sum += Double.isFinite(distance) ? distance : 0;
        }
        return (long) sum;
    }
}
