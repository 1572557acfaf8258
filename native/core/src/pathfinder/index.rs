//! Finds an edge by its two ends: open addressing with linear probing over one fixed table of edge numbers.

use super::{PathfinderError, filled};

/// Marks a free cell, and "no edge" wherever an edge number is expected.
pub(super) const NONE: u32 = u32::MAX;

/// The table. It holds edge numbers only; the ends of an edge are asked from whoever owns the edges.
#[derive(Debug)]
pub(super) struct EdgeIndex {
    cells: Vec<u32>,
    salt: u64,
}

impl EdgeIndex {
    /// Room for `edges_max` edges at a load of two thirds, where a probe still ends after few cells.
    pub(super) fn new(edges_max: u32, salt: u64) -> Result<Self, PathfinderError> {
        let cells = edges_max as usize + edges_max as usize / 2 + 2;
        Ok(Self { cells: filled(cells, NONE, "edge index")?, salt })
    }

    /// The edge with these ends, or [`NONE`].
    pub(super) fn find(&self, ends: (u32, u32), ends_of: impl Fn(u32) -> (u32, u32)) -> u32 {
        let mut cell = self.home(ends);
        loop {
            let edge = self.cells[cell];
            if edge == NONE || ends_of(edge) == ends {
                return edge;
            }
            cell = self.after(cell);
        }
    }

    /// Adds an edge that is not in the table yet.
    pub(super) fn insert(&mut self, ends: (u32, u32), edge: u32) {
        let mut cell = self.home(ends);
        while self.cells[cell] != NONE {
            cell = self.after(cell);
        }
        self.cells[cell] = edge;
    }

    /// Takes out an edge that is in the table and closes the gap, so that churn leaves nothing behind.
    pub(super) fn remove(&mut self, ends: (u32, u32), edge: u32, ends_of: impl Fn(u32) -> (u32, u32)) {
        let mut hole = self.home(ends);
        while self.cells[hole] != edge {
            hole = self.after(hole);
        }
        let mut cell = self.after(hole);
        while self.cells[cell] != NONE {
            let home = self.home(ends_of(self.cells[cell]));
            if self.distance(home, cell) >= self.distance(hole, cell) {
                self.cells[hole] = self.cells[cell];
                hole = cell;
            }
            cell = self.after(cell);
        }
        self.cells[hole] = NONE;
    }

    /// Steps from one cell to another, going round the end.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.cells.len() - from }
    }

    fn after(&self, cell: usize) -> usize {
        if cell + 1 == self.cells.len() { 0 } else { cell + 1 }
    }

    /// The cell where the search for these ends starts: 32 mixed bits scaled to the table's length.
    fn home(&self, (source, target): (u32, u32)) -> usize {
        let mut mixed = (u64::from(source) << 32 | u64::from(target)) ^ self.salt;
        mixed = (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed = (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (((mixed >> 32) * self.cells.len() as u64) >> 32) as usize
    }
}
