//! Another number for the two ends of an edge, one for one, that looks random.

/// A salted way to scramble the ends of edges over some number of nodes.
///
/// The ends, side by side, are a number of an even count of bits. Multiplying by an odd number and folding the upper half
/// onto the lower are both undone exactly within these bits, so whatever is made of them by both tells the ends. The
/// factors are secret: without them nobody can choose edges whose scrambled numbers lie close to each other.
pub(super) struct Scramble {
    half_bits: u32,
    addend: u64,
    factors: [u64; 3],
    inverses: [u64; 3],
}

/// The odd number by which `odd` is undone, modulo 2^64 and so modulo every lower power of two. Newton's iteration: each
/// round doubles the low bits that are right, of which an odd number itself has three.
fn inverse(odd: u64) -> u64 {
    (0..5).fold(odd, |found, _| found.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(found))))
}

/// The next number of the splitmix64 sequence (Steele, Lea and Flood 2014), for making several secrets of one salt.
fn next_secret(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

impl Scramble {
    /// For ids below `nodes_max`.
    pub(super) fn new(nodes_max: u32, salt: u64) -> Scramble {
        let half_bits = u32::BITS - nodes_max.saturating_sub(1).max(1).leading_zeros();
        let mut seed = salt;
        let addend = next_secret(&mut seed);
        let factors = std::array::from_fn(|_| next_secret(&mut seed) | 1);
        Scramble { half_bits, addend, factors, inverses: factors.map(inverse) }
    }

    /// Bits of a scrambled number.
    #[inline(always)]
    pub(super) fn bits(&self) -> u32 {
        2 * self.half_bits
    }

    #[inline(always)]
    fn cut(&self, number: u64) -> u64 {
        number & (u64::MAX >> (u64::BITS - self.bits()))
    }

    /// The scrambled number of an edge.
    #[inline(always)]
    pub(super) fn of(&self, source: u32, target: u32) -> u64 {
        let mut number = u64::from(source) << self.half_bits | u64::from(target);
        number = self.cut(number.wrapping_add(self.addend).wrapping_mul(self.factors[0]));
        number ^= number >> self.half_bits;
        number = self.cut(number.wrapping_mul(self.factors[1]));
        number ^= number >> self.half_bits;
        self.cut(number.wrapping_mul(self.factors[2]))
    }

    /// The ends that [`Scramble::of`] made this number of.
    pub(super) fn ends(&self, scrambled: u64) -> (u32, u32) {
        let mut number = self.cut(scrambled.wrapping_mul(self.inverses[2]));
        // The fold changed the lower half by the upper, which is as it was.
        number ^= number >> self.half_bits;
        number = self.cut(number.wrapping_mul(self.inverses[1]));
        number ^= number >> self.half_bits;
        number = self.cut(number.wrapping_mul(self.inverses[0]).wrapping_sub(self.addend));
        ((number >> self.half_bits) as u32, self.cut(number) as u32 & (u32::MAX >> (u32::BITS - self.half_bits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_own_and_gives_the_ends_back() {
        for (nodes_max, salt) in [(2, 0), (3, 1), (4, 2), (5, u64::MAX), (64, 3), (65, 4)] {
            let scramble = Scramble::new(nodes_max, salt);
            let side = 1_u32 << scramble.half_bits;
            let mut seen = vec![false; 1 << scramble.bits()];
            for (source, target) in (0..side).flat_map(|source| (0..side).map(move |target| (source, target))) {
                let scrambled = scramble.of(source, target);
                assert!(!std::mem::replace(&mut seen[scrambled as usize], true), "{nodes_max} nodes");
                assert_eq!(scramble.ends(scrambled), (source, target), "{nodes_max} nodes");
            }
        }
        for (nodes_max, salt) in [(1 << 20, 5), (11_750_000, 6), (1 << 27, 7), (u32::MAX, 8)] {
            let scramble = Scramble::new(nodes_max, salt);
            for number in 0..10_000_u32 {
                let ends = (number.wrapping_mul(0x9e37_79b9) % nodes_max, nodes_max - 1 - number);
                assert_eq!(scramble.ends(scramble.of(ends.0, ends.1)), ends, "{nodes_max} nodes");
            }
        }
    }

    /// Stars, chains, grids, all pairs of few nodes: no part of the numbers gets many more of them than its share.
    #[test]
    fn edges_with_a_pattern_spread_evenly() {
        type Pattern = fn(u32) -> (u32, u32);
        let patterns: [(&str, Pattern); 5] = [
            ("star", |number| (77, number + 1_000)),
            ("inward star", |number| (number + 1_000, 77)),
            ("chain", |number| (number, number + 1)),
            ("grid", |number| (number / 2, number / 2 + 1 + number % 2 * 1_023)),
            ("all pairs", |number| (number % 256, 1_000 + number / 256)),
        ];
        for salt in 0..20 {
            let scramble = Scramble::new(1 << 24, salt);
            for (name, pattern) in patterns {
                let mut parts = vec![0_u32; 4_096];
                (0..1 << 16).for_each(|number| {
                    let (source, target) = pattern(number);
                    parts[(scramble.of(source, target) >> (48 - 12)) as usize] += 1;
                });
                let most = parts.iter().max().unwrap();
                // 16 on average; 48 is eight standard deviations above it.
                assert!(*most < 48, "salt {salt}, {name}: {most} in one of 4,096 parts");
            }
        }
    }
}
