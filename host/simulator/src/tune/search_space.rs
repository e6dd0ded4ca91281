//! Which values of the options of the built-in policies are worth a trial.

/// The values of an option that are worth a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SearchSpace {
    /// Numbers in ascending order, and those in between.
    Numbers(&'static [f64]),
    /// These values. An option that should not be tuned has its default as the only choice.
    Choices(&'static [&'static str]),
}

/// The search space of an option of a built-in policy. A policy or an option that is not built in has none.
#[must_use]
pub fn search_space(policy: &str, option: &str) -> Option<SearchSpace> {
    SPACES.iter().find(|(known, name, _)| (*known, *name) == (policy, option)).map(|(_, _, space)| *space)
}

/// The policy, the option, and its search space, for each option of each built-in policy.
const SPACES: &[(&str, &str, SearchSpace)] = &[
    ("gdsf", "beta", SearchSpace::Numbers(&[0.0, 0.25, 0.5, 0.75, 1.0])),
    ("gdsf", "cost", SearchSpace::Choices(&["1", "time", "bytes", "linear:0.3", "linear:1", "linear:3", "linear:10", "linear:30"])),
    ("hazard", "mix", SearchSpace::Numbers(&[0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0])),
    ("hazard", "ghosts", SearchSpace::Numbers(&[0.0, 0.5, 1.0, 2.0, 4.0])),
    ("hazard", "cost", SearchSpace::Choices(&["mix", "time"])),
    ("s3-fifo", "small", SearchSpace::Numbers(&[1.0, 3.0, 10.0, 30.0, 60.0, 90.0])),
    ("s3-fifo", "large", SearchSpace::Choices(&["refuse", "main"])),
    ("w-tinylfu", "window", SearchSpace::Numbers(&[1.0, 5.0, 20.0, 50.0, 80.0, 99.0])),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_at_most_one_space_and_numbers_ascend() {
        for (at, (policy, option, space)) in SPACES.iter().enumerate() {
            assert!(SPACES[..at].iter().all(|(known, name, _)| (known, name) != (policy, option)), "{policy} {option}");
            match space {
                SearchSpace::Numbers(numbers) => assert!(numbers.len() > 1 && numbers.is_sorted_by(|one, next| one < next)),
                SearchSpace::Choices(choices) => assert!(!choices.is_empty()),
            }
        }
    }
}
