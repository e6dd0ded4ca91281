//! Sampling by fingerprint (Waldspurger, Park, Garthwaite and Ahmad, "Efficient MRC Construction with SHARDS", FAST 2015).
//!
//! Whether an object is in the sample depends only on its fingerprint and its size, so either all of its requests are in the sample or none.
//! A cache whose capacity is scaled down by the sampling rate then misses about the same share of these requests as the whole cache of all
//! requests. Each rate is a power of two, and a sample at a lower rate is contained in each sample at a higher rate.
//!
//! A few large objects take up a large part of most caches, and it must not be a matter of chance which of them are in the sample. The
//! probability of an object therefore grows with its size, and an object of a thousandth of the capacity or more is always in the sample
//! (Poisson sampling with probabilities proportional to size; Särndal, Swensson and Wretman, "Model Assisted Survey Sampling", section
//! 3.6.2). There it represents fewer objects, so it counts less and takes up less space in the scaled cache. The policy still
//! sees its true size.

/// The number of disjoint groups of objects from which errors are estimated.
pub(crate) const GROUPS: usize = 16;

/// The lowest rate is 2 to the power of minus this.
const MAX_HALVINGS: u32 = 20;

/// The share of objects in the sample: one, one half, one quarter, and so on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SamplingRate {
    halvings: u32,
}

impl SamplingRate {
    /// All objects.
    pub const FULL: Self = Self { halvings: 0 };

    /// The share of objects in the sample, more than 0 and at most 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        0.5f64.powi(self.halvings as i32)
    }

    /// Whether this is the full rate.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.halvings == 0
    }

    /// Half of this rate, unless it is the lowest already.
    #[must_use]
    pub fn halved(self) -> Self {
        Self { halvings: (self.halvings + 1).min(MAX_HALVINGS) }
    }

    /// Twice this rate, at most the full rate.
    #[must_use]
    pub fn doubled(self) -> Self {
        Self { halvings: self.halvings.saturating_sub(1) }
    }

    /// Whether an object is in the sample whatever its size.
    #[must_use]
    pub fn includes(self, fingerprint: u64) -> bool {
        self.is_full() || mixed(fingerprint) >> (u64::BITS - self.halvings) == 0
    }

    /// A capacity scaled to the sample, at least 1.
    #[must_use]
    pub fn scaled(self, capacity: u64) -> u64 {
        (capacity >> self.halvings).max(1)
    }
}

/// A sample of the objects of a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    pub rate: SamplingRate,
    /// The capacity of the cache, in bytes.
    pub capacity: u64,
}

/// An object of this share of the capacity is always in the sample.
const ALWAYS: f64 = 1e-3;

impl Sample {
    /// The probability with which an object of this size is in the sample.
    pub fn probability(&self, size: u64) -> f64 {
        let by_size = size as f64 / (self.capacity.max(1) as f64 * ALWAYS);
        by_size.min(1.0).max(self.rate.fraction())
    }

    /// Whether an object is in the sample.
    pub fn includes(&self, fingerprint: u64, size: u64) -> bool {
        /// 2 to the power of 53: numbers below it are exact.
        const END: f64 = (1u64 << 53) as f64;
        self.rate.is_full() || ((mixed(fingerprint) >> 11) as f64) < self.probability(size) * END
    }

    /// The space that an object of this size takes up in a scaled cache.
    pub fn space(&self, size: u64) -> u64 {
        match self.probability(size) {
            probability if probability > self.rate.fraction() => {
                ((size as f64 * self.rate.fraction() / probability).ceil() as u64).max(1)
            }
            _ => size,
        }
    }
}

/// The group of an object, from 0 to `GROUPS - 1`. It is independent of whether the object is in a sample.
pub(crate) fn group(fingerprint: u64) -> usize {
    mixed(fingerprint) as usize % GROUPS
}

/// Mixes the bits of a fingerprint, so that the sample is independent of how a policy uses them: the finalizer of SplitMix64 (Steele, Lea
/// and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
fn mixed(fingerprint: u64) -> u64 {
    let mut z = fingerprint.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_has_its_share_of_objects_and_contains_sparser_samples() {
        let mut rate = SamplingRate::FULL;
        for _ in 0..6 {
            let sample: Vec<u64> = (0..100_000).filter(|object| rate.includes(*object)).collect();
            let expected = 100_000.0 * rate.fraction();
            assert!((sample.len() as f64 - expected).abs() < 5.0 * expected.sqrt(), "{} of {expected}", sample.len());
            assert!((0..100_000).filter(|object| rate.halved().includes(*object)).all(|object| rate.includes(object)));
            assert_eq!(rate.halved().doubled(), rate);
            rate = rate.halved();
        }
    }

    #[test]
    fn large_objects_are_always_in_the_sample_and_take_up_their_share_of_space() {
        let rate = (0..4).fold(SamplingRate::FULL, |rate, _| rate.halved());
        let sample = Sample { rate, capacity: 1_000_000 };
        assert!((0..1000).all(|object| sample.includes(object, 1000) && sample.includes(object, 50_000)));
        assert_eq!((sample.space(50_000), sample.space(1000), sample.space(10)), (3125, 63, 10));
        let half = (0..10_000).filter(|object| sample.includes(*object, 500)).count();
        assert!((4800..5200).contains(&half), "{half}");
        assert_eq!((sample.probability(500), sample.space(500)), (0.5, 63));
        for object in 0..10_000 {
            assert!(!rate.includes(object) || sample.includes(object, 1), "the sample contains the one that ignores sizes");
        }
        let full = Sample { rate: SamplingRate::FULL, capacity: 1_000_000 };
        assert!(full.includes(7, 1) && full.space(7) == 7 && full.probability(7) == 1.0);
    }

    #[test]
    fn groups_are_of_about_the_same_size_in_a_sample() {
        let rate = SamplingRate::FULL.halved().halved();
        let mut sizes = [0u32; GROUPS];
        (0..64_000).filter(|object| rate.includes(*object)).for_each(|object| sizes[group(object)] += 1);
        assert!(sizes.iter().all(|size| (850..1150).contains(size)), "{sizes:?}");
    }

    #[test]
    fn lowest_rate_still_includes_objects_and_scales_to_at_least_one_byte() {
        let lowest = (0..99).fold(SamplingRate::FULL, |rate, _| rate.halved());
        assert_eq!(lowest.halved(), lowest);
        assert!((0..10_000_000).any(|object| lowest.includes(object)));
        assert_eq!((lowest.scaled(1), SamplingRate::FULL.scaled(7)), (1, 7));
    }
}
