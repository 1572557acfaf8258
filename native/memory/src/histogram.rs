//! Latency histograms in the shared region: log-linear buckets, 32 to an octave (3 % wide), nanoseconds.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::layout::{HISTOGRAM_BUCKETS, HISTOGRAMS_MAX};
use crate::mapping::Mapping;

/// Which histogram. The numbers are places in the shared region: they are only ever added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum HistogramId {
    /// A batch entered the channel until the engine took it.
    Queue = 0,
    /// The engine took a batch until its revision was published.
    Engine = 1,
    /// First packet of a connection until its TLS handshake was complete.
    Handshake = 2,
    /// A rollback.
    Rollback = 3,
    /// A route request reached the pathfinder until it was answered.
    Route = 4,
}

/// Largest value that has a bucket of its own octave; larger ones count as this (137 s).
pub const HISTOGRAM_VALUE_MAX: u64 = (1 << 37) - 1;

/// The bucket that counts a value of `nanoseconds`.
pub fn bucket_of(nanoseconds: u64) -> usize {
    let value = nanoseconds.min(HISTOGRAM_VALUE_MAX);
    if value < 32 {
        return value as usize;
    }
    let exponent = 63 - value.leading_zeros() as usize;
    (exponent - 4) * 32 + ((value >> (exponent - 5)) & 31) as usize
}

/// The smallest value that the bucket counts.
pub fn bucket_floor(bucket: usize) -> u64 {
    if bucket < 32 { bucket as u64 } else { (32 + (bucket as u64 & 31)) << (bucket / 32 - 1) }
}

/// A handle on the histograms; `Copy`, usable from any thread.
#[derive(Clone, Copy)]
pub struct Histograms {
    words: &'static [AtomicU64],
}

impl Histograms {
    pub(crate) fn new(words: &'static [AtomicU64]) -> Histograms {
        assert_eq!(words.len(), HISTOGRAMS_MAX * HISTOGRAM_BUCKETS);
        Histograms { words }
    }

    /// Histograms that no region shows, for tests of parts.
    ///
    /// # Panics
    /// When the system has not a few pages of memory left.
    pub fn detached() -> Histograms {
        let count = HISTOGRAMS_MAX * HISTOGRAM_BUCKETS;
        match Mapping::anonymous(count * 8, false) {
            Ok(mapping) => Histograms::new(mapping.words(0, count)),
            Err(error) => panic!("no memory for the histograms: {error}"),
        }
    }

    /// Counts one value.
    pub fn record(&self, id: HistogramId, nanoseconds: u64) {
        let place = id as usize * HISTOGRAM_BUCKETS + bucket_of(nanoseconds);
        self.words[place].fetch_add(1, Ordering::Relaxed);
    }

    /// Number of values counted.
    pub fn count(&self, id: HistogramId) -> u64 {
        self.buckets(id).iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// The floor of the bucket in which the value at `quantile` (0.0 to 1.0) lies; 0 when nothing was counted.
    pub fn quantile(&self, id: HistogramId, quantile: f64) -> u64 {
        let rank = (self.count(id) as f64 * quantile).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.buckets(id).iter().enumerate() {
            seen += count.load(Ordering::Relaxed);
            if seen >= rank {
                return bucket_floor(bucket);
            }
        }
        0
    }

    fn buckets(&self, id: HistogramId) -> &'static [AtomicU64] {
        &self.words[id as usize * HISTOGRAM_BUCKETS..][..HISTOGRAM_BUCKETS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_dense_ordered_and_at_most_a_thirty_second_wide() {
        assert_eq!(bucket_of(u64::MAX), HISTOGRAM_BUCKETS - 1);
        for bucket in 0..HISTOGRAM_BUCKETS {
            let floor = bucket_floor(bucket);
            assert_eq!(bucket_of(floor), bucket);
            let next = if bucket + 1 < HISTOGRAM_BUCKETS { bucket_floor(bucket + 1) } else { HISTOGRAM_VALUE_MAX + 1 };
            assert_eq!(bucket_of(next - 1), bucket);
            assert!(next - floor <= (floor / 32).max(1));
        }
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let histograms = Histograms::detached();
        assert_eq!(histograms.quantile(HistogramId::Queue, 0.5), 0);
        for value in 1..=1_000_u64 {
            histograms.record(HistogramId::Queue, value * 1_000);
        }
        assert_eq!(histograms.count(HistogramId::Queue), 1_000);
        for (quantile, exact) in [(0.5, 500_000_f64), (0.99, 990_000.0), (1.0, 1_000_000.0)] {
            let found = histograms.quantile(HistogramId::Queue, quantile) as f64;
            assert!((found - exact).abs() <= exact / 30.0, "{quantile}: {found} against {exact}");
        }
    }
}
