//! The interface through which the service checks an uploaded policy before it is used. The conformance suite is in another crate.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use media_cache::policy::{PolicyChoice, PolicyEngine};

/// Checks policies against their contract.
pub trait PolicyCheck: Send + Sync {
    /// Runs all checks and returns their results. `engine` is the one that compiled the policy.
    ///
    /// This runs on a thread of its own. It must take a limited time, and should end early, with any result, once `is_cancelled` becomes
    /// true.
    fn check(&self, engine: &PolicyEngine, policy: &PolicyChoice, is_cancelled: Arc<AtomicBool>) -> Vec<CheckResult>;
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    /// The check, as a sentence whose subject is the policy.
    pub check: String,
    /// Whether the policy passed.
    pub outcome: CheckOutcome,
    /// What was tried and measured, or why the policy failed.
    pub detail: String,
}

/// Whether a policy passed a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// The policy passed.
    Passed,
    /// The policy failed.
    Failed,
    /// The check was not completed.
    Untried,
}

impl CheckOutcome {
    /// The name in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Untried => "untried",
        }
    }
}
