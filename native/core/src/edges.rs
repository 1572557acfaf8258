//! The edges of the live graph as the engine needs them: which mask does `source → target` have?
//!
//! One open-addressing table over memory that is taken at the start: home place by multiplication, linear probing,
//! removal by shifting back, so that it never fills with markers of removed edges. At `edges_max` a fourth of the
//! places is still free. A salt keeps chosen edges from colliding; no result depends on it.

/// Key of an unused place; no edge has it, since source and target differ.
const FREE: u64 = u64::MAX;

/// A committed change of one edge. Mask 0: the edge is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeChange {
    /// Where the edge begins.
    pub source: u32,
    /// Where it ends.
    pub target: u32,
    /// Its mask now.
    pub mask: u32,
}

/// The table of edges.
pub(crate) struct EdgeTable {
    keys: Vec<u64>,
    masks: Vec<u32>,
    count: u32,
    edges_max: u32,
    salt: u64,
}

fn key_of(source: u32, target: u32) -> u64 {
    u64::from(source) << 32 | u64::from(target)
}

fn spread(key: u64) -> u64 {
    let mut value = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    value ^= value >> 32;
    value.wrapping_mul(0xd6e8_feb8_6659_fd93)
}

impl EdgeTable {
    /// A table for `edges_max` edges; `None` where the system has not the memory.
    pub(crate) fn new(edges_max: u32, salt: u64) -> Option<EdgeTable> {
        let places = edges_max as usize / 3 * 4 + 8;
        let (mut keys, mut masks) = (Vec::new(), Vec::new());
        keys.try_reserve_exact(places).ok()?;
        masks.try_reserve_exact(places).ok()?;
        // Writing every place also faults its page in.
        keys.resize(places, FREE);
        masks.resize(places, 0);
        Some(EdgeTable { keys, masks, count: 0, edges_max, salt })
    }

    /// Number of edges.
    pub(crate) fn len(&self) -> u32 {
        self.count
    }

    /// Most edges there can be.
    pub(crate) fn edges_max(&self) -> u32 {
        self.edges_max
    }

    /// Whether one more edge fits.
    pub(crate) fn has_room(&self) -> bool {
        self.count < self.edges_max
    }

    fn home(&self, key: u64) -> usize {
        // The high half of the product spreads a hash evenly over any number of places.
        ((u128::from(spread(key ^ self.salt)) * self.keys.len() as u128) >> 64) as usize
    }

    fn next(&self, place: usize) -> usize {
        if place + 1 == self.keys.len() { 0 } else { place + 1 }
    }

    /// The place of the key, or the free place where it would go.
    fn find(&self, key: u64) -> usize {
        let mut place = self.home(key);
        while self.keys[place] != key && self.keys[place] != FREE {
            place = self.next(place);
        }
        place
    }

    /// The mask of the edge, 0 where there is none.
    pub(crate) fn mask(&self, source: u32, target: u32) -> u32 {
        let key = key_of(source, target);
        let place = self.find(key);
        if self.keys[place] == key { self.masks[place] } else { 0 }
    }

    /// Sets the edge to the mask, 0 removes it, and returns the mask from before. A new edge needs
    /// [`EdgeTable::has_room`].
    pub(crate) fn set(&mut self, source: u32, target: u32, mask: u32) -> u32 {
        let key = key_of(source, target);
        let place = self.find(key);
        let before = if self.keys[place] == key { self.masks[place] } else { 0 };
        match (before, mask) {
            (0, 0) => {}
            (0, _) => {
                debug_assert!(self.has_room());
                self.keys[place] = key;
                self.masks[place] = mask;
                self.count += 1;
            }
            (_, 0) => self.remove(place),
            _ => self.masks[place] = mask,
        }
        before
    }

    fn remove(&mut self, place: usize) {
        self.count -= 1;
        let (mut hole, mut place) = (place, place);
        loop {
            place = self.next(place);
            let key = self.keys[place];
            if key == FREE {
                break;
            }
            // An entry may move into the hole unless its home lies behind the hole, on the way to where it is.
            let home = self.home(key);
            let behind = if hole <= place { hole < home && home <= place } else { hole < home || home <= place };
            if !behind {
                self.keys[hole] = key;
                self.masks[hole] = self.masks[place];
                hole = place;
            }
        }
        self.keys[hole] = FREE;
    }

    /// Every edge, in the order of its place: for sums and checks that do not depend on order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = EdgeChange> + '_ {
        let places = self.keys.iter().zip(&self.masks).filter(|(key, _)| **key != FREE);
        places.map(|(key, mask)| EdgeChange { source: (*key >> 32) as u32, target: *key as u32, mask: *mask })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn any_mix_of_changes_equals_an_ordered_map() {
        for seed in 1..200_u64 {
            let edges_max = 1 + (seed % 90) as u32;
            let mut table = EdgeTable::new(edges_max, seed).unwrap();
            let mut model = BTreeMap::new();
            let mut random = seed;
            for _ in 0..2_000 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (source, target) = ((random >> 33) as u32 % 12, (random >> 40) as u32 % 12 + 12);
                let mask = if random >> 63 == 0 { 0 } else { (random >> 50) as u32 | 1 };
                let known = model.contains_key(&(source, target));
                if mask != 0 && !known && !table.has_room() {
                    continue;
                }
                let before =
                    if mask == 0 { model.remove(&(source, target)) } else { model.insert((source, target), mask) };
                assert_eq!(table.set(source, target, mask), before.unwrap_or(0), "seed {seed}");
                assert_eq!(table.len() as usize, model.len(), "seed {seed}");
            }
            for source in 0..12 {
                for target in 12..24 {
                    let mask = model.get(&(source, target)).copied().unwrap_or(0);
                    assert_eq!(table.mask(source, target), mask, "seed {seed}");
                }
            }
            assert_eq!(table.iter().count(), model.len(), "seed {seed}");
        }
    }
}
