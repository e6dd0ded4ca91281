//! The settings that are compared on the held-out part.

use media_cache::policy::PolicySpec;

/// The number of blocks of about equal length that the held-out part is divided into.
pub const BLOCKS: usize = 10;

/// The number of blocks in which a setting has to be better. A setting that is in fact neither better nor worse is better in
/// that many blocks by chance in one of 93 cases.
pub const ENOUGH_BLOCKS: usize = 9;

/// A setting that is compared on the held-out part. Its values are values of the objective; lower is better.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The policy and its options. Options that were not given and have their default are left out.
    pub spec: PolicySpec,
    /// The value on the training part.
    pub training: f64,
    /// The value on each block of the held-out part.
    pub blocks: Vec<f64>,
}

impl Candidate {
    /// The candidate with the values at the end of the training part and of each block.
    pub(crate) fn new(spec: PolicySpec, ends: &[f64]) -> Self {
        let blocks = ends.windows(2).map(|ends| ends[1] - ends[0]).collect();
        Self { spec, training: ends[0], blocks }
    }

    /// The value on the held-out part.
    #[must_use]
    pub fn held_out(&self) -> f64 {
        self.blocks.iter().sum()
    }

    /// The number of blocks in which it is better than another candidate.
    #[must_use]
    pub fn better_blocks(&self, other: &Self) -> usize {
        self.blocks.iter().zip(&other.blocks).filter(|(own, other)| own < other).count()
    }

    /// Whether it is better than another candidate with confidence: on the whole held-out part, and in [`ENOUGH_BLOCKS`] of its blocks.
    #[must_use]
    pub fn is_better(&self, other: &Self) -> bool {
        self.held_out() < other.held_out() && self.better_blocks(other) >= ENOUGH_BLOCKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_needs_enough_blocks_and_a_better_sum() {
        let candidate = |ends: &[f64]| Candidate::new(PolicySpec::default(), ends);
        let ramp: Vec<f64> = (0..=10).map(|end| 7.0 + 10.0 * f64::from(end)).collect();
        let base = candidate(&ramp);
        assert_eq!((base.training, base.held_out(), base.blocks.len()), (7.0, 100.0, BLOCKS));
        let with = |blocks: [f64; BLOCKS]| Candidate { blocks: blocks.to_vec(), ..base.clone() };
        let cases = [
            ([9.0; 10], 10, true),
            ([10.0; 10], 0, false),
            ([9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 18.0], 9, true),
            ([9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 19.0], 9, false),
            ([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 10.0, 11.0], 8, false),
        ];
        for (blocks, better, is_better) in cases {
            let other = with(blocks);
            assert_eq!((other.better_blocks(&base), other.is_better(&base)), (better, is_better), "{blocks:?}");
        }
    }
}
