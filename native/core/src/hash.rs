//! The state hash: a sum, modulo 2^64 in each of two lanes, over everything the state holds.
//!
//! A sum does not depend on order, so it is kept up to date by taking the old item out and putting the new one in. Two
//! states with the same hash are the same but for a chance of about 2^-128; it does not resist someone who makes
//! collisions on purpose.

use std::fmt;

/// The hash of one state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StateHash {
    /// First lane.
    pub low: u64,
    /// Second lane.
    pub high: u64,
}

impl fmt::Display for StateHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}{:016x}", self.high, self.low)
    }
}

// Odd constants with no structure: the fractional digits of the golden ratio and of square roots of primes.
const MULTIPLY_LOW: u64 = 0x9e37_79b9_7f4a_7c15;
const MULTIPLY_HIGH: u64 = 0xbb67_ae85_84ca_a73b;
const SEED_EDGE: u64 = 0x3c6e_f372_fe94_f82b;
const SEED_SLOT: u64 = 0xa54f_f53a_5f1d_36f1;
const SEED_NODE: u64 = 0x510e_527f_ade6_82d1;

/// The two lanes under way over the words of one item.
#[derive(Clone, Copy)]
struct Lanes {
    low: u64,
    high: u64,
}

impl Lanes {
    #[inline(always)]
    fn start(seed: u64) -> Lanes {
        Lanes { low: seed, high: !seed }
    }

    #[inline(always)]
    fn with(self, word: u64) -> Lanes {
        let low = (self.low ^ word).wrapping_mul(MULTIPLY_LOW);
        let high = (self.high.rotate_left(23) ^ word).wrapping_mul(MULTIPLY_HIGH);
        Lanes { low: low ^ low >> 29, high: high ^ high >> 32 }
    }

    #[inline(always)]
    fn finish(self) -> StateHash {
        StateHash { low: finish(self.low, MULTIPLY_HIGH), high: finish(self.high, MULTIPLY_LOW) }
    }
}

/// The hash of an edge but for its mask: a change of mask takes one out and puts one in that differ by that alone.
#[derive(Clone, Copy)]
pub(crate) struct EdgeEnds(Lanes);

impl EdgeEnds {
    #[inline(always)]
    pub(crate) fn new(source: u32, target: u32) -> EdgeEnds {
        EdgeEnds(Lanes::start(SEED_EDGE).with(u64::from(source) << 32 | u64::from(target)))
    }

    #[inline(always)]
    pub(crate) fn with_mask(self, mask: u32) -> StateHash {
        self.0.with(u64::from(mask)).finish()
    }
}

impl StateHash {
    fn of(seed: u64, words: impl IntoIterator<Item = u64>) -> StateHash {
        words.into_iter().fold(Lanes::start(seed), Lanes::with).finish()
    }

    pub(crate) fn of_edge(source: u32, target: u32, mask: u32) -> StateHash {
        EdgeEnds::new(source, target).with_mask(mask)
    }

    /// A slot in use: its number, the tenant whose quota it counts against, and the words in use.
    pub(crate) fn of_slot(slot: u32, tenant: u32, words: &[u64]) -> StateHash {
        let place = u64::from(tenant) << 32 | u64::from(slot);
        StateHash::of(SEED_SLOT, words.iter().copied().chain([place]))
    }

    /// A node that has a version but no slot.
    pub(crate) fn of_node(node: u32, version: u64) -> StateHash {
        StateHash::of(SEED_NODE, [u64::from(node), version])
    }

    pub(crate) fn add(&mut self, item: StateHash) {
        self.low = self.low.wrapping_add(item.low);
        self.high = self.high.wrapping_add(item.high);
    }

    pub(crate) fn remove(&mut self, item: StateHash) {
        self.low = self.low.wrapping_sub(item.low);
        self.high = self.high.wrapping_sub(item.high);
    }
}

/// Spreads every bit over the word, so that sums of similar items do not cancel. Together with the multiplication of the
/// last word this is one round less than a word would need that nothing was mixed into before.
#[inline(always)]
fn finish(mut value: u64, multiplier: u64) -> u64 {
    value ^= value >> 31;
    value = value.wrapping_mul(multiplier);
    value ^ value >> 32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn items_cancel_exactly_and_in_any_order() {
        let mut hash = StateHash::default();
        let items: Vec<StateHash> = (0..100).map(|n| StateHash::of_edge(n, n + 1, n * 3)).collect();
        items.iter().for_each(|item| hash.add(*item));
        assert_ne!(hash, StateHash::default());
        items.iter().rev().for_each(|item| hash.remove(*item));
        assert_eq!(hash, StateHash::default());
    }

    #[test]
    fn similar_items_differ_in_both_lanes() {
        let mut low = BTreeSet::new();
        let mut high = BTreeSet::new();
        let mut count = 0;
        for a in 0..40 {
            for b in 0..40 {
                let items = [
                    StateHash::of_edge(a, b, 0),
                    StateHash::of_edge(0, a, b + 1),
                    StateHash::of_node(a, u64::from(b)),
                    StateHash::of_slot(a, 0, &[u64::from(b)]),
                    StateHash::of_slot(a, 1, &[u64::from(b)]),
                ];
                for item in items {
                    count += usize::from(low.insert(item.low));
                    high.insert(item.high);
                }
            }
        }
        assert_eq!((low.len(), high.len()), (count, count));
        assert_eq!(count, 5 * 1600);
    }
}
