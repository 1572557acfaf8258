//! A leaf: edges of one node in cells of a word, `mask << 32 | target`. A cell of zero is free, since no mask is 0.
//!
//! Up to four cells are looked through. From eight on a leaf is lines of eight cells, 64 bytes: an edge lies in the
//! line that its hash names or, where that is full, in the nearest line behind it with a free cell, so that a line with
//! a free cell ends every search. Taking an edge out moves later ones back: no marks of removed edges are left behind,
//! and searches stay as short as in a fresh leaf.

use super::head::{CLASS_CELLS, CLASS_MAX};

/// Cells of a line.
pub(super) const LINE_CELLS: usize = 8;

/// Lines of the largest leaf.
const LINES_MAX: usize = CLASS_CELLS[CLASS_MAX] as usize / LINE_CELLS;

/// Where the search for a target ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Its cell.
    Found(usize),
    /// It is not there; this cell would take it.
    Free(usize),
    /// It is not there and every cell is in use.
    Full,
}

pub(super) fn cell_of(target: u32, mask: u32) -> u64 {
    u64::from(mask) << 32 | u64::from(target)
}

pub(super) fn target_of(cell: u64) -> u32 {
    cell as u32
}

pub(super) fn mask_of(cell: u64) -> u32 {
    (cell >> 32) as u32
}

/// The line where the search for this hash begins: any number of lines gets even shares.
#[inline(always)]
pub(super) fn home_line(hash: u32, cells: usize) -> usize {
    ((u64::from(hash) * (cells / LINE_CELLS) as u64) >> 32) as usize
}

/// One bit for each cell of the line that is this target's, and one for each free one.
#[inline(always)]
fn compare(line: &[u64; LINE_CELLS], target: u32) -> (u32, u32) {
    let (mut found, mut free) = (0, 0);
    for (index, cell) in line.iter().enumerate() {
        found |= u32::from(target_of(*cell) == target) << index;
        free |= u32::from(mask_of(*cell) == 0) << index;
    }
    (found & !free, free)
}

/// Looks for the target, whose hash is given. A leaf of no cells is full.
#[inline(always)]
pub(super) fn find(cells: &[u64], target: u32, hash: u32) -> Place {
    let (lines, rest) = cells.as_chunks::<LINE_CELLS>();
    if lines.is_empty() {
        return find_in_few(rest, target);
    }
    let home = home_line(hash, cells.len());
    let mut line = home;
    loop {
        let (found, free) = compare(&lines[line], target);
        if found != 0 {
            return Place::Found(line * LINE_CELLS + found.trailing_zeros() as usize);
        }
        if free != 0 {
            return Place::Free(line * LINE_CELLS + free.trailing_zeros() as usize);
        }
        line = if line + 1 == lines.len() { 0 } else { line + 1 };
        if line == home {
            return Place::Full;
        }
    }
}

fn find_in_few(cells: &[u64], target: u32) -> Place {
    let mut place = Place::Full;
    for (index, cell) in cells.iter().enumerate() {
        if mask_of(*cell) == 0 {
            place = Place::Free(index);
        } else if target_of(*cell) == target {
            return Place::Found(index);
        }
    }
    place
}

/// Puts in a cell whose target is not there yet; there must be room.
#[inline(always)]
pub(super) fn insert(cells: &mut [u64], cell: u64, hash: u32) {
    let home = home_line(hash, cells.len());
    let (lines, rest) = cells.as_chunks_mut::<LINE_CELLS>();
    if lines.is_empty() {
        return put_into_first_free(rest, cell);
    }
    let mut line = home;
    loop {
        let free = lines[line].iter().enumerate().fold(0, |free, (index, cell)| free | u32::from(*cell == 0) << index);
        if free != 0 {
            lines[line][free.trailing_zeros() as usize] = cell;
            return;
        }
        line = if line + 1 == lines.len() { 0 } else { line + 1 };
        debug_assert!(line != home, "a leaf with room has a free cell");
    }
}

/// Puts these cells, with targets that all differ, into a leaf that is empty; there must be room.
#[inline(always)]
pub(super) fn fill(cells: &mut [u64], from: impl Iterator<Item = u64>, hash_of: impl Fn(u32) -> u32) {
    let cells_count = cells.len();
    let (lines, rest) = cells.as_chunks_mut::<LINE_CELLS>();
    if lines.is_empty() {
        return rest.iter_mut().zip(from).for_each(|(to, cell)| *to = cell);
    }
    // Cells in use of each line: they are the first ones, so none has to be looked at.
    let mut used = [0_u8; LINES_MAX];
    for cell in from {
        let mut line = home_line(hash_of(target_of(cell)), cells_count);
        while usize::from(used[line]) == LINE_CELLS {
            line = if line + 1 == lines.len() { 0 } else { line + 1 };
        }
        lines[line][usize::from(used[line])] = cell;
        used[line] += 1;
    }
}

fn put_into_first_free(cells: &mut [u64], cell: u64) {
    let free = cells.iter().position(|cell| *cell == 0);
    debug_assert!(free.is_some(), "a leaf with room has a free cell");
    free.into_iter().for_each(|place| cells[place] = cell);
}

/// Empties the cell. Where its line was full, edges may have gone on to later lines for want of a cell here: one of
/// them is moved back, which leaves a cell free there, and so on.
pub(super) fn remove(cells: &mut [u64], place: usize, hash_of: impl Fn(u32) -> u32) {
    let mut place = place;
    if cells.len() > LINE_CELLS {
        while line_is_full(cells, place / LINE_CELLS) {
            let Some(from) = passed(cells, place / LINE_CELLS, &hash_of) else { break };
            cells[place] = cells[from];
            place = from;
        }
    }
    cells[place] = 0;
}

fn line_is_full(cells: &[u64], line: usize) -> bool {
    cells[line * LINE_CELLS..][..LINE_CELLS].iter().all(|cell| *cell != 0)
}

/// The place of an edge in a later line that wanted to be in this full one or before it; `None` if none went past.
fn passed(cells: &[u64], line: usize, hash_of: &impl Fn(u32) -> u32) -> Option<usize> {
    let lines = cells.len() / LINE_CELLS;
    let mut later = line;
    loop {
        later = if later + 1 == lines { 0 } else { later + 1 };
        if later == line {
            return None;
        }
        let first = later * LINE_CELLS;
        let mut has_free = false;
        for (place, cell) in cells.iter().enumerate().skip(first).take(LINE_CELLS) {
            if *cell == 0 {
                has_free = true;
                continue;
            }
            let home = home_line(hash_of(target_of(*cell)), cells.len());
            // Behind `line` on the way to `later`: such a home keeps the edge where it is.
            let behind = if line < later { line < home && home <= later } else { line < home || home <= later };
            if !behind {
                return Some(place);
            }
        }
        if has_free {
            return None;
        }
    }
}
