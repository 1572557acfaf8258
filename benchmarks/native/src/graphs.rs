//! The graphs that are measured, each a function of its constants: the same on every machine and in every language.

use lodestone_core::EdgeChange;
use lodestone_map::{Edge, edge_mask};

use crate::world::mix;

/// Levels of R-MAT whose random bits come from one number.
const LEVELS_A_NUMBER: u32 = 4;
/// Shares of the four quarters of the matrix, as bounds of a number of 16 bits: 0.57, 0.19, 0.19, the rest.
const QUARTERS: [u64; 3] = [37_355, 49_807, 62_259];
/// Arcs that join a tile to each neighbour, in each direction.
const JOINTS: u32 = 4;

/// A graph as a numbered list of arcs; few may stand twice.
pub(crate) struct Graph {
    /// Its name in the results.
    pub(crate) name: &'static str,
    /// Nodes are numbered below this.
    pub(crate) nodes: u32,
    /// Arcs are numbered below this.
    pub(crate) arcs: u64,
    arcs_by: Arcs,
}

enum Arcs {
    /// As many arcs from every node, to random ones.
    Uniform {
        degree: u32,
    },
    Listed(Vec<(u32, u32)>),
    Tiled(Tiles),
}

/// Copies of one road graph side by side, joined by a few arcs.
struct Tiles {
    edges: Vec<Edge>,
    nodes: u32,
    tiles: u32,
    joints: Vec<(u32, u32)>,
}

impl Graph {
    /// Every node has `degree` arcs to random other nodes.
    pub(crate) fn uniform(name: &'static str, nodes: u32, degree: u32) -> Graph {
        Graph {
            name,
            nodes,
            arcs: u64::from(nodes) * u64::from(degree),
            arcs_by: Arcs::Uniform { degree },
        }
    }

    /// R-MAT with 2^`scale` nodes and this many different arcs, none of them from a node to itself. Ids are scattered,
    /// so that hubs are not neighbours.
    pub(crate) fn rmat(scale: u32, arcs: u64) -> Graph {
        let (mut keys, mut drawn) = (Vec::new(), 0);
        while (keys.len() as u64) < arcs {
            // A tenth more than are missing: many come twice.
            let missing = arcs - keys.len() as u64;
            keys.extend((drawn..drawn + missing + missing / 10 + 1).map(|at| rmat_key(scale, at)));
            drawn += missing + missing / 10 + 1;
            keys.retain(|key| *key >> 32 != *key & 0xffff_ffff);
            keys.sort_unstable();
            keys.dedup();
        }
        // Those beyond the number wanted are left out at random, not from the end of the order.
        let (kept, seen) = (arcs as usize, keys.len());
        (kept..seen).for_each(|from| keys.swap((mix(from as u64) % arcs) as usize, from));
        keys.truncate(kept);
        let listed = keys.iter().map(|key| ((key >> 32) as u32, *key as u32));
        Graph {
            name: "rmat",
            nodes: 1 << scale,
            arcs,
            arcs_by: Arcs::Listed(listed.collect()),
        }
    }

    /// Copies of this road graph in a square, at least `arcs` arcs together. Each is joined to its neighbours right and
    /// below, so that long routes cross tiles.
    pub(crate) fn tiled(map: &lodestone_map::Map, arcs: u64) -> Graph {
        let edges: Vec<Edge> = map.edges().collect();
        let (nodes, tiles) = (map.nodes() as u32, arcs.div_ceil(edges.len() as u64) as u32);
        let columns = f64::from(tiles).sqrt().ceil() as u32;
        let mut joints = vec![];
        for tile in 0..tiles {
            let right = (tile + 1 < tiles && (tile + 1) % columns != 0).then_some(tile + 1);
            let below = (tile + columns < tiles).then_some(tile + columns);
            for other in right.into_iter().chain(below) {
                for joint in 0..JOINTS {
                    let random =
                        mix(u64::from(tile) << 32 | u64::from(other) << 8 | u64::from(joint));
                    let here = tile * nodes + edges[random as usize % edges.len()].source;
                    let there = other * nodes + edges[mix(random) as usize % edges.len()].source;
                    joints.extend([(here, there), (there, here)]);
                }
            }
        }
        Graph {
            name: "tiled",
            nodes: nodes * tiles,
            arcs: edges.len() as u64 * u64::from(tiles) + joints.len() as u64,
            arcs_by: Arcs::Tiled(Tiles {
                edges,
                nodes,
                tiles,
                joints,
            }),
        }
    }

    /// The arc of this number, with the mask that the load gives it.
    pub(crate) fn arc(&self, number: u64) -> EdgeChange {
        match &self.arcs_by {
            Arcs::Uniform { degree } => {
                let (source, nth) = (number / u64::from(*degree), number % u64::from(*degree));
                let away = mix(source << 32 | nth) % u64::from(self.nodes - 1);
                let target = (source + 1 + away) % u64::from(self.nodes);
                with_random_weight(source as u32, target as u32)
            }
            Arcs::Listed(arcs) => {
                let (source, target) = arcs[number as usize];
                with_random_weight(source, target)
            }
            Arcs::Tiled(tiles) => tiles.arc(number),
        }
    }

    /// The arc that comes at this place when all are visited in random order: the order in which they are loaded.
    pub(crate) fn scattered(&self, place: u64) -> EdgeChange {
        let bits = u64::BITS - (self.arcs - 1).leading_zeros();
        let mut number = scatter(bits, place);
        // The circle that leads out of the arcs leads back into them, and to none that another place leads to.
        while number >= self.arcs {
            number = scatter(bits, number);
        }
        self.arc(number)
    }

    /// A node some arcs away from the source of a random arc: a target in the neighbourhood.
    pub(crate) fn walk(&self, arcs: u32, random: u64) -> Option<(u32, u32)> {
        let Arcs::Tiled(tiles) = &self.arcs_by else {
            return None;
        };
        let tile = (random % u64::from(tiles.tiles)) as u32 * tiles.nodes;
        let first = tiles.edges[mix(random) as usize % tiles.edges.len()].source;
        let mut at = first;
        for step in 0..arcs {
            let out = tiles.arcs_of(at);
            let next = out.get(mix(random ^ u64::from(step) << 40) as usize % out.len().max(1));
            at = next.map_or(at, |edge| edge.target);
        }
        Some((tile + first, tile + at))
    }
}

impl Tiles {
    /// Arcs of all tiles, one tile after the other, then those that join them.
    fn arc(&self, number: u64) -> EdgeChange {
        let in_a_tile = self.edges.len() as u64;
        let tile = number / in_a_tile;
        if tile < u64::from(self.tiles) {
            let (edge, first) = (
                self.edges[(number % in_a_tile) as usize],
                tile as u32 * self.nodes,
            );
            let (source, target) = (first + edge.source, first + edge.target);
            return EdgeChange {
                source,
                target,
                mask: edge.mask,
            };
        }
        let (source, target) = self.joints[(number - u64::from(self.tiles) * in_a_tile) as usize];
        EdgeChange {
            source,
            target,
            mask: edge_mask(u8::MAX),
        }
    }

    fn arcs_of(&self, node: u32) -> &[Edge] {
        let first = self.edges.partition_point(|edge| edge.source < node);
        let end = self.edges.partition_point(|edge| edge.source <= node);
        &self.edges[first..end]
    }
}

/// Weights look random and depend on both ends alone, so that an arc which stands twice has the same both times.
fn with_random_weight(source: u32, target: u32) -> EdgeChange {
    let random = mix(u64::from(source) << 32 | u64::from(target));
    EdgeChange {
        source,
        target,
        mask: 0x1_0000 | random as u32 & 0xffff,
    }
}

fn rmat_key(scale: u32, number: u64) -> u64 {
    let (mut source, mut target, mut random) = (0_u64, 0_u64, 0);
    for level in 0..scale {
        if level % LEVELS_A_NUMBER == 0 {
            random = mix(number << 4 | u64::from(level / LEVELS_A_NUMBER));
        }
        let share = random & 0xffff;
        random >>= 16;
        let quarter: u64 = QUARTERS
            .iter()
            .map(|bound| u64::from(share >= *bound))
            .sum();
        source = source << 1 | quarter >> 1;
        target = target << 1 | quarter & 1;
    }
    scatter(scale, source) << 32 | scatter(scale, target)
}

/// Another number of this many bits for each: multiplying by an odd number and folding the upper half down lose nothing.
fn scatter(bits: u32, number: u64) -> u64 {
    let (mask, half) = ((1 << bits) - 1, bits.div_ceil(2));
    let mut mixed = (number ^ number >> half).wrapping_mul(0x9e37_79b9_7f4a_7c15) & mask;
    mixed = (mixed ^ mixed >> half).wrapping_mul(0xd6e8_feb8_6659_fd93) & mask;
    mixed ^ mixed >> half
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn ends(graph: &Graph) -> Vec<(u32, u32)> {
        let arcs = (0..graph.arcs).map(|place| graph.scattered(place));
        arcs.map(|arc| (arc.source, arc.target)).collect()
    }

    #[test]
    fn scattered_visits_every_arc_once() {
        let graph = Graph::rmat(10, 8_000);
        let all = ends(&graph);
        assert_eq!(all.len(), 8_000);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 8_000);
        assert!(
            all.iter()
                .all(|(source, target)| source != target && *source < 1 << 10 && *target < 1 << 10)
        );
        assert_eq!(all, ends(&Graph::rmat(10, 8_000)));
    }

    #[test]
    fn rmat_has_hubs_and_scatter_loses_no_node() {
        let graph = Graph::rmat(12, 40_000);
        let mut degrees = vec![0_u32; 1 << 12];
        ends(&graph)
            .iter()
            .for_each(|(source, _)| degrees[*source as usize] += 1);
        assert!(
            degrees.iter().max().is_some_and(|most| *most > 200),
            "the largest of {degrees:?}"
        );
        let scattered: HashSet<u64> = (0..1 << 12).map(|id| scatter(12, id)).collect();
        assert_eq!(scattered.len(), 1 << 12);
    }

    #[test]
    fn uniform_has_its_degree_and_no_loops() {
        let graph = Graph::uniform("uniform", 1_000, 7);
        let all = ends(&graph);
        assert!(
            all.iter()
                .all(|(source, target)| source != target && *target < 1_000)
        );
        assert!(
            (0..1_000).all(|node| all.iter().filter(|(source, _)| *source == node).count() == 7)
        );
    }

    #[test]
    fn tiles_are_joined() {
        let map = lodestone_map::Map {
            nodes_latitude_e7: vec![0; 3],
            nodes_longitude_e7: vec![0; 3],
            first_arc: vec![0, 1, 2, 3],
            targets: vec![1, 2, 0],
            weights: vec![5, 6, 7],
            unit_mm: 1,
            attribution: String::new(),
        };
        let graph = Graph::tiled(&map, 12);
        assert_eq!(
            (graph.nodes, graph.arcs),
            (12, 12 + 4 * 2 * u64::from(JOINTS))
        );
        let mut reached = HashSet::from([0]);
        for _ in 0..graph.nodes {
            let more: Vec<u32> = ends(&graph)
                .iter()
                .filter(|(source, _)| reached.contains(source))
                .map(|(_, target)| *target)
                .collect();
            reached.extend(more);
        }
        assert_eq!(reached.len(), 12);
        assert!(
            graph
                .walk(20, 3)
                .is_some_and(|(source, target)| source / 3 == target / 3)
        );
    }
}
