//! Loops over words that are worth the processor's wide instructions, chosen at run time; all paths give the same.

/// Words of a cache line, which the wide paths take at a time.
const LINE_WORDS: usize = 8;

/// Writes `word - base`, wrapping round, of every word for which that is at most `most` to the front of `kept`, in
/// order, and returns how many. What lies behind them in `kept` means nothing afterwards.
///
/// Without a branch on the words: where few are kept at random places, a branch is guessed wrongly for each, and the
/// wait for one line of memory then no longer overlaps with that for the next.
///
/// # Panics
/// When `kept` is shorter than `words`.
#[inline]
pub fn keep_up_to(words: &[u64], base: u64, most: u64, kept: &mut [u64]) -> usize {
    assert!(kept.len() >= words.len());
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor was just seen to have AVX-512F.
            return unsafe { wide::keep_up_to_avx512(words, base, most, kept) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor was just seen to have AVX2.
            return unsafe { wide::keep_up_to_avx2(words, base, most, kept) };
        }
    }
    keep_up_to_portable(words, base, most, kept)
}

fn keep_up_to_portable(words: &[u64], base: u64, most: u64, kept: &mut [u64]) -> usize {
    let mut count = 0;
    for word in words {
        let word = word.wrapping_sub(base);
        // As many were kept as words were looked at, at most, and `kept` is as long as `words`.
        kept[count] = word;
        count += usize::from(word <= most);
    }
    count
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod wide {
    use std::arch::x86_64::{
        __m256i, _mm256_castsi256_pd, _mm256_cmpgt_epi64, _mm256_loadu_si256, _mm256_movemask_pd,
        _mm256_permutevar8x32_epi32, _mm256_set1_epi64x, _mm256_storeu_si256, _mm256_sub_epi64, _mm256_xor_si256,
        _mm512_cmple_epu64_mask, _mm512_loadu_si512, _mm512_maskz_compress_epi64, _mm512_set1_epi64,
        _mm512_storeu_si512, _mm512_sub_epi64,
    };

    use super::{LINE_WORDS, keep_up_to_portable};

    #[target_feature(enable = "avx512f")]
    pub(super) fn keep_up_to_avx512(words: &[u64], base: u64, most: u64, kept: &mut [u64]) -> usize {
        let (lines, rest) = words.as_chunks::<LINE_WORDS>();
        let (bases, mosts) = (_mm512_set1_epi64(base.cast_signed()), _mm512_set1_epi64(most.cast_signed()));
        let mut count = 0;
        for line in lines {
            // SAFETY: a line is 64 bytes long.
            let line = unsafe { _mm512_loadu_si512(line.as_ptr().cast()) };
            let line = _mm512_sub_epi64(line, bases);
            let keep = _mm512_cmple_epu64_mask(line, mosts);
            let packed = _mm512_maskz_compress_epi64(keep, line);
            let to = &mut kept[count..][..LINE_WORDS];
            // SAFETY: the slice is 64 bytes long.
            unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), packed) };
            count += keep.count_ones() as usize;
        }
        count + keep_up_to_portable(rest, base, most, &mut kept[count..])
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn keep_up_to_avx2(words: &[u64], base: u64, most: u64, kept: &mut [u64]) -> usize {
        let (quads, rest) = words.as_chunks::<4>();
        // Only signed numbers can be compared: both sides are turned so that their order is the unsigned one.
        let turn = _mm256_set1_epi64x(i64::MIN);
        let (bases, mosts) = (_mm256_set1_epi64x(base.cast_signed()), _mm256_set1_epi64x(most.cast_signed()));
        let mosts = _mm256_xor_si256(mosts, turn);
        let mut count = 0;
        for quad in quads {
            // SAFETY: four words are 32 bytes long.
            let quad = unsafe { _mm256_loadu_si256(quad.as_ptr().cast()) };
            let quad = _mm256_sub_epi64(quad, bases);
            let drop = _mm256_cmpgt_epi64(_mm256_xor_si256(quad, turn), mosts);
            let keep = (!_mm256_movemask_pd(_mm256_castsi256_pd(drop)) & 15) as usize;
            // SAFETY: an entry of the table is 32 bytes long.
            let order = unsafe { _mm256_loadu_si256(ORDERS[keep].as_ptr().cast::<__m256i>()) };
            let packed = _mm256_permutevar8x32_epi32(quad, order);
            let to = &mut kept[count..][..4];
            // SAFETY: the slice is 32 bytes long.
            unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), packed) };
            count += keep.count_ones() as usize;
        }
        count + keep_up_to_portable(rest, base, most, &mut kept[count..])
    }

    /// For each set of four words, as bits: which halves of words come first so that those of the set lead.
    const ORDERS: [[u32; 8]; 16] = orders();

    const fn orders() -> [[u32; 8]; 16] {
        let mut orders = [[0; 8]; 16];
        let mut set = 0;
        while set < 16 {
            let (mut word, mut at) = (0, 0);
            while word < 4 {
                if set >> word & 1 == 1 {
                    orders[set][at] = word * 2;
                    orders[set][at + 1] = word * 2 + 1;
                    at += 2;
                }
                word += 1;
            }
            set += 1;
        }
        orders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Path = fn(&[u64], u64, u64, &mut [u64]) -> usize;

    /// Every path that this machine has.
    fn paths() -> Vec<(&'static str, Path)> {
        let mut paths: Vec<(&'static str, Path)> = vec![("portable", keep_up_to_portable), ("chosen", keep_up_to)];
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        {
            if is_x86_feature_detected!("avx512f") {
                // SAFETY: only on a processor that was just seen to have AVX-512F.
                paths.push(("avx512f", |words, base, most, kept| unsafe {
                    wide::keep_up_to_avx512(words, base, most, kept)
                }));
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: only on a processor that was just seen to have AVX2.
                paths.push(("avx2", |words, base, most, kept| unsafe {
                    wide::keep_up_to_avx2(words, base, most, kept)
                }));
            }
        }
        paths
    }

    #[test]
    fn every_path_keeps_the_same_words_in_the_same_order() {
        let mut random = 1_u64;
        let mut next = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Near 0, near the sign's change and near the end, and anything.
            match random >> 62 {
                0 => random >> 60,
                1 => (1 << 63) - 2 + (random >> 60 & 3),
                2 => u64::MAX - (random >> 60 & 3),
                _ => random,
            }
        };
        for round in 0..20_000 {
            let length = round % 77;
            let words: Vec<u64> = (0..length).map(|_| next()).collect();
            let (base, most) = (next(), next());
            let expected: Vec<u64> =
                words.iter().map(|word| word.wrapping_sub(base)).filter(|word| *word <= most).collect();
            for (name, path) in paths() {
                let mut kept = vec![7; length];
                let count = path(&words, base, most, &mut kept);
                assert_eq!(kept[..count], expected, "round {round}, {name}: {words:x?} from {base:x} to {most:x}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "kept.len() >= words.len()")]
    fn too_little_room_is_refused() {
        keep_up_to(&[0; 9], 0, 0, &mut [0; 8]);
    }
}
