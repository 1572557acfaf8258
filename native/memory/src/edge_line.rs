//! One cache line of the engine's table of edges: seven cells, each a tag of 40 bits and a mask of 32.
//!
//! The tag is what tells an edge from the others that may lie in the line; the table knows how to make an edge of it. All
//! cells of a line are compared at once, with SSE2, which every x86-64 has, so that nothing is chosen at run time. Wider
//! registers bring nothing: a line is four of the narrow ones, and what takes time is the wait for it. Elsewhere a plain
//! loop does the same; the tests hold the two against each other.

use crate::huge::Plain;

/// Cells in one line.
pub const EDGE_LINE_CELLS: usize = 7;

/// Bits of a tag.
pub const EDGE_TAG_BITS: u32 = 40;

/// One bit for each cell.
const ALL_CELLS: u32 = (1 << EDGE_LINE_CELLS) - 1;

/// The line.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default)]
pub struct EdgeLine {
    /// Low 32 bits of each tag.
    tags_low: [u32; EDGE_LINE_CELLS],
    /// The mask of each cell; 0 in a free one, since no edge has mask 0.
    masks: [u32; EDGE_LINE_CELLS],
    /// High 8 bits of each tag, then a byte that is always 0.
    tags_high: [u8; EDGE_LINE_CELLS + 1],
}

const _: () = assert!(size_of::<EdgeLine>() == 64 && align_of::<EdgeLine>() == 64);
const _: () = assert!(9 * EDGE_LINE_CELLS + 1 == size_of::<EdgeLine>());

// SAFETY: fourteen u32 and eight u8 make 64 bytes, the size asserted above, so there is no padding, and any bytes are a
// value.
unsafe impl Plain for EdgeLine {}

impl EdgeLine {
    /// The cell that holds this tag. Tags in a line differ, so there is at most one.
    #[inline(always)]
    pub fn find(&self, tag: u64) -> Option<usize> {
        let mut candidates = self.with_low(tag as u32);
        while candidates != 0 {
            let cell = candidates.trailing_zeros() as usize;
            // A free cell's tag is whatever the last edge left there.
            if self.tags_high[cell] == (tag >> 32) as u8 && self.masks[cell] != 0 {
                return Some(cell);
            }
            candidates &= candidates - 1;
        }
        None
    }

    /// A free cell.
    #[inline(always)]
    pub fn free(&self) -> Option<usize> {
        let [a, b, c, d, ..] = self.tags_high;
        let free = equal_lanes(&self.masks, u32::from_le_bytes([a, b, c, d]), 0);
        (free != 0).then(|| free.trailing_zeros() as usize)
    }

    /// One bit for each cell whose tag ends with these bits, free cells included.
    #[inline(always)]
    fn with_low(&self, low: u32) -> u32 {
        equal_lanes(&self.tags_low, self.masks[0], low)
    }

    /// The tag in a used cell.
    pub fn tag(&self, cell: usize) -> u64 {
        u64::from(self.tags_high[cell]) << 32 | u64::from(self.tags_low[cell])
    }

    /// The mask in the cell, 0 where it is free.
    #[inline(always)]
    pub fn mask(&self, cell: usize) -> u32 {
        self.masks[cell]
    }

    /// Changes the mask of a cell; 0 frees it.
    #[inline(always)]
    pub fn set_mask(&mut self, cell: usize, mask: u32) {
        self.masks[cell] = mask;
    }

    /// Puts an edge into the cell.
    pub fn put(&mut self, cell: usize, tag: u64, mask: u32) {
        self.tags_low[cell] = tag as u32;
        self.tags_high[cell] = (tag >> 32) as u8;
        self.masks[cell] = mask;
    }
}

/// One bit for each of the seven numbers that equals `value`. `behind` is what lies in memory behind them: with it they are
/// eight, two whole registers; it is not looked at.
#[inline(always)]
#[cfg(target_arch = "x86_64")]
fn equal_lanes(numbers: &[u32; EDGE_LINE_CELLS], behind: u32, value: u32) -> u32 {
    // SAFETY: SSE2 is part of every x86-64.
    unsafe { equal_lanes_sse2(numbers, behind, value) }
}

#[inline]
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
fn equal_lanes_sse2(numbers: &[u32; EDGE_LINE_CELLS], behind: u32, value: u32) -> u32 {
    use std::arch::x86_64::{_mm_castsi128_ps, _mm_cmpeq_epi32, _mm_movemask_ps, _mm_set_epi32, _mm_set1_epi32};
    let [a, b, c, d, e, f, g] = numbers.map(u32::cast_signed);
    let wanted = _mm_set1_epi32(value.cast_signed());
    // The compiler makes one load of each of these: the numbers lie in memory in this order.
    let front = _mm_cmpeq_epi32(_mm_set_epi32(d, c, b, a), wanted);
    let back = _mm_cmpeq_epi32(_mm_set_epi32(behind.cast_signed(), g, f, e), wanted);
    let front = _mm_movemask_ps(_mm_castsi128_ps(front)).cast_unsigned();
    let back = _mm_movemask_ps(_mm_castsi128_ps(back)).cast_unsigned();
    (front | back << 4) & ALL_CELLS
}

#[inline(always)]
#[cfg(not(target_arch = "x86_64"))]
fn equal_lanes(numbers: &[u32; EDGE_LINE_CELLS], _behind: u32, value: u32) -> u32 {
    equal_lanes_plain(numbers, value)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn equal_lanes_plain(numbers: &[u32; EDGE_LINE_CELLS], value: u32) -> u32 {
    let lanes = numbers.iter().enumerate();
    lanes.fold(0, |bits, (lane, number)| bits | u32::from(*number == value) << lane) & ALL_CELLS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_finds_exactly_what_was_put_into_it() {
        let mut line = EdgeLine::default();
        assert_eq!((line.find(0), line.free()), (None, Some(0)), "a fresh line holds no edge, not even one with tag 0");
        let tags: [u64; EDGE_LINE_CELLS] = std::array::from_fn(|cell| (cell as u64) << 32 | 7);
        for (cell, tag) in tags.iter().enumerate() {
            assert_eq!((line.find(*tag), line.free()), (None, Some(cell)));
            line.put(cell, *tag, cell as u32 + 1);
        }
        assert_eq!(line.free(), None);
        for (cell, tag) in tags.iter().enumerate() {
            assert_eq!((line.find(*tag), line.tag(cell), line.mask(cell)), (Some(cell), *tag, cell as u32 + 1));
        }
        assert_eq!(line.find(7 << 32 | 7), None, "a tag that differs in its high bits only");
        line.set_mask(5, 0);
        assert_eq!((line.find(tags[5]), line.free()), (None, Some(5)));
    }

    #[test]
    fn all_lanes_at_once_are_as_one_by_one() {
        let mut random = 1_u64;
        for _ in 0..100_000 {
            let numbers: [u32; EDGE_LINE_CELLS] = std::array::from_fn(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (random >> 62) as u32 * 0x4000_0001
            });
            let behind = (random >> 30) as u32;
            for value in [0, 0x4000_0001, 0x8000_0002, 0xc000_0003, 1, u32::MAX] {
                let (found, expected) = (equal_lanes(&numbers, behind, value), equal_lanes_plain(&numbers, value));
                assert_eq!(found, expected, "{numbers:?} {value}");
            }
        }
    }
}
