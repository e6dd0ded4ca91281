//! Counterexamples: enough of a sequence for the author of a policy to reproduce a wrong answer.

use std::fmt::{self, Display};

/// A wrong answer in a sequence.
#[derive(Clone, Debug)]
pub(crate) struct Counterexample {
    pub sequence: String,
    /// The number of the call, from 1; 0 if the policy failed before the first one.
    pub call: u64,
    pub expected: String,
    /// The call and its answer.
    pub actual: String,
    /// The calls right before it, with their answers.
    pub preceding: Vec<String>,
}

impl Counterexample {
    /// A policy that failed before its first call.
    pub fn before_first_call(sequence: &impl Display, fault: String) -> Self {
        let expected = "a ranking".into();
        Self { sequence: sequence.to_string(), call: 0, expected, actual: fault, preceding: Vec::new() }
    }
}

impl Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sequence: {}\ncall {}: {}\nexpected: {}", self.sequence, self.call, self.actual, self.expected)?;
        if !self.preceding.is_empty() {
            write!(f, "\nthe calls before it:")?;
        }
        let first = self.call - self.preceding.len() as u64;
        self.preceding.iter().zip(first..).try_for_each(|(call, number)| write!(f, "\n  call {number}: {call}"))
    }
}
