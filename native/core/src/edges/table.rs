//! The edges of the live graph in one table of cache lines.
//!
//! A line holds seven edges and, at `edges_max`, 5.4 on average: 11.9 bytes an edge. An edge lies in its home line or,
//! where that is full, in the nearest line behind it with a free cell; a line with a free cell ends every search. So a
//! change touches one line from memory, whatever the degrees are: a hub of a million edges is spread like a million nodes
//! of one edge, nothing is ever moved in bulk, and the table holds `edges_max` edges however they are spread and whatever
//! was there before.
//!
//! What lies in a line need not be stored in its cells. The two ends of an edge, side by side, are scrambled into another
//! number of as many bits, which tells the edge as well as the ends do ([`Scramble`]). Its top decides the home line; of
//! the rest a cell keeps the low 40 bits, its *tag*. Edges whose homes are [`WINDOW_LINES`] lines or less apart differ in
//! their tags, so within that distance the tag alone tells an edge, and line and tag together give the ends back.
//!
//! Taking an edge out moves later ones back, so no marks of removed edges are left behind and searches stay as short
//! as in a fresh table. A salt keeps chosen edges from colliding; no result depends on it.

use lodestone_memory::edge_line::{EDGE_LINE_CELLS, EDGE_TAG_BITS, EdgeLine};
use lodestone_memory::huge::{HugeSlice, prefetch};

use super::scramble::Scramble;
use super::{Before, EdgeChange, EdgeSizes, EdgeStore};

/// Edges for which [`SHARE_LINES`] lines have room on average. With 5.4 of seven cells in use, at `edges_max`, 1.14 lines
/// are read on average to find an edge. With 6 it would be 1.31 for 11 percent less memory, with 5 it would be 1.09 for 7
/// percent more.
const SHARE_EDGES: usize = 75;
const SHARE_LINES: usize = 14;

/// How far from its home line an edge may lie. For one to lie further, more than 1,792 edges would have to have their homes
/// in so many lines, where 1,371 have at `edges_max`: eleven standard deviations more than the average.
const WINDOW_LINES: usize = 256;

const _: () = assert!(WINDOW_LINES - 1 <= u8::MAX as usize);

/// The table of edges.
pub struct EdgeTable {
    lines: HugeSlice<EdgeLine>,
    /// Lines that are a home; those behind them take what overflows the last.
    homes: usize,
    scramble: Scramble,
    count: u32,
    edges_max: u32,
}

/// Where an edge is, or would go.
struct Found {
    line: usize,
    cell: usize,
    /// The edge is there; otherwise the cell is free.
    used: bool,
}

fn tag_of(scrambled: u64) -> u64 {
    scrambled & ((1 << EDGE_TAG_BITS) - 1)
}

impl EdgeStore for EdgeTable {
    /// The scrambled number of the edge.
    type Place = u64;

    fn new(sizes: EdgeSizes, salt: u64) -> Option<EdgeTable> {
        let edges_max = sizes.edges_max as usize;
        let scramble = Scramble::new(sizes.nodes_max, salt);
        // So many lines that the numbers at home in a window of them differ in their tags.
        let bits_above_tag = scramble.bits().saturating_sub(EDGE_TAG_BITS);
        let homes = (SHARE_LINES * edges_max).div_ceil(SHARE_EDGES).max(WINDOW_LINES << bits_above_tag);
        // Where fewer edges than a window has room for all have the last line for home, one more than they fill.
        let behind = (edges_max / EDGE_LINE_CELLS + 1).min(WINDOW_LINES);
        let lines = HugeSlice::new(homes + behind)?;
        Some(EdgeTable { lines, homes, scramble, count: 0, edges_max: sizes.edges_max })
    }

    fn count(&self) -> u32 {
        self.count
    }

    fn edges_max(&self) -> u32 {
        self.edges_max
    }

    #[inline(always)]
    fn place(&self, source: u32, target: u32) -> u64 {
        debug_assert!(source != target);
        self.scramble.of(source, target)
    }

    /// One edge in seven lies behind its home line. To ask for the next line as well takes less time than to wait for it
    /// then, and less than to look in a pass of its own who needs it: 10 ns an edge instead of 14 and 11 (at 47 million).
    #[inline(always)]
    fn prefetch(&self, place: u64) {
        let home = self.home(place);
        prefetch(&self.lines[home]);
        prefetch(&self.lines[home + 1]);
    }

    #[inline(always)]
    fn prefetch_again(&self, place: u64, step: u8) {
        prefetch(&self.lines[self.home(place) + usize::from(step)]);
    }

    #[inline]
    fn mask_at(&self, place: u64) -> u32 {
        let Found { line, cell, .. } = self.find(self.home(place), tag_of(place));
        // A free cell has mask 0.
        self.lines[line].mask(cell)
    }

    #[inline]
    fn set_at(&mut self, place: u64, mask: u32) -> Before {
        let (home, tag) = (self.home(place), tag_of(place));
        let found = self.find(home, tag);
        Before { mask: self.set_found(&found, tag, mask), step: (found.line - home) as u8 }
    }

    #[inline]
    fn set_again(&mut self, place: u64, step: u8, mask: u32) {
        let (home, tag) = (self.home(place), tag_of(place));
        let line = home + usize::from(step);
        // The tag tells the edge in every line that it may lie in.
        let found = match self.lines[line].find(tag) {
            Some(cell) => Found { line, cell, used: true },
            None => self.find(home, tag),
        };
        self.set_found(&found, tag, mask);
    }

    fn edges(&self) -> impl Iterator<Item = EdgeChange> + '_ {
        self.lines.iter().enumerate().flat_map(move |(number, line)| {
            let end = self.end_of_homes(number);
            let used = (0..EDGE_LINE_CELLS).filter(|cell| line.mask(*cell) != 0);
            used.map(move |cell| {
                let (source, target) = self.scramble.ends(scrambled_of(line.tag(cell), end));
                EdgeChange { source, target, mask: line.mask(cell) }
            })
        })
    }

    fn bytes_used(&self) -> u64 {
        size_of_val(&*self.lines) as u64
    }
}

/// The number with this tag, in a line behind whose homes numbers from `end` on are: the highest below `end`.
fn scrambled_of(tag: u64, end: u128) -> u64 {
    let last = (end - 1) as u64;
    last - tag_of(last.wrapping_sub(tag))
}

impl EdgeTable {
    #[inline(always)]
    fn home(&self, scrambled: u64) -> usize {
        // The product's top spreads the numbers evenly, and in their order, over any number of lines.
        let spread = u128::from(scrambled << (u64::BITS - self.scramble.bits())) * self.homes as u128;
        (spread >> 64) as usize
    }

    /// The lowest number whose home lies behind the line.
    fn end_of_homes(&self, line: usize) -> u128 {
        let behind = (line + 1).min(self.homes) as u128;
        (behind << self.scramble.bits()).div_ceil(self.homes as u128)
    }

    #[inline(always)]
    fn find(&self, home: usize, tag: u64) -> Found {
        for line in home..self.lines.len().min(home + WINDOW_LINES) {
            if let Some(cell) = self.lines[line].find(tag) {
                return Found { line, cell, used: true };
            }
            if let Some(cell) = self.lines[line].free() {
                return Found { line, cell, used: false };
            }
        }
        panic!("{WINDOW_LINES} full lines in a row behind line {home}: that many edges cannot collide by chance")
    }

    /// Sets what was found, or puts a new edge there; returns the mask from before.
    #[inline(always)]
    fn set_found(&mut self, found: &Found, tag: u64, mask: u32) -> u32 {
        let line = &mut self.lines[found.line];
        let before = line.mask(found.cell);
        match (found.used, mask) {
            (false, 0) => {}
            (false, _) => {
                debug_assert!(self.count < self.edges_max);
                line.put(found.cell, tag, mask);
                self.count += 1;
            }
            (true, 0) => self.remove(found.line, found.cell),
            (true, _) => line.set_mask(found.cell, mask),
        }
        before
    }

    /// Empties the cell. Where its line was full, edges may have gone on to later lines for want of a cell here: one of
    /// them is moved back, which leaves a cell free there, and so on.
    fn remove(&mut self, line: usize, cell: usize) {
        self.count -= 1;
        let (mut line, mut cell) = (line, cell);
        while self.lines[line].free().is_none() {
            let Some((from_line, from_cell)) = self.passed(line) else { break };
            let from = &self.lines[from_line];
            let (tag, mask) = (from.tag(from_cell), from.mask(from_cell));
            self.lines[line].put(cell, tag, mask);
            (line, cell) = (from_line, from_cell);
        }
        self.lines[line].set_mask(cell, 0);
    }

    /// An edge in a later line that wanted to be in this full one or before it; `None` if no edge went past.
    fn passed(&self, line: usize) -> Option<(usize, usize)> {
        let end = self.end_of_homes(line);
        for later in line + 1..self.lines.len() {
            let later_end = self.end_of_homes(later);
            let cells = &self.lines[later];
            let used = (0..EDGE_LINE_CELLS).filter(|cell| cells.mask(*cell) != 0);
            let mut passed = used.filter(|cell| u128::from(scrambled_of(cells.tag(*cell), later_end)) < end);
            if let Some(cell) = passed.next() {
                return Some((later, cell));
            }
            if cells.free().is_some() {
                return None;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn sizes(edges_max: u32) -> EdgeSizes {
        EdgeSizes { nodes_max: 1 << 24, edges_max }
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
        pairs.filter(|(source, target)| table.home(table.scramble.of(*source, *target)) == line).take(count).collect()
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
            assert!(
                table.edges().next().is_none()
                    && table.lines.iter().all(|line| (0..EDGE_LINE_CELLS).all(|cell| line.mask(cell) == 0))
            );
        }
    }

    /// Different ends whose numbers lie closest below `end`.
    fn closest_below(table: &EdgeTable, end: u64, nodes_max: u32, count: usize) -> Vec<(u32, u32)> {
        let ends = (0..end).rev().map(|number| table.scramble.ends(number));
        let valid = ends.filter(|(source, target)| source != target && *source < nodes_max && *target < nodes_max);
        valid.take(count).collect()
    }

    /// Numbers next to each other are what most edges of one line are: here they fill the first lines, the last ones and
    /// all of those behind these, for numbers of few bits, of exactly those of a tag, and of more.
    #[test]
    fn runs_of_numbers_fill_the_first_lines_and_all_behind_the_last() {
        for (nodes_max, edges_max) in [
            (64, 1_000),
            (3_000, 1_700),
            (1 << 20, 1_785),
            (600_000, 8),
            (1 << 21, 1_785),
            (1 << 25, 700),
            (1 << 22, 1),
        ] {
            for at_end in [true, false] {
                let why = format!("{edges_max} edges over {nodes_max} nodes, at the end: {at_end}");
                let mut table = EdgeTable::new(EdgeSizes { nodes_max, edges_max }, 23).unwrap();
                let end = if at_end { 1 << table.scramble.bits() } else { 4 * u64::from(edges_max) };
                let mut pairs = closest_below(&table, end, nodes_max, edges_max as usize);
                let mut random = 9_u64;
                for round in 1..4 {
                    for (index, ends) in pairs.iter().enumerate() {
                        assert_eq!(table.set(ends.0, ends.1, index as u32 + round), 0, "{why}");
                    }
                    for (index, ends) in pairs.iter().enumerate() {
                        assert_eq!(table.mask(ends.0, ends.1), index as u32 + round, "{why}");
                    }
                    let mut found: Vec<_> = table.edges().map(|edge| (edge.source, edge.target)).collect();
                    found.sort_unstable();
                    let mut expected = pairs.clone();
                    expected.sort_unstable();
                    assert_eq!(found, expected, "{why}");
                    (1..pairs.len()).for_each(|last| {
                        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        pairs.swap(last, (random >> 33) as usize % (last + 1));
                    });
                    pairs.iter().for_each(|ends| assert_ne!(table.set(ends.0, ends.1, 0), 0, "{why}"));
                    assert_eq!((table.count(), table.edges().count()), (0, 0), "{why}");
                }
            }
        }
    }

    /// A change is set back with the step that it was told, however the edge has moved since, as with none.
    #[test]
    fn steps_of_long_ago_are_as_good_as_a_search() {
        let mut steps_taken = 0;
        for seed in 1..40_u64 {
            let edges_max = 1 + (seed % 30) as u32 * 7;
            let mut table = EdgeTable::new(EdgeSizes { nodes_max: 1 << 21, edges_max }, seed).unwrap();
            let end = if seed % 2 == 0 { 1 << table.scramble.bits() } else { 1_000 };
            let pairs = closest_below(&table, end, 1 << 21, edges_max as usize);
            let (mut model, mut undo) = (BTreeMap::new(), vec![]);
            let mut random = seed;
            for round in 0..3_000_u32 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if (random >> 40) % 400 == 0 {
                    while let Some((ends, Before { mask, step })) = undo.pop() {
                        let (source, target): (u32, u32) = ends;
                        table.set_again(table.place(source, target), step, mask);
                        if mask == 0 {
                            model.remove(&ends)
                        } else {
                            model.insert(ends, mask)
                        };
                        assert_eq!(table.mask(source, target), mask, "seed {seed}, round {round}");
                    }
                    assert_eq!((table.count(), model.len()), (0, 0), "seed {seed}, round {round}");
                    continue;
                }
                let ends = pairs[(random >> 33) as usize % pairs.len()];
                let mask = if random >> 62 == 0 { 0 } else { round + 1 };
                let before = table.set_at(table.place(ends.0, ends.1), mask);
                let known = if mask == 0 { model.remove(&ends) } else { model.insert(ends, mask) };
                assert_eq!(before.mask, known.unwrap_or(0), "seed {seed}, round {round}");
                steps_taken += u64::from(before.step > 0);
                undo.push((ends, before));
            }
            assert!(
                table.edges().all(|edge| model.get(&(edge.source, edge.target)) == Some(&edge.mask)),
                "seed {seed}"
            );
        }
        assert!(steps_taken > 10_000, "{steps_taken} edges lay behind their home");
    }

    #[test]
    fn churn_leaves_searches_as_short_as_in_a_fresh_table() {
        let lines_read = |table: &EdgeTable| {
            let read = table.edges().map(|edge| {
                let place = table.place(edge.source, edge.target);
                let home = table.home(place);
                table.find(home, tag_of(place)).line - home + 1
            });
            read.sum::<usize>() as f64 / f64::from(table.count())
        };
        let edges_max = 90_000;
        let ends = |number: u32| (number, (number + 1 + (number.wrapping_mul(0x9e37_79b9) >> 20)) % (1 << 20));
        let mut table = EdgeTable::new(EdgeSizes { nodes_max: 1 << 20, edges_max }, 3).unwrap();
        (0..edges_max).for_each(|number| _ = table.set(ends(number).0, ends(number).1, 1));
        let fresh = lines_read(&table);
        for number in 0..10 * edges_max {
            table.set(ends(number).0, ends(number).1, 0);
            table.set(ends(number + edges_max).0, ends(number + edges_max).1, 1);
        }
        let churned = lines_read(&table);

        assert!(fresh < 1.15 && churned < 1.15, "{fresh} lines fresh, {churned} after ten times the edges");
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
