//! The result of a check.

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The check, as a sentence whose subject is the policy.
    pub check: &'static str,
    /// Whether the policy passed.
    pub outcome: Outcome,
    /// What was tried and measured, or the counterexample over several lines.
    pub detail: String,
}

/// Whether a policy passed a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The policy passed.
    Passed,
    /// The policy failed; the detail says why.
    Failed,
    /// The check could not complete because of a failure that another check reports.
    Untried,
}

/// The detail of a check that passed, or the reason why it failed.
pub(crate) type CheckResult = Result<String, String>;

impl Verdict {
    /// Whether the policy passed the check.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.outcome == Outcome::Passed
    }

    pub(crate) fn passed(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Passed, detail: detail.into() }
    }

    pub(crate) fn failed(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Failed, detail: detail.into() }
    }

    pub(crate) fn untried(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Untried, detail: detail.into() }
    }

    /// Passed or failed, with the detail or the reason.
    pub(crate) fn from_result(check: &'static str, result: CheckResult) -> Self {
        match result {
            Ok(detail) => Self::passed(check, detail),
            Err(reason) => Self::failed(check, reason),
        }
    }
}
