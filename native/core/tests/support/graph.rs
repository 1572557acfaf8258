//! The slow, obvious graph: a sorted map of edges, and labels by relaxing every edge until nothing falls any more.

use std::collections::BTreeMap;

/// Distance and nodes of a path, if there is one.
pub(crate) type Answer = Option<(u64, Vec<u32>)>;

/// Distance and edge count of the best path from one source, by node.
pub(crate) type Labels = BTreeMap<u32, (u64, u32)>;

pub(crate) struct Model {
    pub(crate) nodes: u32,
    pub(crate) edges: BTreeMap<(u32, u32), u32>,
}

fn weight(mask: u32) -> u64 {
    u64::from((mask & 0xff) ^ (mask >> 8 & 0xff))
}

impl Model {
    pub(crate) fn new(nodes: u32) -> Self {
        Self { nodes, edges: BTreeMap::new() }
    }

    pub(crate) fn apply(&mut self, source: u32, target: u32, mask: u32) {
        if mask == 0 {
            self.edges.remove(&(source, target));
        } else {
            self.edges.insert((source, target), mask);
        }
    }

    pub(crate) fn labels(&self, source: u32) -> Labels {
        let mut labels = BTreeMap::from([(source, (0, 0))]);
        loop {
            let mut fell = false;
            for (&(from, to), &mask) in &self.edges {
                let Some(&(distance, edges)) = labels.get(&from) else { continue };
                let offered = (distance + weight(mask), edges + 1);
                if labels.get(&to).is_none_or(|&label| offered < label) {
                    labels.insert(to, offered);
                    fell = true;
                }
            }
            if !fell {
                return labels;
            }
        }
    }

    /// The path of the lowest predecessors, from the labels of its source.
    pub(crate) fn path(&self, source: u32, target: u32, labels: &Labels) -> Answer {
        let &(distance, _) = labels.get(&target)?;
        let mut nodes = vec![target];
        let mut node = target;
        while node != source {
            let (reached, edges) = labels[&node];
            node = (0..self.nodes)
                .find(|&before| {
                    self.edges.get(&(before, node)).is_some_and(|&mask| {
                        labels
                            .get(&before)
                            .is_some_and(|&(to, count)| (to + weight(mask), count + 1) == (reached, edges))
                    })
                })
                .expect("a label came over an edge");
            nodes.push(node);
        }
        nodes.reverse();
        Some((distance, nodes))
    }
}
