//! State shared by all checks: the policy under test, and the findings of earlier checks.

use std::cell::Cell;

use media_cache::policy::{CreateError, PolicyFault, PolicyLimits};

use crate::player::Player;
use crate::sequence::Sequence;
use crate::subject::Subject;
use crate::text::quoted;

/// The policy under test.
pub(crate) struct Context<'a> {
    start: Box<dyn Fn() -> Result<Box<dyn Subject>, PolicyFault> + 'a>,
    /// The options under test.
    pub options: Vec<(String, String)>,
    /// The limits of each instance.
    pub limits: PolicyLimits,
    findings: Cell<Findings>,
}

/// Defects found by earlier checks. Later checks do not report them again.
#[derive(Clone, Copy, Default)]
pub(crate) struct Findings {
    /// No other check can run.
    pub never_starts: bool,
    /// It names victims that are not tracked, or names one twice.
    pub wrong_victims: bool,
    /// Its victims free too little.
    pub frees_too_little: bool,
}

impl<'a> Context<'a> {
    /// A context without findings.
    pub fn new(
        start: impl Fn() -> Result<Box<dyn Subject>, PolicyFault> + 'a,
        options: Vec<(String, String)>,
        limits: PolicyLimits,
    ) -> Self {
        Self { start: Box::new(start), options, limits, findings: Cell::default() }
    }

    /// The findings of earlier checks.
    pub fn findings(&self) -> Findings {
        self.findings.get()
    }

    /// Replaces the findings.
    pub fn set_findings(&self, findings: Findings) {
        self.findings.set(findings);
    }

    /// Starts a new instance.
    pub fn start(&self) -> Result<Box<dyn Subject>, PolicyFault> {
        (self.start)()
    }

    /// Creates a ranking with the options under test. It is a fault if the policy rejects them.
    pub fn create(&self, subject: &mut dyn Subject, capacity: u64) -> Result<usize, PolicyFault> {
        subject.create(capacity, &self.options).map_err(|error| match error {
            CreateError::Fault(fault) => fault,
            CreateError::Options(why) => PolicyFault::Trapped(format!("it rejected its options: {}", quoted(&why))),
        })
    }

    /// Creates a ranking for a sequence.
    pub fn player(&self, sequence: &Sequence, subject: &mut dyn Subject) -> Result<Player, PolicyFault> {
        let ranking = self.create(subject, sequence.tier.capacity())?;
        Ok(Player::new(sequence.clone(), ranking))
    }
}
