//! From one node to all: Dial's buckets over the same labels and queue as a search between two nodes.
//!
//! Vertices are settled in the order of their labels, so the edges of each are looked at once. As soon as every vertex
//! that an edge leads to has a label, an edge that leads beyond the farthest waiting one cannot lower any: it is passed
//! over by its weight alone. In a dense graph that is most of them, and what is left is reading the edges in a row.

use super::graph::{Graph, Kept};
use super::queue::{UNREACHED, WEIGHT_MAX, cost};
use super::search::Search;

impl Search {
    /// Writes the label of every node, seen from the source.
    pub(super) fn sweep(&mut self, graph: &Graph, kept: &mut Kept, source: u32, labels: &mut [u64]) {
        let (queue, vertices) = self.forward_side();
        assert_eq!(labels.len(), vertices.labels.len(), "a label for each node");
        vertices.labels.fill(UNREACHED);
        vertices.labels[source as usize] = 0;
        queue.start(source);
        let adjacency = graph.forward();
        let mut unlabelled = graph.reverse().nodes_with_arcs() - u32::from(graph.reverse().has_arcs(source));
        loop {
            let top = queue.top(vertices);
            if top == UNREACHED {
                break;
            }
            while let Some(vertex) = queue.take(vertices, top) {
                queue.prefetch_next(adjacency);
                let weight_max = if unlabelled == 0 { queue.farthest() } else { WEIGHT_MAX };
                adjacency.arcs_up_to(vertex, weight_max, kept, |other, weight| {
                    let offered = top + cost(weight);
                    let before = vertices.labels[other as usize];
                    if offered < before {
                        unlabelled -= u32::from(before == UNREACHED);
                        vertices.labels[other as usize] = offered;
                        queue.put(vertices, other, before, offered);
                    }
                });
            }
        }
        labels.copy_from_slice(&vertices.labels);
    }
}
