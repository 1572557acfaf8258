//! The edges of the live graph as the engine needs them: which mask does `source → target` have?
//!
//! One table of cache lines over memory that is taken at the start. A line holds five edges and, at `edges_max`, four
//! on average. An edge lies in its home line or, where that is full, in the nearest line behind it with a free cell; a
//! line with a free cell ends every search. So a change touches one line from memory, whatever the degrees are: a hub
//! of a million edges is spread like a million nodes of one edge, nothing is ever moved in bulk, and the table holds
//! `edges_max` edges however they are spread and whatever was there before.
//!
//! Taking an edge out moves later ones back, so no marks of removed edges are left behind and searches stay as short
//! as in a fresh table. A salt keeps chosen edges from colliding; no result depends on it.

use lodestone_memory::huge::{EdgeLine, HugeSlice, prefetch};

use super::{EdgeChange, EdgeSizes, EdgeStore};

/// Edges a line has room for on average. With four of five cells in use, at `edges_max`, 1.29 lines are read on average
/// to find an edge; with 3.5 it would be 1.14 and with three 1.07, for 14 and 33 percent more memory.
const LINE_EDGES: usize = 4;

/// Key of an unused cell; no edge has it, since source and target differ.
const FREE: u64 = 0;

/// The table of edges.
pub struct EdgeTable {
    lines: HugeSlice<EdgeLine>,
    count: u32,
    edges_max: u32,
    /// Two secrets made of the salt: one is mixed into the key, by the other it is multiplied.
    salt: u64,
    multiplier: u64,
}

/// Where an edge is, or would go.
struct Place {
    line: usize,
    cell: usize,
    /// The edge is there; otherwise the cell is free.
    found: bool,
}

fn key_of(source: u32, target: u32) -> u64 {
    u64::from(source) << 32 | u64::from(target)
}

impl EdgeStore for EdgeTable {
    fn new(sizes: EdgeSizes, salt: u64) -> Option<EdgeTable> {
        // One line more than needed, so that there is always a free cell and every search ends.
        let lines = HugeSlice::new(sizes.edges_max as usize / LINE_EDGES + 1)?;
        let mut multiplier = (salt ^ salt >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        multiplier = (multiplier ^ multiplier >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Some(EdgeTable { lines, count: 0, edges_max: sizes.edges_max, salt, multiplier })
    }

    fn count(&self) -> u32 {
        self.count
    }

    fn edges_max(&self) -> u32 {
        self.edges_max
    }

    fn prefetch(&self, source: u32, target: u32) {
        prefetch(&self.lines[self.home(key_of(source, target))]);
    }

    fn mask(&self, source: u32, target: u32) -> u32 {
        let Place { line, cell, .. } = self.find(key_of(source, target));
        // A free cell has mask 0.
        self.lines[line].masks[cell]
    }

    fn set(&mut self, source: u32, target: u32, mask: u32) -> u32 {
        debug_assert!(source != target);
        let key = key_of(source, target);
        let place = self.find(key);
        let cells = &mut self.lines[place.line];
        let before = cells.masks[place.cell];
        match (place.found, mask) {
            (false, 0) => {}
            (false, _) => {
                debug_assert!(self.count < self.edges_max);
                cells.keys[place.cell] = key;
                cells.masks[place.cell] = mask;
                self.count += 1;
            }
            (true, 0) => self.remove(place.line, place.cell),
            (true, _) => cells.masks[place.cell] = mask,
        }
        before
    }

    fn edges(&self) -> impl Iterator<Item = EdgeChange> + '_ {
        let cells = self.lines.iter().flat_map(|line| line.keys.iter().zip(&line.masks));
        let used = cells.filter(|(key, _)| **key != FREE);
        used.map(|(key, mask)| EdgeChange { source: (*key >> 32) as u32, target: *key as u32, mask: *mask })
    }

    fn bytes_used(&self) -> u64 {
        size_of_val(&*self.lines) as u64
    }
}

impl EdgeTable {
    fn home(&self, key: u64) -> usize {
        // Mixed first, so that neighbours part; then multiplied by a secret odd number, which gives two keys chosen
        // without knowing it the same line with a chance of at most two in the number of lines.
        let mut hash = (key ^ self.salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
        hash = hash.wrapping_mul(self.multiplier);
        // The high half of the product spreads a hash evenly over any number of lines.
        ((u128::from(hash) * self.lines.len() as u128) >> 64) as usize
    }

    fn next(&self, line: usize) -> usize {
        if line + 1 == self.lines.len() { 0 } else { line + 1 }
    }

    #[inline]
    fn find(&self, key: u64) -> Place {
        let mut line = self.home(key);
        loop {
            let cells = &self.lines[line];
            let found = cells.cells_with(key);
            if found != 0 {
                return Place { line, cell: found.trailing_zeros() as usize, found: true };
            }
            let free = cells.cells_with(FREE);
            if free != 0 {
                return Place { line, cell: free.trailing_zeros() as usize, found: false };
            }
            line = self.next(line);
        }
    }

    /// Empties the cell. Where its line was full, edges may have gone on to later lines for want of a cell here: one of
    /// them is moved back, which leaves a cell free there, and so on.
    fn remove(&mut self, line: usize, cell: usize) {
        self.count -= 1;
        let (mut line, mut cell) = (line, cell);
        while self.lines[line].cells_with(FREE) == 0 {
            let Some((from_line, from_cell)) = self.passed(line) else { break };
            let from = &self.lines[from_line];
            let (key, mask) = (from.keys[from_cell], from.masks[from_cell]);
            let to = &mut self.lines[line];
            (to.keys[cell], to.masks[cell]) = (key, mask);
            (line, cell) = (from_line, from_cell);
        }
        let cells = &mut self.lines[line];
        (cells.keys[cell], cells.masks[cell]) = (FREE, 0);
    }

    /// An edge in a later line that wanted to be in this full one or before it; `None` if no edge went past.
    fn passed(&self, line: usize) -> Option<(usize, usize)> {
        let mut later = line;
        loop {
            later = self.next(later);
            if later == line {
                return None;
            }
            let cells = &self.lines[later];
            for (cell, key) in cells.keys.iter().enumerate() {
                // Behind `line` on the way to `later`: such a home keeps the edge where it is.
                let home = if *key == FREE { later } else { self.home(*key) };
                let behind = if line < later { line < home && home <= later } else { line < home || home <= later };
                if !behind {
                    return Some((later, cell));
                }
            }
            if cells.cells_with(FREE) != 0 {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn sizes(edges_max: u32) -> EdgeSizes {
        EdgeSizes { nodes_max: u32::MAX, edges_max }
    }

    #[test]
    fn any_mix_of_changes_equals_an_ordered_map() {
        for seed in 1..200_u64 {
            let edges_max = 1 + (seed % 90) as u32;
            let mut table = EdgeTable::new(sizes(edges_max), seed).unwrap();
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
                assert_eq!(table.count() as usize, model.len(), "seed {seed}");
            }
            for source in 0..12 {
                for target in 12..24 {
                    let mask = model.get(&(source, target)).copied().unwrap_or(0);
                    assert_eq!(table.mask(source, target), mask, "seed {seed}");
                }
            }
            assert_eq!(table.edges().count(), model.len(), "seed {seed}");
        }
    }

    /// Edges whose home is this line, for a salt that is known: what nobody can choose who does not know it.
    fn colliding(table: &EdgeTable, line: usize, count: usize) -> Vec<(u32, u32)> {
        let pairs = (0..).flat_map(|target: u32| (0..64).map(move |source| (source, target + 64)));
        pairs.filter(|(source, target)| table.home(key_of(*source, *target)) == line).take(count).collect()
    }

    #[test]
    fn edges_that_all_collide_are_found_and_leave_nothing_behind() {
        for (edges_max, line) in [(400, 0), (400, 50), (400, 100), (3, 0), (4, 1), (7, 1)] {
            let mut table = EdgeTable::new(sizes(edges_max), 11).unwrap();
            let pairs = colliding(&table, line, edges_max as usize);
            let mut random = 5_u64;
            let mut model = BTreeMap::new();
            for round in 0..20_000_u32 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let ends = pairs[(random >> 33) as usize % pairs.len()];
                let mask = if random >> 62 == 0 { 0 } else { round + 1 };
                let before = if mask == 0 { model.remove(&ends) } else { model.insert(ends, mask) };
                assert_eq!(table.set(ends.0, ends.1, mask), before.unwrap_or(0), "round {round}");
            }
            assert!(table.edges().all(|edge| model.get(&(edge.source, edge.target)) == Some(&edge.mask)));
            for ends in &pairs {
                assert_eq!(table.mask(ends.0, ends.1), model.get(ends).copied().unwrap_or(0));
                table.set(ends.0, ends.1, 0);
            }
            assert!(table.edges().next().is_none() && table.lines.iter().all(|line| line.masks == [0; 5]));
        }
    }

    #[test]
    fn churn_leaves_searches_as_short_as_in_a_fresh_table() {
        let lines_read = |table: &EdgeTable| {
            let read = table.edges().map(|edge| {
                let key = key_of(edge.source, edge.target);
                (table.find(key).line + table.lines.len() - table.home(key)) % table.lines.len() + 1
            });
            read.sum::<usize>() as f64 / f64::from(table.count())
        };
        let edges_max = 100_000;
        let ends = |number: u32| (number, number.wrapping_mul(0x9e37_79b9) | 1 << 31);
        let mut table = EdgeTable::new(sizes(edges_max), 3).unwrap();
        (0..edges_max).for_each(|number| _ = table.set(ends(number).0, ends(number).1, 1));
        let fresh = lines_read(&table);
        for number in 0..10 * edges_max {
            table.set(ends(number).0, ends(number).1, 0);
            table.set(ends(number + edges_max).0, ends(number + edges_max).1, 1);
        }
        let churned = lines_read(&table);
        assert!(fresh < 1.32 && churned < 1.32, "{fresh} lines fresh, {churned} after ten times the edges");
    }

    #[test]
    fn a_batch_in_any_order_of_hubs_and_salts_has_the_same_content() {
        for seed in 0..200_u64 {
            let mut tables = [seed, !seed, 0].map(|salt| EdgeTable::new(sizes(500), salt).unwrap());
            let mut random = seed;
            for _ in 0..600 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (source, target) = ((random >> 60) as u32, (random >> 33) as u32 % 30 + 16);
                let mask = (random >> 20) as u32 % 3;
                let before = tables.each_mut().map(|table| table.set(source, target, mask));
                assert!(before[0] == before[1] && before[0] == before[2], "seed {seed}");
            }
            let sorted = tables.map(|table| {
                let mut edges: Vec<_> = table.edges().map(|edge| (edge.source, edge.target, edge.mask)).collect();
                edges.sort_unstable();
                edges
            });
            assert!(sorted[0] == sorted[1] && sorted[0] == sorted[2], "seed {seed}");
        }
    }
}
