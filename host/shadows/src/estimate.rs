//! Estimates from samples, with their errors.
//!
//! Each object belongs to one of 16 groups, and the groups of a sample are disjoint samples. How much the groups differ shows how much the
//! estimate would differ for another sample.

use crate::sampling::GROUPS;

/// The 97.5th percentile of Student's t distribution with 15 degrees of freedom: 95 % of values lie between it and its negative.
const T: f64 = 2.131;

/// An estimated value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Half of the width of the interval that contains the true value with a probability of 95 %.
    pub error: f64,
}

impl Estimate {
    /// The value and the error, both multiplied by a factor.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self { value: self.value * factor, error: self.error * factor.abs() }
    }
}

/// The standard error of the sum of the groups.
pub(crate) fn standard_error(groups: &[f64; GROUPS]) -> f64 {
    let count = GROUPS as f64;
    let mean = groups.iter().sum::<f64>() / count;
    let variance = groups.iter().map(|group| (group - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (count * variance).sqrt()
}

/// What is due to chance in the groups of two quantities; see [`GroupSums`](crate::sums::GroupSums).
pub(crate) struct Chance {
    pub of: [f64; GROUPS],
    pub of_known: [f64; GROUPS],
}

/// Estimates a total from a sample.
///
/// `groups` are the sums of the sample's groups, scaled up to all objects. `known` are the sums of another quantity for the same groups,
/// whose true total `known_total` is known. If the two are correlated, estimating only their difference is more precise (difference
/// estimator; Cochran, "Sampling Techniques", 3rd edition, section 7.9).
pub(crate) fn total(groups: &[f64; GROUPS], known: &[f64; GROUPS], known_total: f64, chance: &Chance) -> Estimate {
    let difference =
        |one: &[f64; GROUPS], other: &[f64; GROUPS]| -> [f64; GROUPS] { std::array::from_fn(|at| one[at] - other[at]) };
    let direct = Estimate { value: groups.iter().sum(), error: T * standard_error(&chance.of) };
    let by_difference = Estimate {
        value: (known_total + difference(groups, known).iter().sum::<f64>()).max(0.0),
        error: T * standard_error(&difference(&chance.of, &chance.of_known)),
    };
    if by_difference.error < direct.error { by_difference } else { direct }
}

/// Estimates how much larger the sum of one quantity is than that of another, for this sequence of requests and for others like it. Its
/// error is the standard error.
pub(crate) fn gain(groups: &[f64; GROUPS], others: &[f64; GROUPS]) -> Estimate {
    let difference: [f64; GROUPS] = std::array::from_fn(|group| groups[group] - others[group]);
    Estimate { value: difference.iter().sum(), error: standard_error(&difference) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_sample_has_no_error() {
        let groups = std::array::from_fn(|group| group as f64);
        let chance = Chance { of: [0.0; GROUPS], of_known: [0.0; GROUPS] };
        assert_eq!(total(&groups, &[0.0; GROUPS], 0.0, &chance), Estimate { value: 120.0, error: 0.0 });
    }

    #[test]
    fn correlated_quantity_with_a_known_total_reduces_the_error() {
        let groups: [f64; GROUPS] = std::array::from_fn(|group| (group * group) as f64);
        let known = groups.map(|sum| sum + 1.0);
        let estimate = total(&groups, &known, 2000.0, &Chance { of: groups, of_known: known });
        assert_eq!(estimate, Estimate { value: 2000.0 - 16.0, error: 0.0 });
        let uncorrelated = std::array::from_fn(|group| if group % 2 == 0 { 500.0 } else { 0.0 });
        let estimate = total(&groups, &uncorrelated, 4000.0, &Chance { of: groups, of_known: uncorrelated });
        assert_eq!(estimate.value, groups.iter().sum::<f64>());
    }

    #[test]
    fn error_is_that_of_a_sum_of_independent_groups() {
        // The sample variance of eight zeros and eight twos is 16 / 15.
        let groups = std::array::from_fn(|group| if group % 2 == 0 { 2.0 } else { 0.0 });
        assert!((standard_error(&groups) - (16.0f64 * 16.0 / 15.0).sqrt()).abs() < 1e-9);
        assert_eq!(gain(&groups, &[0.5; GROUPS]).value, 8.0);
    }
}
