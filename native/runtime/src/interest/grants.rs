//! Nodes that a client may subscribe to because the application said so.

use arrayvec::ArrayVec;
use lodestone_memory::Status;

use super::{Refusal, nodes_of};

/// Ranges granted to one session at once.
const GRANTS_MAX: usize = 8;

/// Nodes from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u32,
    pub(super) last: u32,
}

impl Range {
    /// A range out of its two ends.
    pub(super) fn of(bytes: &[u8]) -> Result<Range, Refusal> {
        let mut ends = nodes_of(bytes);
        let (Some(first), Some(last), None) = (ends.next(), ends.next(), ends.next()) else {
            return Err((Status::Malformed, 0));
        };
        if first > last { Err((Status::OutOfBounds, first)) } else { Ok(Range { first, last }) }
    }

    pub(super) fn contains(self, node: u32) -> bool {
        (self.first..=self.last).contains(&node)
    }

    fn touches(self, other: Range) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    fn covers(self, other: Range) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

/// The grants of one session.
#[derive(Clone, Debug, Default)]
pub(super) struct Grants(ArrayVec<Range, GRANTS_MAX>);

impl Grants {
    pub(super) fn allow(&self, node: u32) -> bool {
        self.0.iter().any(|range| range.contains(node))
    }

    /// Adds a range; one that covers others takes their place. [`Status::Overloaded`] where there is no place left.
    pub(super) fn add(&mut self, range: Range) -> Result<(), Status> {
        if self.0.iter().any(|known| known.covers(range)) {
            return Ok(());
        }
        self.0.retain(|known| !range.covers(*known));
        self.0.try_push(range).map_err(|_| Status::Overloaded)
    }

    /// Takes back every grant that touches the range, as a whole: this never needs a place, so it never fails.
    pub(super) fn take_back(&mut self, range: Range) {
        self.0.retain(|known| !known.touches(range));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u32, last: u32) -> Range {
        Range { first, last }
    }

    #[test]
    fn grants_are_bounded_merged_where_covered_and_taken_back_whole() {
        let mut grants = Grants::default();
        for index in 0..GRANTS_MAX as u32 {
            grants.add(range(10 * index, 10 * index + 5)).unwrap();
        }
        assert_eq!(grants.add(range(1_000, 1_000)), Err(Status::Overloaded));
        assert_eq!(grants.add(range(11, 12)), Ok(()), "covered already");
        assert!(grants.allow(15) && !grants.allow(16) && grants.allow(70));
        grants.add(range(0, 29)).unwrap();
        grants.add(range(u32::MAX, u32::MAX)).unwrap();
        assert!(grants.allow(16) && grants.allow(u32::MAX) && !grants.allow(29 + 1 - 1 + 7));
        grants.take_back(range(29, 30));
        assert!(!grants.allow(0) && !grants.allow(30) && grants.allow(40));
        grants.take_back(range(0, u32::MAX));
        assert!((0..100).all(|node| !grants.allow(node)));
    }

    #[test]
    fn a_range_has_two_ends_in_order() {
        let bytes = |ends: &[u32]| ends.iter().flat_map(|end| end.to_le_bytes()).collect::<Vec<_>>();
        assert_eq!(Range::of(&bytes(&[3, 3])), Ok(range(3, 3)));
        assert_eq!(Range::of(&bytes(&[4, 3])), Err((Status::OutOfBounds, 4)));
        assert_eq!(Range::of(&bytes(&[3])), Err((Status::Malformed, 0)));
        assert_eq!(Range::of(&bytes(&[3, 4, 5])), Err((Status::Malformed, 0)));
    }
}
