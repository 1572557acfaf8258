//! The road network and the hunters who walk it.

use crate::random::Random;

/// Most distinct crossings of one hunter: 1,000 hunters then fit a slot arena of 256,000 slots with room to spare.
pub(crate) const CROSSINGS_PER_HUNTER_MAX: usize = 200;

/// The edges of a map, grouped by their source.
#[derive(Debug)]
pub(crate) struct Roads {
    /// Index of the first edge of each crossing, and at the end the number of edges.
    first_edge: Vec<u32>,
    targets: Vec<u32>,
    masks: Vec<u32>,
    /// The node that crossing 0 is.
    first_node: u32,
}

/// Crossings of the row of a grid.
const GRID_WIDTH: u32 = 100;

impl Roads {
    /// The roads of a map: the same edges that a server holds after loading it, so walking them changes no distance.
    /// Says what is missing when nobody could walk on it.
    pub(crate) fn new(map: &lodestone_map::Map) -> Result<Roads, String> {
        let mut roads = Roads {
            first_edge: Vec::with_capacity(map.nodes() + 1),
            targets: Vec::new(),
            masks: Vec::new(),
            first_node: 0,
        };
        for edge in map.edges() {
            roads.begin_crossings_up_to(edge.source);
            roads.targets.push(edge.target);
            roads.masks.push(edge.mask);
        }
        if roads.targets.is_empty() {
            return Err("the map has no road that leads from one crossing to another".into());
        }
        let crossings = u32::try_from(map.nodes()).map_err(|_| "the map has too many crossings".to_owned())?;
        roads.begin_crossings_up_to(crossings);
        Ok(roads)
    }

    /// A grid over the nodes from first to last, of which there are two at least.
    pub(crate) fn grid(first: u32, last: u32) -> Roads {
        let crossings = (last - first).saturating_add(1);
        let mut roads = Roads { first_edge: Vec::new(), targets: Vec::new(), masks: Vec::new(), first_node: first };
        for here in 0..crossings {
            roads.begin_crossings_up_to(here);
            let neighbours =
                [here.checked_sub(1), here.checked_add(1), here.checked_sub(GRID_WIDTH), here.checked_add(GRID_WIDTH)];
            for target in neighbours.into_iter().flatten().filter(|target| *target < crossings) {
                roads.targets.push(target);
                // Any weight would do; one that differs makes routes of interest.
                roads.masks.push(lodestone_map::edge_mask((here % 7 + 1) as u8));
            }
        }
        roads.begin_crossings_up_to(crossings);
        roads
    }

    /// The server's node for a crossing.
    pub(crate) fn node_of(&self, crossing: u32) -> u32 {
        self.first_node + crossing
    }

    /// How many crossings there are; they are numbered from 0.
    pub(crate) fn crossings(&self) -> u32 {
        self.first_edge.len().saturating_sub(1) as u32
    }

    /// The edges that leave a crossing: where to, and the mask.
    pub(crate) fn edges(&self, node: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let range = self.first_edge[node as usize] as usize..self.first_edge[node as usize + 1] as usize;
        self.targets[range.clone()].iter().copied().zip(self.masks[range].iter().copied())
    }

    fn has_way_on(&self, node: u32) -> bool {
        self.edges(node).next().is_some()
    }

    fn begin_crossings_up_to(&mut self, node: u32) {
        self.first_edge.resize(node as usize + 1, self.targets.len() as u32);
    }
}

/// One step along a real arc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) source: u32,
    pub(crate) target: u32,
    pub(crate) edge_mask: u32,
}

/// A hunter who walks at random and turns back only where the road ends.
#[derive(Debug)]
pub(crate) struct Walker {
    random: Random,
    home: u32,
    here: u32,
    before: u32,
    /// Sorted, so that asking costs a few comparisons.
    known: Vec<u32>,
}

impl Walker {
    /// Puts a hunter on a crossing that has a way on.
    pub(crate) fn new(roads: &Roads, seed: u64, hunter: u32) -> Walker {
        let mut random = Random::new(seed, u64::from(hunter));
        let crossings = roads.crossings();
        let first = random.below(crossings);
        let home = (0..crossings)
            .map(|offset| ((u64::from(first) + u64::from(offset)) % u64::from(crossings)) as u32)
            .find(|node| roads.has_way_on(*node))
            .unwrap_or(first);
        Walker { random, home, here: home, before: home, known: vec![home] }
    }

    /// The next step. Where all ways on lead to crossings beyond the hunter's limit, or a one-way road ends, the hunter
    /// starts again at home: the first way taken from there is always allowed.
    pub(crate) fn step(&mut self, roads: &Roads) -> Step {
        let chosen = self.choose(roads).or_else(|| {
            self.here = self.home;
            self.before = self.home;
            self.choose(roads)
        });
        // Roads::new made sure that there is an edge, and Walker::new started where one begins.
        let (target, edge_mask) = chosen.unwrap_or((self.here, 0));
        let step = Step { source: self.here, target, edge_mask };
        if let Err(position) = self.known.binary_search(&target) {
            self.known.insert(position, target);
        }
        self.before = self.here;
        self.here = target;
        step
    }

    /// How many distinct crossings the hunter has been to.
    #[cfg(test)]
    fn known(&self) -> usize {
        self.known.len()
    }

    fn choose(&mut self, roads: &Roads) -> Option<(u32, u32)> {
        let mut chosen = None;
        let mut way_back = None;
        let mut choices = 0;
        for (target, mask) in roads.edges(self.here) {
            if !self.allowed(target) {
                continue;
            }
            if target == self.before {
                way_back = Some((target, mask));
                continue;
            }
            // Each choice replaces the one before with probability 1/choices, which makes all equally likely.
            choices += 1;
            if self.random.below(choices) == 0 {
                chosen = Some((target, mask));
            }
        }
        chosen.or(way_back)
    }

    fn allowed(&self, target: u32) -> bool {
        self.known.len() < CROSSINGS_PER_HUNTER_MAX || self.known.binary_search(&target).is_ok()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A map of random roads, some of them one-way, some of them dead ends.
    pub(crate) fn random_map(seed: u64, crossings: u32) -> lodestone_map::Map {
        let mut random = Random::new(seed, 77);
        let mut arcs = BTreeSet::new();
        for source in 0..crossings {
            for _ in 0..random.below(4) {
                let target = random.below(crossings);
                arcs.insert((source, target));
                if random.below(2) == 0 {
                    arcs.insert((target, source));
                }
            }
        }
        arcs.insert((0, 1));
        let mut first_arc = vec![0];
        for node in 0..crossings {
            first_arc.push(arcs.range(..(node + 1, 0)).count() as u32);
        }
        lodestone_map::Map {
            nodes_latitude_e7: (0..crossings).map(|node| node as i32).collect(),
            nodes_longitude_e7: (0..crossings).map(|node| -(node as i32)).collect(),
            first_arc,
            targets: arcs.iter().map(|(_, target)| *target).collect(),
            weights: arcs.iter().map(|(source, target)| (source ^ target) as u8).collect(),
            unit_mm: 1000,
            attribution: "made up".into(),
        }
    }

    #[test]
    fn steps_follow_arcs_and_stay_among_200_crossings() {
        for seed in 0..20 {
            let map = random_map(seed, 1_000);
            let roads = Roads::new(&map).unwrap();
            assert_eq!(roads.crossings(), 1_000);
            for hunter in 0..10 {
                let mut walker = Walker::new(&roads, seed, hunter);
                let mut seen = BTreeSet::new();
                for _ in 0..2_000 {
                    let step = walker.step(&roads);
                    assert_ne!(step.source, step.target, "seed {seed}");
                    let weight = map.arcs_of(step.source).filter(|arc| arc.0 == step.target).map(|arc| arc.1).min();
                    let weight = weight.unwrap_or_else(|| panic!("seed {seed}: {step:?} is no arc of the map"));
                    assert_eq!(step.edge_mask, 0x1_0000 | u32::from(weight), "seed {seed}: {step:?}");
                    seen.extend([step.source, step.target]);
                }
                assert!(seen.len() <= CROSSINGS_PER_HUNTER_MAX, "seed {seed}: {} crossings", seen.len());
                assert_eq!(seen.len(), walker.known(), "seed {seed}");
            }
        }
    }

    #[test]
    fn hunters_walk_on_without_jumps_where_roads_have_two_ways() {
        let ring: Vec<u32> = (0..300).collect();
        let map = lodestone_map::Map {
            nodes_latitude_e7: vec![0; 300],
            nodes_longitude_e7: vec![0; 300],
            first_arc: (0..=300).map(|node| node * 2).collect(),
            targets: ring.iter().flat_map(|node| [(node + 1) % 300, (node + 299) % 300]).collect(),
            weights: vec![3; 600],
            ..random_map(0, 2)
        };
        let roads = Roads::new(&map).unwrap();
        let mut walker = Walker::new(&roads, 5, 0);
        let mut here = walker.home;
        let mut seen = BTreeSet::new();
        for _ in 0..1_000 {
            let step = walker.step(&roads);
            assert_eq!(step.source, here);
            here = step.target;
            seen.insert(here);
        }
        assert_eq!(seen.len(), CROSSINGS_PER_HUNTER_MAX, "the hunter should walk to the limit, then turn back");
    }

    #[test]
    fn the_seed_decides_the_walk() {
        let roads = Roads::new(&random_map(3, 500)).unwrap();
        let walk = |seed, hunter| {
            let mut walker = Walker::new(&roads, seed, hunter);
            (0..100).map(|_| walker.step(&roads)).collect::<Vec<_>>()
        };
        assert_eq!(walk(1, 1), walk(1, 1));
        assert_ne!(walk(1, 1), walk(2, 1));
        assert_ne!(walk(1, 1), walk(1, 2));
    }

    #[test]
    fn a_grid_has_ways_on_everywhere_and_covers_its_nodes() {
        for (first, last) in [(0, 1), (7, 13), (5, 1_234), (u32::MAX - 300, u32::MAX)] {
            let roads = Roads::grid(first, last);
            assert_eq!((roads.node_of(0), roads.node_of(roads.crossings() - 1)), (first, last));
            for here in 0..roads.crossings() {
                assert!(roads.has_way_on(here), "{first}-{last}: {here}");
                assert!(roads.edges(here).all(|(target, _)| target != here && target < roads.crossings()));
            }
            let mut walker = Walker::new(&roads, 3, 1);
            for _ in 0..500 {
                assert!(walker.step(&roads).target < roads.crossings());
            }
        }
    }

    #[test]
    fn a_map_without_roads_is_refused() {
        let lonely =
            lodestone_map::Map { first_arc: vec![0, 1, 1], targets: vec![0], weights: vec![1], ..random_map(0, 2) };
        assert!(Roads::new(&lonely).unwrap_err().contains("no road"));
    }
}
